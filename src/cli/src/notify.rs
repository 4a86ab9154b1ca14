//! Tells webhooks how an apply ended. Nothing that happens here changes how it ended.

use crate::{project::Project, secrets};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::rustls::pki_types::ServerName;
use wharf_model::{Deployment, EnvValue, NotifyOn, NotifySpec};
use wharf_report::{dim, duration, tame};

/// How long the second try waits; each further one twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// How much of a refusal is read; the connection ends behind it.
const ANSWER: usize = 16 * 1024;

/// How telling one went.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) name: Arc<str>,
    /// Why it could not be told.
    pub(crate) problem: Option<String>,
}

/// Who is told, for those who look at a plan; none when nobody is.
pub(crate) fn mention(deployment: &Deployment) -> Option<String> {
    let names: Vec<_> = deployment.notifies.keys().map(|name| &**name).collect();
    (!names.is_empty()).then(|| format!("{} how it ends is told to {}", dim("note:"), names.join(", ")))
}

/// Posts a summary to those who are to be told of such an ending, side by side, and waits for all. None is waited for
/// longer than its time.
pub(crate) async fn notify(project: &Project, ended: NotifyOn, summary: &str) -> Vec<Told> {
    let body = Bytes::from(summary.to_owned());
    let mut under_way = JoinSet::new();
    for (name, spec) in project.deployment.notifies.iter().filter(|(_, spec)| spec.on.contains(&ended)) {
        let (name, message) = (name.clone(), Message::of(project, spec, &body));
        let (patience, retries) = (spec.timeout, spec.retries);
        under_way.spawn(async move {
            let told = match message {
                Ok(message) => timeout(patience, message.deliver(retries))
                    .await
                    .unwrap_or_else(|_| Err(format!("it was not done after {}", duration(patience)))),
                Err(problem) => Err(problem),
            };
            Told { name, problem: told.err() }
        });
    }
    let mut told = under_way.join_all().await;
    told.sort_by(|one, other| one.name.cmp(&other.name));
    told
}

/// Everything that is sent to one.
struct Message {
    tls: bool,
    host: String,
    port: u16,
    request: Request<Full<Bytes>>,
}

/// Why a try failed.
enum Failed {
    /// Another may do better.
    ForNow(String),
    /// No other will.
    ForGood(String),
}

impl Message {
    /// A problem never holds more of the address than its host: the rest may be what lets anybody in.
    fn of(project: &Project, spec: &NotifySpec, body: &Bytes) -> Result<Self, String> {
        let value = |value: &EnvValue| match value {
            EnvValue::Plain(text) => Ok(text.to_string()),
            // A command that needs no secret else has read none.
            EnvValue::Secret(name) => match (project.secrets.expose(name), project.deployment.secrets.get(name)) {
                (Some(value), _) => Ok(value.to_owned()),
                (None, Some(source)) => secrets::read(&project.dir, source)
                    .map(|value| value.expose_secret().to_owned())
                    .map_err(|problem| format!("the secret `{name}` cannot be read: {problem}")),
                (None, None) => Err(format!("there is no secret `{name}`")),
            },
        };
        let url = value(&spec.url)?;
        let uri: Uri = url.trim().parse().map_err(|_| "its address is none".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("its address begins neither with https:// nor with http://".to_owned()),
        };
        let host = uri.host().ok_or("its address has no host")?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let authority = uri.authority().map_or(host.clone(), |authority| authority.host().to_owned());
        let authority = uri.port_u16().map_or(authority.clone(), |port| format!("{authority}:{port}"));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority)
            .header(USER_AGENT, concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        for (name, text) in &spec.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header"))?;
            let unfit = |_| format!("the value of the header `{name}` is none");
            let mut text = HeaderValue::from_str(value(text)?.trim()).map_err(unfit)?;
            text.set_sensitive(true);
            request = request.header(header, text);
        }
        let request = request.body(Full::new(body.clone())).map_err(|_| "its address is none".to_owned())?;
        Ok(Self { tls, host, port, request })
    }

    /// Sends it until it is taken, or nobody will take it.
    async fn deliver(self, retries: u32) -> Result<(), String> {
        let mut pause = FIRST_PAUSE;
        let mut left = retries;
        loop {
            match self.post().await {
                Ok(()) => return Ok(()),
                Err(Failed::ForNow(_)) if left > 0 => {}
                Err(Failed::ForNow(problem) | Failed::ForGood(problem)) => return Err(problem),
            }
            left -= 1;
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn post(&self) -> Result<(), Failed> {
        let place = format!("{}:{}", self.host, self.port);
        let unheard = |error: &dyn fmt::Display| Failed::ForNow(format!("{place} cannot be reached: {error}"));
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(|error| unheard(&error))?;
        if !self.tls {
            return self.converse(stream, &place).await;
        }
        let name =
            ServerName::try_from(self.host.clone()).map_err(|_| Failed::ForGood(format!("{place} is no host")))?;
        let stream = wharf_gateway::trust::connector().connect(name, stream).await;
        self.converse(stream.map_err(|error| unheard(&error))?, &place).await
    }

    async fn converse<S>(&self, stream: S, place: &str) -> Result<(), Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let lost = |error: hyper::Error| Failed::ForNow(format!("{place} broke off: {error}"));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
        let mut connection = tokio::spawn(connection);
        let answer = sender.send_request(self.request.clone()).await.map_err(lost);
        let told = match answer {
            Ok(answer) => verdict(answer.status(), place, &heard(answer.into_body()).await),
            Err(error) => Err(error),
        };
        drop(sender);
        // What does not end by itself is not waited for.
        drop(timeout(FIRST_PAUSE, &mut connection).await);
        connection.abort();
        told
    }
}

/// The first line of an answer.
async fn heard(body: hyper::body::Incoming) -> String {
    let bytes = http_body_util::Limited::new(body, ANSWER).collect().await.map(http_body_util::Collected::to_bytes);
    let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    text.lines().next().unwrap_or_default().trim().chars().take(120).collect()
}

fn verdict(status: StatusCode, place: &str, heard: &str) -> Result<(), Failed> {
    if status.is_success() {
        return Ok(());
    }
    let heard = if heard.is_empty() { String::new() } else { format!(": {}", tame(heard)) };
    let problem = format!("{place} answered {status}{heard}");
    let may_pass =
        status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    Err(if may_pass { Failed::ForNow(problem) } else { Failed::ForGood(problem) })
}
