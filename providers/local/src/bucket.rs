//! Folders of buckets: a look lists one, and a call brings a copy into the host's store, under a name among the contents of
//! this environment. The copy is kept for as long as that name is there.

use crate::{
    content::{keep_labels, labels},
    error::{disk, off_the_loop},
    files,
    provider::LocalReader,
};
use std::{io, sync::Arc};
use wharf_content::{Fault, Fetch, FetchError, Listing, NameProblem, Patience, fetch};
use wharf_model::{Address, BucketMount, ContentRef, Fetching, SourceError, SourcePin, Turnover};
use wharf_provider::{OpContext, ProviderError};

/// How many requests there are at once for one folder.
const CONNECTIONS: usize = 8;
/// Less patience than for a download: somebody waits for the plan.
const LOOK: Patience = Patience { tries: 4, ..Patience::LONG };

/// What the folder holds, from one listing, and what it would take to bring it.
pub(crate) async fn pin(reader: &LocalReader, mount: &BucketMount) -> Result<SourcePin, SourceError> {
    let source = reader.depot.open(mount).map_err(|fault| answer(&mount.path, fault))?;
    let objects = LOOK.with(|| source.list()).await.map_err(|fault| answer(source.place(), fault))?;
    if objects.is_empty() {
        let attempt = format!("there is nothing in {}", source.place());
        return Err(SourceError { attempt, help: "upload its files, or correct the name of the folder".to_owned() });
    }
    let listing = Listing::of(source.place(), objects).map_err(|problems| unfit(source.place(), &problems))?;
    let store = reader.store.clone();
    let looked = off_the_loop(move || {
        let bytes = store.missing(&listing)?;
        let since = store.turnovers(&listing)?;
        let since = since.into_iter().map(|(content, turnover)| (content, told(turnover))).collect();
        let (content, files) = (listing.digest(), listing.files().count() as u64);
        Ok(SourcePin { content, files, bytes: listing.bytes(), fetch: Some(Fetching { bytes, since }) })
    });
    looked.await.map_err(|error: io::Error| SourceError {
        attempt: format!("cannot look at what is kept in {}: {error}", reader.store.root().display()),
        help: "see that the user who runs wharf may do so, and try again".to_owned(),
    })
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

/// Brings a copy of the folder, if it is still listed as that content.
pub(crate) async fn prepare(
    reader: &LocalReader,
    address: &Address,
    content: ContentRef,
    mount: &BucketMount,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    let ContentRef::Bucket(digest) = content else { unreachable!("the planner pairs them") };
    let name = reader.layout.content(content);
    if !name.exists() {
        files::private_folder(&reader.layout.contents()).map_err(disk(format!("cannot make {}", name.display())))?;
        let source = reader.depot.open(mount).map_err(|fault| {
            let SourceError { attempt, help } = answer(&mount.path, fault);
            ProviderError::Rejected { attempt, help, source: None }
        })?;
        let say = |words| cx.say(words);
        let order = Fetch {
            store: &reader.store,
            source: Arc::clone(&source),
            content: digest,
            name: &name,
            connections: CONNECTIONS,
            patience: Patience::LONG,
            say: &say,
        };
        fetch(&order).await.map_err(error)?;
    }
    keep_labels(&name, &labels(reader, address, cx))
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
