//! The line to an engine that is reached otherwise than by a socket or by plain HTTP: how connections are made is decided by
//! others, here it is decided when. One that has done its work is used again, as it took time to make; one that is new is
//! tried with a question that changes nothing, so that a call is not sent before it is known that somebody hears it.

use crate::{ssh::Ssh, tls::Tls};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker, errors::Error as EngineError};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use std::{
    error::Error,
    io,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::io::{AsyncRead, AsyncWrite};

type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;
type Connection = http1::SendRequest<Body>;

/// How long an answer may take to begin, as over a socket.
const PATIENCE: u64 = 120;

/// Whom requests are addressed to: the engine does not care, and HTTP wants it said.
const ADDRESSEE: &str = "docker";

/// How an engine elsewhere is reached.
pub(crate) enum Way {
    Tls(Tls),
    Ssh(Ssh),
}

/// Connections to one engine.
#[derive(Clone)]
struct Line {
    way: Arc<Way>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// An engine at the end of this way.
pub(crate) fn connect(way: Way) -> Result<Docker, EngineError> {
    let line = Line { way: Arc::new(way), idle: Arc::default() };
    let send = move |request| {
        let line = line.clone();
        async move { line.send(request).await }
    };
    Docker::connect_with_custom_transport(send, Some(format!("http://{ADDRESSEE}")), PATIENCE, API_DEFAULT_VERSION)
}

impl Line {
    async fn send(&self, request: BollardRequest) -> Result<Response<Incoming>, EngineError> {
        let mut request = addressed(request.map(|body| body.boxed_unsync()));
        while let Some(mut connection) = self.take() {
            match connection.try_send_request(request).await {
                Ok(answer) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                // It was closed meanwhile, and nothing of the request has left.
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().into()),
                },
            }
        }
        let mut connection = self.open().await?;
        let answer = connection.send_request(request).await?;
        self.keep(connection);
        Ok(answer)
    }

    /// A connection on which the engine has answered.
    async fn open(&self) -> io::Result<Connection> {
        match &*self.way {
            Way::Tls(tls) => greet(tls.dial().await?).await.map_err(|error| tls.lost(error)),
            Way::Ssh(ssh) => {
                let _turn = ssh.turn().await;
                let (pipe, words) = ssh.dial()?;
                match greet(pipe).await {
                    Ok(connection) => Ok(connection),
                    Err(error) => Err(ssh.lost(words, error).await),
                }
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = idle.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for others, once what is answered on it has been read.
    fn keep(&self, mut connection: Connection) {
        let idle = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            if connection.ready().await.is_ok()
                && let Some(idle) = idle.upgrade()
            {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
        });
    }
}

/// Asks what changes nothing, and waits for the answer.
async fn greet(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> hyper::Result<Connection> {
    let (mut connection, task) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the connection, which ends when nobody has a request for it any more.
    tokio::spawn(task.with_upgrades());
    let mut ping = Request::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    *ping.uri_mut() = Uri::from_static("/_ping");
    let answer = connection.send_request(addressed(ping)).await?;
    answer.into_body().collect().await?;
    connection.ready().await?;
    Ok(connection)
}

/// The request as one end of a connection tells it to the other.
fn addressed(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if let Ok(path) = path.parse() {
        *request.uri_mut() = path;
    }
    request.headers_mut().insert(HOST, HeaderValue::from_static(ADDRESSEE));
    request
}
