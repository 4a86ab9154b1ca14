//! A store's two halves: one that only reads, and one that holds the lease and writes.

use crate::{
    Backend, Commit, Created, Entry, Epoch, FolderBackend, Holder, Journal, Lease, Look, Made, Patience, Presence,
    Requests, StoreError, Want, commit,
    journal::{self, JournalId, Lines},
    lease, moving, retention,
};
use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use wharf_model::{EnvironmentName, Intent, IntentId, Lineage, ProjectName, Record, SecretKey, Wanted};

/// An environment's record, as it stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The number of the last commit; 0 when there is none.
    pub serial: u64,
    /// The last commit, with the journals behind it absorbed.
    pub record: Record,
    /// Calls that were about to be made, and of which nobody wrote down what came of them.
    pub unresolved: Vec<Intent>,
    /// What the applies that wrote the journals set out to make.
    pub wanted: Wanted,
    /// Whether there is anything behind the last commit.
    pub has_journal: bool,
    /// The number for the next intent.
    pub next_intent: IntentId,
    /// How much of each journal is in the record, in bytes.
    absorbed: BTreeMap<String, u64>,
}

/// The read half. It cannot write: it holds nothing that could.
#[derive(Debug, Clone)]
pub struct Reader {
    look: Arc<dyn Look>,
    project: ProjectName,
    environment: EnvironmentName,
}

impl Reader {
    /// A reader of the store in a folder, which need not exist.
    pub fn new(dir: impl Into<PathBuf>, project: ProjectName, environment: EnvironmentName) -> Self {
        Self::over(Arc::new(FolderBackend::new(dir)), project, environment)
    }

    /// A reader of any store.
    pub fn over(look: Arc<dyn Look>, project: ProjectName, environment: EnvironmentName) -> Self {
        Self { look, project, environment }
    }

    pub(crate) fn look(&self) -> &dyn Look {
        &*self.look
    }

    /// Reads the record as it stands. A store that does not exist is an empty record.
    ///
    /// # Errors
    /// When something cannot be read or is not what was written.
    pub fn read(&self) -> Result<Standing, StoreError> {
        moving::check(&*self.look)?;
        self.standing()
    }

    /// The record as it stands here, wherever it went.
    pub(crate) fn standing(&self) -> Result<Standing, StoreError> {
        let newest = commit::newest(&*self.look)?;
        let mut absorbed = BTreeMap::new();
        let mut standing = match newest {
            Some(commit) => {
                absorbed = commit.absorbed;
                Standing::at(commit.serial, commit.record)
            }
            None => Standing::at(0, Record::empty(self.project.clone(), self.environment.clone())),
        };
        for (id, key) in journal::all(&*self.look)? {
            if id.serial == standing.serial {
                let lines = journal::read(&*self.look, &key)?;
                standing.absorb(&key, lines);
            } else if id.serial + 1 == standing.serial && !absorbed.is_empty() {
                let lines = journal::read(&*self.look, &key)?;
                standing.doubt(lines, absorbed.get(&key).copied().unwrap_or(0));
            }
        }
        Ok(standing)
    }

    /// The numbers of the commits that are kept, in order.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn serials(&self) -> Result<Vec<u64>, StoreError> {
        moving::check(&*self.look)?;
        commit::serials(&*self.look)
    }

    /// A commit; none when it is not kept.
    ///
    /// # Errors
    /// When it cannot be read or is not what was written.
    pub fn commit(&self, serial: u64) -> Result<Option<Commit>, StoreError> {
        commit::read(&*self.look, serial)
    }

    /// How the lease stands, and whether its holder is seen at work; none when nobody ever held it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lease(&self) -> Result<Option<(Lease, Presence)>, StoreError> {
        let Some(lease) = lease::read(&*self.look)? else { return Ok(None) };
        let near = lease.holder.is_near(&Holder::this(String::new(), "", wharf_model::Timestamp(0)));
        let presence = match self.look.presence()? {
            // Of those elsewhere this machine knows nothing.
            Presence::Nobody if !near => Presence::Unknown,
            presence => presence,
        };
        Ok(Some((lease, presence)))
    }

    /// The key of the secrets' digests; none before the first write.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn key(&self) -> Result<Option<SecretKey>, StoreError> {
        let Some(bytes) = self.look.read(KEY)? else { return Ok(None) };
        match <[u8; 32]>::try_from(bytes) {
            Ok(bytes) => Ok(Some(SecretKey::new(bytes))),
            Err(_) => Err(StoreError::Damaged { at: self.look.place(KEY), problem: "a key has 32 bytes".to_owned() }),
        }
    }
}

pub(crate) const KEY: &str = "key";

impl Standing {
    fn at(serial: u64, record: Record) -> Self {
        Self {
            serial,
            record,
            unresolved: Vec::new(),
            wanted: Wanted::default(),
            has_journal: false,
            next_intent: IntentId(1),
            absorbed: BTreeMap::new(),
        }
    }

    /// Takes in a journal behind the last commit.
    fn absorb(&mut self, key: &str, lines: Lines) {
        self.has_journal |= !lines.lines.is_empty();
        self.absorbed.insert(key.to_owned(), lines.whole());
        for line in lines.lines {
            match line.entry {
                Entry::Begin(_) => {}
                Entry::Want(want) => self.want(*want),
                Entry::Intent(intent) => self.intended(intent),
                Entry::Done { intent, effect } => {
                    self.unresolved.retain(|open| open.id != intent);
                    self.record.absorb(&effect, &self.wanted);
                }
                Entry::Failed { intent, .. } => self.unresolved.retain(|open| open.id != intent),
                Entry::Note(effect) => self.record.absorb(&effect, &self.wanted),
            }
        }
    }

    /// Takes in a journal behind the commit before the last: what somebody wrote there whose lease was lost, and who was
    /// overtaken. Its calls are looked into afresh, whatever it says came of them.
    fn doubt(&mut self, lines: Lines, known: u64) {
        for (line, end) in lines.lines.into_iter().zip(lines.ends) {
            match line.entry {
                Entry::Want(want) => self.want(*want),
                Entry::Intent(intent) if end > known => {
                    self.has_journal = true;
                    self.intended(intent);
                }
                _ => {}
            }
        }
    }

    fn want(&mut self, want: Want) {
        match want {
            Want::Gateway(name, spec) => drop(self.wanted.gateways.insert(name, spec)),
            Want::Route(spec) => {
                drop(self.wanted.routes.insert((spec.gateway.clone(), spec.service.clone()), spec));
            }
            Want::Object(address, object) => drop(self.wanted.objects.insert(address, object)),
            Want::Service(name, spec, revision) => drop(self.wanted.services.insert(name, (*spec, revision))),
        }
    }

    fn intended(&mut self, intent: Intent) {
        self.next_intent = self.next_intent.max(IntentId(intent.id.0.saturating_add(1)));
        self.unresolved.push(intent);
    }
}

/// The write half: holds the lease for as long as it lives.
#[derive(Debug)]
pub struct Writer {
    backend: Arc<dyn Backend>,
    reader: Reader,
    lineage: Lineage,
    serial: u64,
    /// How much of the journals behind the last commit was read.
    absorbed: BTreeMap<String, u64>,
    /// How long our own journal behind it is.
    own: Arc<AtomicU64>,
    lease: lease::Held,
}

impl Writer {
    /// Takes the lease and makes what a first write needs: the key.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the holder, when another has the lease and patience has run out; otherwise when the
    /// backend does not do what is asked.
    pub fn open(
        backend: Arc<dyn Backend>,
        project: ProjectName,
        environment: EnvironmentName,
        holder: &Holder,
        mut patience: Patience<'_>,
    ) -> Result<Self, StoreError> {
        let lease = lease::acquire(&backend, holder, &mut patience)?;
        moving::check(&*backend)?;
        let reader = Reader::over(backend.clone(), project, environment);
        if reader.key()?.is_none() {
            // One that was made meanwhile is as good.
            let _made: Created = backend.create(KEY, &random::<32>()?)?;
        }
        let (lineage, serial) = match commit::newest(&*backend)? {
            Some(newest) => (newest.lineage, newest.serial),
            None => (Lineage(hex::encode(random::<16>()?).into()), 0),
        };
        let writer = Self { backend, reader, lineage, serial, absorbed: BTreeMap::new(), own: Arc::default(), lease };
        writer.requests().clear_before()?;
        Ok(writer)
    }

    /// The read half.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Which turn of the lease this is.
    pub fn epoch(&self) -> Epoch {
        self.lease.epoch()
    }

    /// What others ask of us.
    pub fn requests(&self) -> Requests {
        Requests::of(self.backend.clone(), self.epoch())
    }

    /// Reads the record as it stands: what the next commit is to be made from.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(&mut self) -> Result<Standing, StoreError> {
        let standing = self.reader.read()?;
        self.absorbed.clone_from(&standing.absorbed);
        Ok(standing)
    }

    /// Opens our journal behind the last commit.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let id = self.journal_id();
        Journal::open(self.backend.clone(), id, self.lease.pulse().clone(), self.own.clone())
    }

    fn journal_id(&self) -> JournalId {
        JournalId { serial: self.serial, epoch: self.lease.epoch() }
    }

    /// Makes the next commit, with all that was read and written in our own journal in it. The journal behind it is empty.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] when another writer made it, whatever the lease said.
    pub fn commit(&mut self, record: &Record, made: Made) -> Result<u64, StoreError> {
        self.lease.pulse().check()?;
        let mut absorbed = std::mem::take(&mut self.absorbed);
        let own = self.own.swap(0, Ordering::SeqCst);
        if own > 0 {
            absorbed.insert(self.journal_id().key(), own);
        }
        let serial = self.serial + 1;
        let (lineage, record) = (self.lineage.clone(), record.clone());
        commit::create(&*self.backend, &Commit { serial, lineage, made: Some(made), absorbed, record })?;
        self.serial = serial;
        Ok(serial)
    }

    /// Removes commits and journals that are too old to be of use; never one that a rollback needs. Nothing is lost when
    /// it ends on the way.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn prune(&self, keep: usize) -> Result<usize, StoreError> {
        retention::prune(&*self.backend, keep)
    }
}

/// What came of taking a lease away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// Nobody held it.
    Nobody,
    /// It was taken away from its holder, who notices at the next sign of life and begins nothing more.
    From(Lease),
    /// Its holder is seen at work on this machine: end the process instead, and the lease ends with it.
    AtWork(Lease),
}

/// Takes the lease away from whoever holds it.
///
/// # Errors
/// When it cannot be read or ended.
pub fn release(backend: Arc<dyn Backend>, reader: &Reader) -> Result<Released, StoreError> {
    match reader.lease()? {
        None => Ok(Released::Nobody),
        Some((lease, _)) if lease.ended => Ok(Released::Nobody),
        Some((lease, Presence::Somebody)) => Ok(Released::AtWork(lease)),
        Some((lease, Presence::Nobody | Presence::Unknown)) => {
            lease::release(&*backend, lease.epoch)?;
            Ok(Released::From(lease))
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Random(io::Error::other(error.to_string())))?;
    Ok(bytes)
}
