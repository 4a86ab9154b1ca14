//! Nothing is held back: chunks pass as they come, both ways, and the end of one side reaches the other.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Channel};
use hyper::body::Frame;
use hyper::{Request, Response};
use tokio::sync::{Notify, mpsc};
use wharf_gateway::EndpointState;

use crate::support::*;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An instance that streams an answer, a chunk for each message; `None` ends it.
async fn streamer() -> (Instance, mpsc::Sender<&'static str>) {
    let (say, said) = mpsc::channel::<&'static str>(8);
    let said = Arc::new(tokio::sync::Mutex::new(said));
    let instance = Instance::start(move |_| {
        let said = said.clone();
        async move {
            let (mut body, stream) = Channel::<Bytes, Error>::new(1);
            tokio::spawn(async move {
                while let Some(word) = said.lock().await.recv().await {
                    if word == "end" || body.send_data(word.into()).await.is_err() {
                        break;
                    }
                }
            });
            Response::builder().header("content-type", "text/event-stream").body(stream.boxed()).unwrap()
        }
    })
    .await;
    (instance, say)
}

async fn next(body: &mut hyper::body::Incoming) -> Option<Bytes> {
    let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("a chunk in time")?;
    frame.unwrap().into_data().ok()
}

#[tokio::test]
async fn an_event_arrives_before_the_next_is_written() {
    let gateway = Gateway::start().await;
    let (instance, say) = streamer().await;
    let mut hello = route("hello", vec![serving("hello-0-g1", instance.address)]);
    hello.timeout_ms = Some(300);
    gateway.replace(&config(1, vec![hello.clone()])).await;

    let mut caller = Caller::connect(gateway.address().await).await;
    let response = caller.send(Request::get("/hello").body(whole("")).unwrap()).await.unwrap();
    let mut body = response.into_body();
    for word in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        say.send(word).await.unwrap();
        assert_eq!(next(&mut body).await.unwrap(), word);
    }
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);

    // The time limit was for the first byte, and a drain lets the stream go on.
    hello.endpoints[0].state = EndpointState::Draining;
    gateway.replace(&config(2, vec![hello])).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    say.send("data: 4\n\n").await.unwrap();
    assert_eq!(next(&mut body).await.unwrap(), "data: 4\n\n");
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 1);
    say.send("end").await.unwrap();
    assert_eq!(next(&mut body).await, None);
    eventually("the stream has ended", async || gateway.status().await.in_flight("hello-0-g1") == 0).await;
}

#[tokio::test]
async fn an_upload_streams() {
    let gateway = Gateway::start().await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let instance = Instance::start(move |request| {
        let heard = heard.clone();
        async move {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                heard.send(frame.into_data().unwrap()).unwrap();
            }
            Response::new(whole("done"))
        }
    })
    .await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", instance.address)])])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    let (mut body, stream) = Channel::<Bytes, Error>::new(1);
    let answer = tokio::spawn(async move { caller.call(Request::post("/hello").body(stream).unwrap()).await });
    for word in ["one", "two", "three"] {
        body.send(Frame::data(word.into())).await.unwrap();
        let seen = tokio::time::timeout(PATIENCE, hears.recv()).await.expect("a chunk in time");
        assert_eq!(seen.unwrap(), word);
    }
    drop(body);
    let answer = answer.await.unwrap().unwrap();
    assert_eq!((answer.status.as_u16(), answer.text.as_str(), answer.header("connection")), (200, "done", ""));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    struct Left(Arc<Notify>);
    impl Drop for Left {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let gateway = Gateway::start().await;
    let (began, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, leaves) = (began.clone(), left.clone());
    let instance = Instance::start(move |_| {
        let (began, left) = (begins.clone(), Left(leaves.clone()));
        async move {
            began.notify_one();
            let _left = left;
            std::future::pending().await
        }
    })
    .await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", instance.address)])])).await;
    let address = gateway.address().await;
    let call = tokio::spawn(async move { get(address, "/hello").await });
    tokio::time::timeout(PATIENCE, began.notified()).await.expect("the request arrives");
    call.abort();
    tokio::time::timeout(PATIENCE, left.notified()).await.expect("the instance sees the client leave");
    eventually("the request is counted out", async || gateway.status().await.in_flight("hello-0-g1") == 0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_client() {
    let gateway = Gateway::start().await;
    let instance = Instance::start(|_| async {
        let (mut body, stream) = Channel::<Bytes, Error>::new(1);
        tokio::spawn(async move {
            body.send_data("half".into()).await.unwrap();
            body.abort("gone".into());
        });
        Response::new(stream.boxed())
    })
    .await;
    gateway.replace(&config(1, vec![route("hello", vec![serving("hello-0-g1", instance.address)])])).await;
    let mut caller = Caller::connect(gateway.address().await).await;
    assert!(caller.get("/hello").await.is_err());
    assert_eq!(gateway.status().await.in_flight("hello-0-g1"), 0);
}
