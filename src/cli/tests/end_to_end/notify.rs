//! Webhooks are told how an apply ended, and whatever they do, it ended like that.

use crate::support::{Site, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

const TOKEN: &str = "hook-token-71c3b5";

/// What a webhook was sent: the lines of the head, and the body.
type Heard = (Vec<String>, String);

/// What it does with one request.
#[derive(Clone, Copy)]
enum Manner {
    Answers(&'static str),
    Hangs,
    BreaksOff,
}

/// A webhook on a port of its own. It treats each request as the manners say in turn, the last one for all that follow.
struct Hook {
    port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    ended: Arc<AtomicBool>,
}

impl Hook {
    fn start(manners: &'static [Manner]) -> Self {
        Self::start_with(manners, None)
    }

    fn start_with(manners: &'static [Manner], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, ended) = (Arc::default(), Arc::default());
        let hook = Self { port, heard, ended };
        let (heard, ended) = (hook.heard.clone(), hook.ended.clone());
        thread::spawn(move || {
            for (turn, connection) in listener.incoming().enumerate() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let manner = manners[turn.min(manners.len() - 1)];
                let connection = connection.unwrap();
                connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                match &tls {
                    None => treat(connection, manner, &heard),
                    Some(tls) => {
                        let session = ServerConnection::new(tls.clone()).unwrap();
                        treat(StreamOwned::new(session, connection), manner, &heard);
                    }
                }
            }
        });
        hook
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It looks when somebody comes.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

/// Takes one request, and answers it. Whoever comes and goes without a word is let go.
fn treat(connection: impl Read + Write, manner: Manner, heard: &Mutex<Vec<Heard>>) {
    let mut connection = BufReader::new(connection);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        match connection.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => head.push(line.trim().to_lowercase().replace(&TOKEN.to_lowercase(), TOKEN)),
        }
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    heard.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
    match manner {
        Manner::Answers(answer) => {
            let length = answer.split_once(' ').map_or(0, |(_, body)| body.len());
            let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            // Whoever does not wait for it is none of our concern.
            drop(connection.get_mut().write_all(answer.as_bytes()));
        }
        Manner::Hangs => thread::sleep(Duration::from_secs(5)),
        Manner::BreaksOff => {}
    }
}

fn site(name: &str, notify: &str) -> Site {
    let mut site = Site::hello(name);
    site.write("notify.kdl", &format!("secret \"hook\" {{ env \"HOOK\" }}\n{notify}\n"));
    site.env.insert("HOOK".to_owned(), TOKEN.to_owned());
    site
}

#[test]
fn a_webhook_is_told_all_that_a_pipeline_wants_to_know() {
    let hook = Hook::start(&[Manner::Answers("204")]);
    let notify = format!(
        "notify \"chat\" {{ url \"http://127.0.0.1:{}/wharf?team=a\"; headers {{ Authorization (secret)\"hook\" }} }}",
        hook.port
    );
    let mut site = site("notify-told", &notify);
    site.env.insert("CI_COMMIT_SHA".to_owned(), "1c9d0f2e".to_owned());
    let plan = site.done(&["plan"]);
    assert!(plan.contains("how it ends is told to chat"), "{plan}");
    let said = site.done(&["apply", "--yes"]);
    assert!(said.contains("chat was told"), "{said}");

    let [(head, body)] = &hook.heard()[..] else { panic!("it was told once: {:?}", hook.heard()) };
    assert_eq!(head[0], "post /wharf?team=a http/1.1");
    assert!(head.contains(&format!("authorization: {TOKEN}")), "{head:?}");
    assert!(head.contains(&"content-type: application/json".to_owned()), "{head:?}");
    let summary: Value = serde_json::from_str(body).unwrap();
    assert_eq!(summary["format"], "wharf.summary/1");
    let (begin, end) = (&summary["begin"], &summary["end"]);
    assert_eq!((&begin["project"], &begin["doing"]), (&"notify-told".into(), &"apply".into()));
    assert_eq!((&begin["commit"], &end["ended"]), (&"1c9d0f2e".into(), &"done".into()));
    assert_eq!(end["commit"], 1);
    assert!(end["addresses"][0].as_str().unwrap().ends_with("/api/predict/hello/"), "{end}");
    assert!(!body.contains(TOKEN) && !said.contains(TOKEN));

    // With nothing to do there is nothing to tell; the end of it all is told too, though destroy needs no secret else.
    site.done(&["apply", "--yes"]);
    assert_eq!(hook.heard().len(), 1);
    site.done(&["destroy", "--yes", "-q"]);
    let (_, last) = hook.heard().pop().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&last).unwrap()["begin"]["doing"], "destroy");
}

#[test]
fn only_endings_that_somebody_asked_for_are_told() {
    let hook = Hook::start(&[Manner::Answers("200 ok")]);
    let notify = format!("notify \"on-call\" {{ url \"http://127.0.0.1:{}/\"; on \"rolled-back\" }}", hook.port);
    let site = site("notify-some", &notify);
    site.done(&["apply", "--yes", "-q"]);
    assert!(hook.heard().is_empty());
    site.replace("wharf.kdl", "\"python3\" \"/mnt/data/app.py\"", "\"python3\" \"-c\" \"raise SystemExit(3)\"");
    let back = site.run(&["apply", "--yes", "-q"]);
    assert_eq!(back.code, 6, "{}", back.said);
    let (_, body) = hook.heard().pop().unwrap();
    let summary: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(summary["end"]["failed"][0]["how"], "rolled-back");
}

#[test]
fn whoever_is_busy_or_breaks_off_is_told_again() {
    let hook = Hook::start(&[Manner::Answers("503 later"), Manner::BreaksOff, Manner::Answers("200")]);
    let notify = format!("notify \"chat\" {{ url \"http://127.0.0.1:{}/\" }}", hook.port);
    let said = site("notify-again", &notify).done(&["apply", "--yes"]);
    assert!(said.contains("chat was told"), "{said}");
    assert!(hook.heard().len() >= 3);
}

/// One refuses, one never answers, one is not there, and one has an address that only a secret knows and that is none.
#[test]
fn whatever_webhooks_do_the_apply_ends_as_it_did() {
    let refuses = Hook::start(&[Manner::Answers("403 who are you?")]);
    let hangs = Hook::start(&[Manner::Hangs]);
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let notify = format!(
        "notify \"refuses\" {{ url \"http://127.0.0.1:{}/secret-path\" }}
         notify \"hangs\" {{ url \"http://127.0.0.1:{}/\"; timeout \"1s\" }}
         notify \"nobody\" {{ url \"http://127.0.0.1:{nobody}/\" }}
         notify \"odd\" {{ url (secret)\"hook\" }}",
        refuses.port, hangs.port
    );
    let site = site("notify-all", &notify);
    let begin = Instant::now();
    let said = site.done(&["apply", "--yes"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        format!(
            "refuses could not be told how this ended: 127.0.0.1:{} answered 403 Forbidden: who are you?",
            refuses.port
        ),
        "hangs could not be told how this ended: it was not done after 1.0s".to_owned(),
        format!("nobody could not be told how this ended: 127.0.0.1:{nobody} cannot be reached: Connection refused"),
        "odd could not be told how this ended: its address begins neither with https:// nor with http://".to_owned(),
    ] {
        assert!(words.contains(&told), "{told:?} is missing in:\n{said}");
    }
    assert!(!said.contains(TOKEN) && !said.contains("secret-path"), "{said}");
    assert_eq!(refuses.heard().len(), 1, "who refuses is not asked again");
    until("the apply is what it is", || site.run(&["plan", "--detailed-exitcode"]).code == 0);
}

#[test]
fn a_webhook_is_told_by_https_and_only_if_it_is_the_one() {
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
    let own = KeyPair::generate().unwrap();
    let mut names = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    names.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = names.signed_by(&own, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let hook = Hook::start_with(&[Manner::Answers("200")], Some(Arc::new(tls)));
    let notify = format!(
        "notify \"known\" {{ url \"https://localhost:{0}/\" }}
         notify \"another\" {{ url \"https://127.0.0.1:{0}/\"; retries 0 }}",
        hook.port
    );
    let mut site = site("notify-tls", &notify);
    site.write("authority.pem", &authority.pem());
    site.env.insert("SSL_CERT_FILE".to_owned(), site.dir.join("authority.pem").to_str().unwrap().to_owned());
    let said = site.done(&["apply", "--yes"]);
    assert!(said.contains("known was told"), "{said}");
    assert!(said.contains("another could not be told"), "{said}");
    assert_eq!(hook.heard().len(), 1);
}
