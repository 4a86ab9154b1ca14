//! One instance in the care of a supervisor: through each life of its program, and between them.
//!
//! What checks say together is for `wharf_serving::Vitals`, how long it is waited before a program is started again for
//! `wharf_serving::Course`. What is known is in the book at every moment, so a supervisor that comes after this one goes
//! on with the same life.

use crate::{
    book::{Book, Fate, Health},
    engine::Hands,
    error, gpus, labels, observe,
};
use bollard::{
    container::LogOutput,
    errors::Error as EngineError,
    exec::StartExecResults,
    models::{ContainerInspectResponse, ContainerStateStatusEnum as Status},
};
use futures_util::StreamExt as _;
use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Notify;
use wharf_model::Exit;
use wharf_serving::{Care, Heard, How, Kind, Next, StoredRestarts, Vitals};

/// How long it is waited for something to happen that nobody told of.
const LONG: Duration = Duration::from_secs(2);

/// How long it is waited after a call failed.
const AGAIN: Duration = Duration::from_secs(1);

/// So much of what a check prints is read.
const PRINTED: usize = 4 << 10;

type Answer<T> = Result<T, EngineError>;

/// One instance.
pub(crate) struct Ward {
    pub(crate) hands: Hands,
    pub(crate) book: Book,
    /// The id of its container.
    pub(crate) container: String,
    pub(crate) name: String,
    pub(crate) care: Care,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Called when something may have happened to it.
    pub(crate) bell: Arc<Notify>,
}

impl Ward {
    /// Sees to it until it is no more.
    pub(crate) async fn attend(self) {
        loop {
            match self.turn().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(instance = self.name, %error, "the engine does not answer");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Sees to one life, or to what comes after it; answers whether the instance is there.
    async fn turn(&self) -> Answer<bool> {
        let Some(found) = self.hands.container(&self.container).await? else { return Ok(false) };
        let state = found.state.clone().unwrap_or_default();
        let life = state.started_at.clone().unwrap_or_default();
        match state.status {
            Some(Status::RUNNING | Status::PAUSED) => self.see_a_life(life).await?,
            Some(Status::EXITED | Status::DEAD) => self.see_an_end(life, found).await?,
            _ => self.wait().await,
        }
        Ok(true)
    }

    async fn wait(&self) {
        drop(tokio::time::timeout(LONG, self.bell.notified()).await);
    }

    /// What is known of this life.
    fn known(&self, life: String) -> Health {
        match self.book.read(&self.name) {
            Some(known) if known.life == life => known,
            Some(before) => before.begun(life),
            None => Health::default().begun(life),
        }
    }

    fn write(&self, health: &Health) {
        if let Err(error) = self.book.write(&self.name, health) {
            tracing::warn!(instance = self.name, %error, "cannot write down what is known of it");
        }
        if let Some(ready) = health.ready.as_ref().filter(|_| self.care.tells_readiness())
            && let Err(error) = self.book.tell(&self.name, ready)
        {
            tracing::warn!(instance = self.name, %error, "cannot tell whether it is ready");
        }
    }

    /// Makes the checks of a life until its program ends, or must.
    async fn see_a_life(&self, life: String) -> Answer<()> {
        // Why it had to end is of the life before, also where whoever was to end it was ended first.
        let health = Health { fate: None, unfit: None, ..self.known(life) };
        let lived = moment(&health.life).map_or(Duration::ZERO, |began| now().saturating_sub(began));
        let vitals = match health.up {
            true => Vitals::resumed(self.care.clone(), millis(lived), health.ready.clone()),
            false => Vitals::new(self.care.clone(), 0),
        };
        let life = Life {
            ward: self,
            lived,
            begin: Instant::now(),
            vitals: Mutex::new(vitals),
            health: Mutex::new(health),
            up: Notify::new(),
            programs: Mutex::default(),
        };
        life.publish();
        let [first, second] = Kind::LANES;
        let why = tokio::select! {
            why = life.ask(first) => why,
            why = life.ask(second) => why,
            ended = self.hands.wait(&self.container) => return ended.map(drop),
        };
        life.must_end(why);
        self.hands.signal(&self.container, "SIGKILL").await?;
        self.hands.wait(&self.container).await.map(drop)
    }

    /// Starts a program that has ended again, if it is wanted.
    async fn see_an_end(&self, life: String, found: ContainerInspectResponse) -> Answer<()> {
        let mut health = self.known(life);
        let seat = found.config.as_ref().and_then(|config| labels::seat(config.labels.as_ref()?));
        let pause = match health.fate {
            Some(_) => Duration::ZERO,
            None => self.decide(&mut health, found),
        };
        if health.fate == Some(Fate::Down) {
            self.wait().await;
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        if !self.book.wanted(&self.name) {
            health.fate = Some(Fate::Down);
            self.write(&health);
            return Ok(());
        }
        if let Some(seat) = seat
            && let Some((rival, card)) = gpus::rival(&self.hands, &self.container, &seat).await?
        {
            let why = format!("{rival} holds its seat on {card} now");
            self.write(&Health { fate: Some(Fate::Down), unfit: Some(why), ..health });
            return Ok(());
        }
        let started = error::absent(self.hands.start(&self.container).await);
        if started.is_err() {
            // The engine has written down why, and that counts as an end of its own.
            self.write(&Health { fate: None, unfit: None, ..health });
        }
        started.map(drop)
    }

    /// Decides what becomes of a program that has ended, and writes it down; answers how long it is to be waited.
    fn decide(&self, health: &mut Health, found: ContainerInspectResponse) -> Duration {
        let limit = found.host_config.and_then(|host| host.memory);
        let state = found.state.unwrap_or_default();
        let times = (state.started_at.as_deref().and_then(moment), state.finished_at.as_deref().and_then(moment));
        let lived = match (times, &state.error) {
            ((Some(began), Some(ended)), error) if error.as_deref().unwrap_or("").is_empty() => {
                ended.saturating_sub(began)
            }
            // It did not begin.
            _ => Duration::ZERO,
        };
        let exit = health.unfit.clone().map_or_else(|| observe::exit(state, limit), Exit::Unhealthy);
        let because = exit.to_string();
        let mut pause = Duration::ZERO;
        health.fate = Some(Fate::Down);
        if !self.care.stays_down && self.book.wanted(&self.name) {
            let (next, at) = (health.course.after(lived), millis(now()));
            self.book.log(&health.course.line(&self.name, at, &because, lived, next));
            if let Next::Again { after, .. } = next {
                health.restarts = Some(StoredRestarts::of(&health.course, because.clone(), at));
                health.fate = Some(Fate::Again);
                pause = after;
            }
        }
        health.ready = Some(Heard { passed: false, words: because });
        self.write(health);
        pause
    }
}

/// One life of a program.
struct Life<'a> {
    ward: &'a Ward,
    /// How long it had lived when this began to watch.
    lived: Duration,
    begin: Instant,
    vitals: Mutex<Vitals>,
    health: Mutex<Health>,
    /// Called when the start may be over, and so other checks due.
    up: Notify,
    /// The programs that were run last as checks, by the engine's names for them.
    programs: Mutex<BTreeMap<Kind, String>>,
}

impl Life<'_> {
    fn vitals(&self) -> MutexGuard<'_, Vitals> {
        self.vitals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn age(&self) -> Duration {
        self.lived + self.begin.elapsed()
    }

    /// Asks the checks of a lane until the program must end; answers why.
    async fn ask(&self, lane: [Kind; 2]) -> String {
        let (mut chance, state) = (0_u64, RandomState::new());
        loop {
            let due = self.vitals().due(&lane);
            let Some((kind, at)) = due else {
                self.up.notified().await;
                continue;
            };
            tokio::time::sleep(Duration::from_millis(at).saturating_sub(self.age())).await;
            let asked = millis(self.age());
            let heard = self.hear(kind).await;
            chance = state.hash_one(chance);
            let dead = self.vitals().note(kind, heard, asked, chance);
            self.publish();
            self.up.notify_waiters();
            if let Some(why) = dead {
                return why;
            }
        }
    }

    /// Writes down what is known now, where that is something else than before.
    fn publish(&self) {
        let vitals = self.vitals();
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Health {
            up: vitals.is_up(),
            ready: self.ward.care.tells_readiness().then(|| vitals.ready()),
            checks: vitals.last().map(|(kind, heard)| (kind, heard.clone())).collect(),
            ..health.clone()
        };
        if next != *health || health.checks.is_empty() {
            self.ward.write(&next);
            *health = next;
        }
    }

    fn must_end(&self, why: String) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        health.unfit = Some(why);
        self.ward.write(&health);
    }

    async fn hear(&self, kind: Kind) -> Heard {
        let asking = self.vitals().asking(kind).cloned();
        let Some(asking) = asking else { return Heard { passed: false, words: "there is no such check".to_owned() } };
        match &asking.how {
            How::Port(check) => {
                let port = asking.port.unwrap_or(self.ward.address.port());
                let address = SocketAddr::new(self.ward.address.ip(), port);
                let answer = wharf_gateway::probe(check, address, asking.timeout()).await;
                Heard { passed: answer.passed(), words: answer.to_string() }
            }
            How::Exec(words) => self.run(kind, words, asking.timeout()).await,
        }
    }

    /// Runs a program in the instance. The engine ends none that hangs, so of each kind there is one at a time.
    async fn run(&self, kind: Kind, words: &[String], timeout: Duration) -> Heard {
        let failed = |words: String| Heard { passed: false, words };
        let program = words.first().map_or("", String::as_str);
        let hands = &self.ward.hands;
        let before = self.programs().get(&kind).cloned();
        if let Some(before) = before
            && hands.program(&before).await.is_ok_and(|program| program.running == Some(true))
        {
            tokio::time::sleep(timeout).await;
            return failed(format!("the `{program}` that was run before has not ended yet"));
        }
        let ran = async {
            let (id, begun) = hands.check(&self.ward.container, words).await?;
            self.programs().insert(kind, id.clone());
            let printed = printed(begun).await?;
            loop {
                let program = hands.program(&id).await?;
                if let (Some(false), Some(code)) = (program.running, program.exit_code) {
                    return Ok((code, printed));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(timeout, ran).await {
            Ok(Ok((code, printed))) => Heard::ran(code == 0, format!("exited with code {code}"), &printed),
            Ok(Err(error)) => {
                let error: EngineError = error;
                failed(format!("cannot run `{program}`: {error}"))
            }
            Err(_) => failed(format!("no answer within {timeout:?}")),
        }
    }

    fn programs(&self) -> MutexGuard<'_, BTreeMap<Kind, String>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of what a program prints, once it has ended.
async fn printed(begun: StartExecResults) -> Answer<Vec<u8>> {
    let mut printed = Vec::new();
    if let StartExecResults::Attached { mut output, input: _input } = begun {
        while let Some(piece) = output.next().await {
            let piece = LogOutput::into_bytes(piece?);
            printed.extend_from_slice(&piece[..piece.len().min(PRINTED - printed.len())]);
        }
    }
    Ok(printed)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in the engine's words, since the Unix epoch.
pub(crate) fn moment(text: &str) -> Option<Duration> {
    let at = text.parse::<jiff::Timestamp>().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Duration::from_millis)
}
