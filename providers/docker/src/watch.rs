//! The supervisor of an environment: it holds the engine's socket, looks which instances there are that somebody must see
//! to, and has each attended by itself. It acts on nothing else, and listens nowhere.
//!
//! It ends when the engine does not answer for long: the engine starts it again, with the socket that there is then.

use crate::{
    book::Book,
    engine::{Eyes, Hands},
    labels::OfInstance,
    ward::Ward,
};
use bollard::models::ContainerSummary;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
    task::{AbortHandle, JoinSet},
};
use wharf_provider::Owner;

/// How often it is looked without anything having happened.
const EVERY: Duration = Duration::from_secs(5);

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may not answer before this ends.
const SILENCE: Duration = Duration::from_secs(15);

/// How long it is waited after something happened or failed: more may come.
const PAUSE: Duration = Duration::from_millis(50);

/// Supervises the environment's instances until it is told to end.
pub(crate) async fn watch(owner: &Owner, socket: &str, book: &Book) -> Result<(), Box<dyn Error>> {
    let hands = Hands::of(Eyes::of(&format!("unix://{socket}"), None, &[])?);
    let mut ended = signal(SignalKind::terminate())?;
    let mut watch = Watch { owner, hands, book, wards: BTreeMap::new(), tasks: JoinSet::new() };
    tokio::select! {
        failed = watch.go_on() => failed,
        _ = ended.recv() => Ok(()),
    }
}

/// Those that are attended, by the ids of their containers, with the bell that calls them.
type Wards = BTreeMap<String, (AbortHandle, Arc<Notify>)>;

struct Watch<'a> {
    owner: &'a Owner,
    hands: Hands,
    book: &'a Book,
    wards: Wards,
    tasks: JoinSet<()>,
}

impl Watch<'_> {
    async fn go_on(&mut self) -> Result<(), Box<dyn Error>> {
        let (mut watching, mut heard) = (false, Instant::now());
        let mut events = self.events();
        loop {
            match tokio::time::timeout(PATIENCE, self.look()).await {
                Ok(Ok(())) => heard = Instant::now(),
                Ok(Err(error)) if heard.elapsed() > SILENCE => return Err(error),
                Err(late) if heard.elapsed() > SILENCE => return Err(late.into()),
                Ok(Err(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
            if !watching && heard.elapsed() < PAUSE {
                self.book.watch()?;
                watching = true;
            }
            tokio::select! {
                event = events.next() => {
                    tokio::time::sleep(PAUSE).await;
                    if !matches!(event, Some(Ok(()))) || !take_ready(&mut events) {
                        events = self.events();
                    }
                }
                () = tokio::time::sleep(EVERY) => {}
            }
            forget_ended(&mut self.tasks, &mut self.wards);
        }
    }

    /// Something happens to a container of the environment. What it is shows by a look.
    fn events(&self) -> Pin<Box<dyn Stream<Item = Result<(), ()>> + Send>> {
        self.hands.events(self.owner).map(|event| event.map(drop).map_err(drop)).boxed()
    }

    async fn look(&mut self) -> Result<(), Box<dyn Error>> {
        // Before the containers: what is written of an instance was written when it was there.
        let written = self.book.instances()?;
        let found = self.hands.containers(self.owner).await?;
        let all: BTreeMap<String, OfInstance> = found.iter().filter_map(|one| self.instance(one)).collect();
        let names: BTreeSet<String> = all.values().map(|labels| labels.instance.to_string()).collect();
        written.iter().filter(|name| !names.contains(*name)).for_each(|name| self.book.forget(name));
        self.wards.retain(|id, (task, bell)| {
            bell.notify_one();
            let there = all.contains_key(id);
            if !there {
                task.abort();
            }
            there
        });
        for (id, labels) in all {
            if let (Some(care), false) = (labels.care, self.wards.contains_key(&id)) {
                let bell = Arc::<Notify>::default();
                let ward = Ward {
                    hands: self.hands.clone(),
                    book: self.book.clone(),
                    container: id.clone(),
                    name: labels.instance.to_string(),
                    care,
                    address: labels.endpoint,
                    bell: bell.clone(),
                };
                self.wards.insert(id, (self.tasks.spawn(ward.attend()), bell));
            }
        }
        Ok(())
    }

    fn instance(&self, container: &ContainerSummary) -> Option<(String, OfInstance)> {
        let labels = OfInstance::read(container.labels.as_ref()?, self.owner)?;
        Some((container.id.clone()?, labels))
    }
}

/// Takes what has happened in the meantime: one look shows it all. Answers whether more can be heard of.
fn take_ready(events: &mut (impl Stream<Item = Result<(), ()>> + Unpin)) -> bool {
    loop {
        match events.next().now_or_never() {
            None => return true,
            Some(Some(Ok(()))) => {}
            Some(Some(Err(())) | None) => return false,
        }
    }
}

/// Forgets those whose care has ended: where the instance is there still, as something went wrong, the next look attends
/// it again.
fn forget_ended(tasks: &mut JoinSet<()>, wards: &mut Wards) {
    while let Some(ended) = tasks.try_join_next_with_id() {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "the care for an instance ended");
                }
                error.id()
            }
        };
        wards.retain(|_, (task, _)| task.id() != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    #[test]
    fn what_happened_at_once_takes_one_look() {
        let mut events = stream::iter([Ok(()); 2_000]).chain(stream::pending());
        assert!(take_ready(&mut events));
        assert_eq!(events.next().now_or_never(), None);
        assert!(!take_ready(&mut stream::iter([Ok(()), Err(()), Ok(())])));
        assert!(!take_ready(&mut stream::iter([Ok(())])));
    }

    #[tokio::test]
    async fn one_whose_care_went_wrong_is_attended_again() {
        let (mut tasks, mut wards) = (JoinSet::new(), Wards::new());
        let bell = Arc::<Notify>::default();
        wards.insert("well".to_owned(), (tasks.spawn(std::future::pending()), bell.clone()));
        let ill = tasks.spawn(async { panic!("it went wrong") });
        wards.insert("ill".to_owned(), (ill.clone(), bell));
        while !ill.is_finished() {
            tokio::task::yield_now().await;
        }
        forget_ended(&mut tasks, &mut wards);
        assert_eq!(wards.keys().collect::<Vec<_>>(), ["well"]);
    }
}
