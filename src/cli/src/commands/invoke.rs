//! `wharf invoke`: one request through the gateway, as a caller would send it.

use crate::{
    arguments::{Invoke, Shared},
    exit::Exit,
    fault::{Ends, Fault},
    out,
    project::{Project, Secrets, Told},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use std::{
    io::Read,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use tokio::net::TcpStream;
use wharf_model::{Deployment, GatewaySpec, ServiceName, ServiceSpec};
use wharf_report::{bold, dim};

pub(super) async fn run(shared: &Shared, mut wanted: Invoke) -> Ends<Exit> {
    let project = Project::load(shared, Secrets::Needed, Told::Errors)?;
    if wanted.service.as_ref().is_some_and(|first| first.starts_with('/')) {
        wanted.path = wanted.service.take().unwrap_or_default();
    }
    let (name, spec) = choose(&project, wanted.service.as_deref())?;
    let (gateway_name, gateway) =
        spec.exposes.keys().find_map(|gateway| Some((gateway, project.deployment.gateways.get(gateway)?))).ok_or_else(
            || {
                let attempt = format!("service {name} is not exposed through any gateway");
                Fault::new(attempt).help(format!("add `expose \"GATEWAY\"` to service \"{name}\""))
            },
        )?;
    let token = spec.tokens.first().filter(|_| !wanted.no_token);
    let token = token.and_then(|token| project.secrets.expose(&token.secret));
    let address = reachable(gateway);
    let request = request(&Deployment::path_of(name, spec), address, &wanted, token)?;
    let response = send(address, request).await.map_err(|fault| {
        fault.help(format!("is it applied? `wharf status` shows how gateway {gateway_name} stands"))
    })?;
    print(response, wanted.include).await
}

fn choose<'a>(project: &'a Project, wanted: Option<&str>) -> Ends<(&'a ServiceName, &'a ServiceSpec)> {
    let services = &project.deployment.services;
    let names = || services.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match wanted {
        Some(wanted) => services.iter().find(|(name, _)| name.as_str() == wanted).ok_or_else(|| {
            Fault::new(format!("there is no service `{wanted}`")).help(format!("known are: {}", names()))
        }),
        None => match services.iter().collect::<Vec<_>>().as_slice() {
            [only] => Ok(*only),
            _ => Err(Fault::new("which service?").help(format!("name one of: {}", names()))),
        },
    }
}

/// Where a gateway that listens on every address is found from here.
fn reachable(gateway: &GatewaySpec) -> SocketAddr {
    let address = match gateway.address {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, gateway.port)
}

fn request(service: &str, address: SocketAddr, wanted: &Invoke, token: Option<&str>) -> Ends<Request<Full<Bytes>>> {
    let body = body(wanted.data.as_deref())?;
    let method = wanted.method.as_deref().unwrap_or(if wanted.data.is_some() { "POST" } else { "GET" });
    let slash = if wanted.path.starts_with('/') { "" } else { "/" };
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).map_err(|cause| Fault::new("that is no method").because(cause))?)
        .uri(format!("{service}{slash}{}", wanted.path))
        .header(header::HOST, address.to_string())
        .header(header::USER_AGENT, concat!("wharf/", env!("CARGO_PKG_VERSION")));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, token);
    }
    for (name, value) in &wanted.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(body)).map_err(|cause| Fault::new("that is no request").because(cause))
}

fn body(data: Option<&str>) -> Ends<Bytes> {
    let unreadable = |cause| Fault::new("cannot read the body").because(cause);
    Ok(match data {
        None => Bytes::new(),
        Some("@-") => {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map_err(unreadable)?;
            bytes.into()
        }
        Some(data) => match data.strip_prefix('@') {
            Some(file) => std::fs::read(file).map_err(unreadable)?.into(),
            None => data.to_owned().into(),
        },
    })
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Ends<Response<Incoming>> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|cause| Fault::new(format!("nobody answers at {address}")).because(cause))?;
    let lost = |cause| Fault::new(format!("the connection to {address} was lost")).because(cause);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(lost)?;
    // Ends with the response; what it has to say about a lost connection, the response says too.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(lost)
}

async fn print(response: Response<Incoming>, include: bool) -> Ends<Exit> {
    let status = response.status();
    if include {
        out::result(format_args!("{}\n", bold(format!("{:?} {status}", response.version()))));
        for (name, value) in response.headers() {
            out::result(format_args!("{}: {}\n", dim(name), String::from_utf8_lossy(value.as_bytes())));
        }
        out::result("\n");
    }
    let (mut body, mut last) = (response.into_body(), b'\n');
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|cause| Fault::new("the answer broke off").because(cause))?;
        if let Some(chunk) = frame.data_ref().filter(|chunk| !chunk.is_empty()) {
            out::bytes(chunk);
            last = chunk[chunk.len() - 1];
        }
    }
    if last != b'\n' {
        out::bytes(b"\n");
    }
    if status.is_client_error() || status.is_server_error() {
        if !include {
            out::alert(format!("the answer was {status}"));
        }
        return Ok(Exit::Error);
    }
    Ok(Exit::Done)
}
