//! Folders of buckets, for every runtime that keeps copies of them on this host: a look lists one, and a call brings a copy
//! into the host's store, under a name that the runtime gives it. The copy is kept for as long as that name is there.
//!
//! Where the name is, who sees the copy, and when the name goes, is for the runtimes. So it is with the copies that
//! instances write to: this lays them out and sends back what was written.

mod served;
mod writable;

pub use served::{REMEMBERED, rclone};
pub use writable::Writable;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use wharf_content::{Depot, Fault, Fetch, FetchError, Listing, NameProblem, Patience, Store, Throttle, fetch};
use wharf_model::{BucketMount, ContentDigest, CopyLimits, Fetching, SourceError, SourcePin, Turnover};
use wharf_provider::{OpContext, ProviderError};

/// How many requests there are at once for one folder, unless the host says how many for all.
const CONNECTIONS: usize = 8;
/// Less patience than for a download: somebody waits for the plan.
const LOOK: Patience = Patience { tries: 4, ..Patience::LONG };

/// The copies that this host keeps, and who opens what they are copied from.
#[derive(Debug, Clone)]
pub struct Copies {
    store: Store,
    depot: Arc<dyn Depot>,
    connections: usize,
    throttle: Throttle,
    /// What looks have listed, until it is brought: a folder of many files takes long to list.
    listed: Arc<Mutex<BTreeMap<ContentDigest, Listing>>>,
}

impl Copies {
    /// Those below a folder, which is made when something is first kept. All that is brought keeps to the limits together.
    pub fn new(root: PathBuf, depot: Arc<dyn Depot>, limits: &CopyLimits) -> Self {
        let store = Store::at(root).keeping_free(limits.room);
        let connections = limits.connections.map_or(CONNECTIONS, |most| usize::from(most.get()));
        Self { store, depot, connections, throttle: Throttle::new(limits), listed: Arc::default() }
    }

    fn listed(&self) -> MutexGuard<'_, BTreeMap<ContentDigest, Listing>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder that they are in.
    pub fn root(&self) -> &Path {
        self.store.root()
    }

    /// Where the files of a copy are once it is whole.
    pub fn place(&self, content: ContentDigest) -> PathBuf {
        self.store.place(content)
    }

    /// Whether a copy is here, whole, and the name leads to it.
    pub fn has(&self, content: ContentDigest, name: &Path) -> bool {
        name.exists() && self.store.find(content).is_some()
    }

    /// What the folder holds, from one listing, and what it would take to bring it.
    ///
    /// # Errors
    /// When it cannot be listed, holds nothing, or holds what no folder can.
    pub async fn pin(&self, mount: &BucketMount) -> Result<SourcePin, SourceError> {
        let source = self.depot.open(mount).map_err(|fault| answer(&mount.path, fault))?;
        let objects = LOOK.with(|| source.list()).await.map_err(|fault| answer(source.place(), fault))?;
        if objects.is_empty() && mount.read_only {
            let attempt = format!("there is nothing in {}", source.place());
            return Err(SourceError {
                attempt,
                help: "upload its files, or correct the name of the folder".to_owned(),
            });
        }
        let listing = Listing::of(source.place(), objects).map_err(|problems| unfit(source.place(), &problems))?;
        let (store, copies) = (self.store.clone(), self.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let bytes = store.missing(&listing)?;
            let since = store.turnovers(&listing)?;
            let since = since.into_iter().map(|(content, turnover)| (content, told(turnover))).collect();
            let (content, files) = (listing.digest(), listing.files().count() as u64);
            let pin = SourcePin { content, files, bytes: listing.bytes(), fetch: Some(Fetching { bytes, since }) };
            if bytes > 0 {
                copies.listed().insert(content, listing);
            }
            Ok(pin)
        });
        let looked = looked.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        looked.map_err(|error: io::Error| SourceError {
            attempt: format!("cannot look at what is kept in {}: {error}", self.root().display()),
            help: "see that the user who runs wharf may do so, and try again".to_owned(),
        })
    }

    /// Brings a copy of the folder, if it still holds that content, and lets the name lead to it. The folder that the
    /// name is in is made. Doing it again changes nothing, and what is cut off is taken up.
    ///
    /// # Errors
    /// When the folder holds something else by now, or cannot be brought.
    pub async fn bring(
        &self,
        content: ContentDigest,
        mount: &BucketMount,
        name: &Path,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        if self.has(content, name) {
            return Ok(());
        }
        let source = self.depot.open(mount).map_err(|fault| {
            let SourceError { attempt, help } = answer(&mount.path, fault);
            ProviderError::Rejected { attempt, help, source: None }
        })?;
        let say = |words| cx.say(words);
        let order = Fetch {
            store: &self.store,
            source,
            content,
            listing: self.listed().remove(&content),
            name,
            connections: self.connections,
            throttle: &self.throttle,
            patience: Patience::LONG,
            say: &say,
        };
        fetch(&order).await.map_err(error)
    }
}

fn told(turnover: wharf_content::Turnover) -> Turnover {
    let names = |names: Vec<String>| names.into_iter().map(Into::into).collect();
    let wharf_content::Turnover { added, changed, removed } = turnover;
    Turnover { added: names(added), changed: names(changed), removed: names(removed) }
}

fn answer(place: &str, fault: Fault) -> SourceError {
    let help = match &fault {
        Fault::Refused { help, .. } => help.clone(),
        Fault::Changed | Fault::Missing => "correct the name of the folder".to_owned(),
        Fault::Passing(_) => "see that the server is right and the network is there, then try again".to_owned(),
    };
    SourceError { attempt: format!("cannot list {place}: {fault}"), help }
}

fn unfit(place: &str, problems: &[NameProblem]) -> SourceError {
    let all: Vec<_> = problems.iter().take(5).map(ToString::to_string).collect();
    let help = problems.first().map_or("", NameProblem::help).to_owned();
    SourceError { attempt: format!("{place} cannot be mounted as a folder: {}", all.join("; ")), help }
}

fn error(error: FetchError) -> ProviderError {
    let (attempt, help) = (error.to_string(), error.help());
    match error {
        FetchError::Unreachable { .. } => ProviderError::Unreachable { attempt, retry_after: None, source: None },
        FetchError::Missing { .. } => ProviderError::Missing { attempt, help },
        FetchError::Disk { source, .. } => ProviderError::Rejected { attempt, help, source: Some(Box::new(source)) },
        FetchError::Changed { .. }
        | FetchError::Refused { .. }
        | FetchError::Corrupt { .. }
        | FetchError::Names { .. }
        | FetchError::NoRoom { .. } => ProviderError::Rejected { attempt, help, source: None },
    }
}
