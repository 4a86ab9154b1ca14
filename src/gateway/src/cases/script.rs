//! A script's commands, carried out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::IDLE_LIMIT;
use crate::choice::Random;
use crate::config::{Config, EndpointState};
use crate::endpoint::{InFlight, LiveEndpoint};
use crate::entrance::Entrance;
use crate::forward::Quest;
use crate::framing;
use crate::live::{Live, Telling};
use crate::outlier::Fault;
use crate::proxy::Proxy;
use crate::refusal::{Refusal, Tongue};
use crate::registry::Registry;
use crate::sink::Sink;
use crate::story::Visit;
use crate::upstream::Pool;

type Admitted = Result<InFlight, Refusal>;

pub(super) struct Script {
    config: Config,
    proxy: Arc<Proxy>,
    registry: Registry,
    entrance: Arc<Entrance>,
    /// Requests that were let in: on their way to an instance, or at one.
    waiting: BTreeMap<String, (JoinHandle<Admitted>, Option<Box<Visit>>)>,
    open: BTreeMap<String, (InFlight, Option<Box<Visit>>)>,
}

impl Script {
    pub(super) fn new(config: Config) -> Self {
        config.check().unwrap();
        let (live, mut registry) = (Arc::new(Live::new()), Registry::new(CancellationToken::new()));
        live.replace(&config, Telling::default(), &mut registry);
        let pool = Arc::new(Pool::default());
        let proxy = Proxy { live, pool, random: Random::seeded(42), sink: Sink::start().unwrap() };
        let entrance = Entrance::new(&config.listeners[0], None);
        let (waiting, open) = (BTreeMap::new(), BTreeMap::new());
        Self { config, proxy: Arc::new(proxy), registry, entrance, waiting, open }
    }

    /// Carries out a script, and returns it with what came of it.
    pub(super) async fn run(mut self, text: &str) -> String {
        let mut seen = String::new();
        for line in text.lines().filter(|line| line.starts_with(['>', '#']) || line.is_empty()) {
            seen += &format!("{line}\n");
            if let Some(command) = line.strip_prefix("> ") {
                for told in self.obey(command).await {
                    seen += &format!("{told}\n");
                }
            }
        }
        seen
    }

    async fn obey(&mut self, command: &str) -> Vec<String> {
        let words: Vec<_> = command.split(' ').collect();
        let mut told = match words[..] {
            ["ask", name, ..] => self.ask(name, &words[2..]).await.into_iter().collect(),
            ["asks", count, ..] => self.asks(count.parse().unwrap(), &words[2..]).await,
            ["answer", name, status] => {
                let (mut in_flight, _visit) = self.open.remove(name).expect("an open request");
                in_flight.note_tried();
                in_flight.note_answered(status.parse().unwrap());
                Vec::new()
            }
            ["fail", name, how] => {
                let (mut in_flight, _visit) = self.open.remove(name).expect("an open request");
                in_flight.note_tried();
                let fault = if how == "silent" { Fault::NoAnswer } else { Fault::Unreachable };
                in_flight.endpoint().note_fault(fault);
                Vec::new()
            }
            ["leave", name] => {
                if let Some((task, _)) = self.waiting.remove(name) {
                    task.abort();
                }
                self.open.remove(name);
                Vec::new()
            }
            ["ready", instance] => self.probed(instance, true),
            ["unready", instance] => self.probed(instance, false),
            ["drain", instance] => self.set(instance, EndpointState::Draining),
            ["serve", instance] => self.set(instance, EndpointState::Serving),
            ["wait", time] => {
                let (number, unit) = time.split_at(time.find(char::is_alphabetic).unwrap());
                let millis = number.parse::<u64>().unwrap() * if unit == "s" { 1_000 } else { 1 };
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Vec::new()
            }
            _ => panic!("what is `{command}`?"),
        };
        told.extend(self.settle().await);
        told
    }

    /// Lets a request in, and has it look for an instance.
    fn enter(&self, words: &[&str]) -> Result<(JoinHandle<Admitted>, Option<Box<Visit>>), Refusal> {
        let mut request = Request::get(words[0]);
        let mut host = "example.com";
        for word in &words[1..] {
            match word.split_once('=').unwrap() {
                ("token", token) => request = request.header("authorization", token),
                ("host", named) => host = named,
                (header, value) => request = request.header(header, value),
            }
        }
        let request = request.header("host", host).body(Empty::<Bytes>::new()).unwrap();
        let host = framing::host(request.uri(), request.headers());
        let found = self.proxy.live.find(host, request.uri().path(), &self.proxy.random);
        let mut visit = None;
        let entered = self.proxy.let_in(found, &request, &self.entrance, &mut visit).map_err(|away| away.refusal)?;
        let mut route = entered.route;
        let deadline = Instant::now() + route.timeout.unwrap_or(IDLE_LIMIT);
        let (proxy, quest) = (self.proxy.clone(), Quest { key: entered.key, deadline });
        Ok((tokio::spawn(async move { proxy.admit(&mut route, quest).await }), visit))
    }

    async fn ask(&mut self, name: &str, words: &[&str]) -> Option<String> {
        match self.enter(words) {
            Ok(entered) => {
                self.waiting.insert(name.to_owned(), entered);
                let came = self.settle().await;
                Some(came.into_iter().next().unwrap_or_else(|| format!("{name} waits")))
            }
            Err(refusal) => Some(format!("{name}: {}", words_of(refusal))),
        }
    }

    async fn asks(&mut self, count: usize, words: &[&str]) -> Vec<String> {
        let mut tally = BTreeMap::<String, usize>::new();
        for _ in 0..count {
            let outcome = match self.enter(words) {
                Ok((task, _visit)) => task.await.unwrap().map(|mut in_flight| {
                    in_flight.note_tried();
                    in_flight.note_answered(200);
                    in_flight.endpoint().name.clone()
                }),
                Err(refusal) => Err(refusal),
            };
            *tally.entry(outcome.unwrap_or_else(words_of)).or_default() += 1;
        }
        tally.into_iter().map(|(what, count)| format!("{count} × {what}")).collect()
    }

    /// Lets everything run that can, and tells which requests came somewhere.
    async fn settle(&mut self) -> Vec<String> {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let done: Vec<_> =
            self.waiting.iter().filter(|(_, (task, _))| task.is_finished()).map(|(name, _)| name.clone()).collect();
        let mut told = Vec::new();
        for name in done {
            let (task, visit) = self.waiting.remove(&name).unwrap();
            match task.await.unwrap() {
                Ok(in_flight) => {
                    told.push(format!("{name} goes to {}", in_flight.endpoint().name));
                    self.open.insert(name, (in_flight, visit));
                }
                Err(refusal) => told.push(format!("{name}: {}", words_of(refusal))),
            }
        }
        told
    }

    fn probed(&self, instance: &str, ready: bool) -> Vec<String> {
        let probed = self.proxy.live.probed();
        let found: &Arc<LiveEndpoint> = &probed.iter().find(|(at, _)| at.name == instance).expect("an instance").0;
        found.set_ready(ready);
        if ready {
            found.readmit();
            self.proxy.live.changed.notify_waiters();
        }
        Vec::new()
    }

    fn set(&mut self, instance: &str, state: EndpointState) -> Vec<String> {
        self.config.generation += 1;
        let endpoints = self.config.routes.iter_mut().flat_map(|route| &mut route.endpoints);
        endpoints.filter(|at| at.name == instance).for_each(|at| at.state = state);
        self.proxy.live.replace(&self.config, Telling::default(), &mut self.registry);
        Vec::new()
    }
}

fn words_of(refusal: Refusal) -> String {
    let response = refusal.response(None, Tongue::Http, false);
    let retry =
        response.headers().get("retry-after").map(|seconds| format!(", retry after {}", seconds.to_str().unwrap()));
    format!("{} {}{}", response.status().as_u16(), refusal.reason(), retry.unwrap_or_default())
}
