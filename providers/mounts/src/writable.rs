//! Copies that instances write to: what a runtime has to keep beside such an instance, to send back what it wrote when it
//! ends, even where the files do not name the mount any more.

use crate::{Copies, answer};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wharf_content::{Baseline, Batch, Fault, Patience, SendError, Sent, lay_out};
use wharf_model::{BucketKeys, BucketMount, ContentDigest, ContentRef, Launch, ObjectStore, SourceError};
use wharf_provider::ProviderError;

/// A mount of an instance that it may write to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writable {
    /// Where the instance sees it.
    pub target: PathBuf,
    content: String,
    store: String,
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// The secrets that hold the id of the key that opens it, and that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<[String; 2]>,
}

impl Writable {
    /// The copies that an instance is to write to.
    pub fn of(launch: &Launch) -> Vec<Self> {
        let writable = |(path, content): (&wharf_model::MountPath, ContentRef)| {
            let mount = launch.revision.template.mounts.get(path)?.as_written()?;
            let ContentRef::Bucket(content) = content else { return None };
            let text = |text: &Option<std::sync::Arc<str>>| text.as_ref().map(ToString::to_string);
            let keys = mount.keys.as_ref().map(|keys| [keys.access.to_string(), keys.secret.to_string()]);
            Some(Self {
                target: path.as_str().into(),
                content: content.to_string(),
                store: mount.store.as_str().to_owned(),
                path: mount.path.to_string(),
                endpoint: text(&mount.endpoint),
                region: text(&mount.region),
                keys,
            })
        };
        launch.copies().filter_map(writable).collect()
    }

    /// Of what the copy is.
    ///
    /// # Errors
    /// When that is no content.
    pub fn content(&self) -> io::Result<ContentDigest> {
        self.content.parse().map_err(|_| io::Error::other(format!("`{}` is no content", self.content)))
    }

    fn mount(&self) -> Option<BucketMount> {
        let text = |text: &Option<String>| text.as_deref().map(Into::into);
        let keys = match &self.keys {
            None => None,
            Some([access, secret]) => Some(BucketKeys { access: access.parse().ok()?, secret: secret.parse().ok()? }),
        };
        Some(BucketMount {
            store: ObjectStore::of_word(&self.store)?,
            path: self.path.as_str().into(),
            endpoint: text(&self.endpoint),
            region: text(&self.region),
            mode: None,
            read_only: false,
            live: false,
            keys,
        })
    }
}

impl Copies {
    /// Makes the copy of an instance that it may write to. One that was begun is made anew. Blocks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn lay_out(&self, writable: &Writable, to: &Path) -> io::Result<()> {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        lay_out(&self.store, writable.content()?, to)
    }

    /// What a copy began with.
    ///
    /// # Errors
    /// When that cannot be told any more.
    pub fn baseline(&self, writable: &Writable) -> Result<Baseline, ProviderError> {
        let known = writable.content().and_then(|content| Baseline::of(&self.store, content));
        known.map_err(|error| ProviderError::Rejected {
            attempt: format!(
                "cannot tell what was written at {}: what the copy of {} was made from is not in {} any more",
                writable.target.display(),
                writable.path,
                self.root().display()
            ),
            help: "take what is needed out of it by hand, then remove the instance".to_owned(),
            source: Some(Box::new(error)),
        })
    }

    /// Looks below `folder` for what was written and has not gone back. Blocks.
    ///
    /// # Errors
    /// When files cannot be read, or are too large to be sent.
    pub fn look(
        &self,
        writable: &Writable,
        baseline: &Baseline,
        folder: &Path,
        sent: Sent,
    ) -> Result<Batch, ProviderError> {
        let refused = |error: SendError| writable.refused(error, "");
        Batch::look(&writable.path, folder, baseline, sent).map_err(refused)
    }

    /// Sends back what was found, and answers what is there by us afterwards. `out` is how somebody gets at what was written,
    /// or gives it up.
    ///
    /// # Errors
    /// When something is in conflict or cannot be sent. All else was sent.
    pub async fn send_back(&self, writable: &Writable, batch: Batch, out: &str) -> Result<Sent, ProviderError> {
        let unknown = || Fault::Refused { said: "it is no bucket".to_owned(), help: "apply again".to_owned() };
        let opened = writable.mount().ok_or_else(unknown).and_then(|mount| self.depot.open_to_write(&mount));
        let sink = opened.map_err(|fault| {
            let SourceError { help, .. } = answer(&writable.path, fault.clone());
            let attempt = format!("{}: {fault}", writable.attempt());
            ProviderError::Rejected { attempt, help: and(help, out), source: None }
        })?;
        batch.send(sink, self.connections, Patience::LONG).await.map_err(|error| writable.refused(error, out))
    }
}

impl Writable {
    fn attempt(&self) -> String {
        format!("cannot send back what was written at {}", self.target.display())
    }

    /// For people: how many files went where.
    pub fn went(&self, count: usize) -> String {
        let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        format!("{files} written at {} went back to {}", self.target.display(), self.path)
    }

    fn refused(&self, error: SendError, out: &str) -> ProviderError {
        let (attempt, help) = (format!("{}: {error}", self.attempt()), and(error.help(), out));
        match error {
            SendError::Unreachable { .. } => ProviderError::Unreachable { attempt, retry_after: None, source: None },
            SendError::Conflicts { .. } => ProviderError::Conflict { attempt, help },
            SendError::Disk { source, .. } => ProviderError::Rejected { attempt, help, source: Some(Box::new(source)) },
            SendError::TooLarge { .. } | SendError::Refused { .. } => {
                ProviderError::Rejected { attempt, help, source: None }
            }
        }
    }
}

fn and(help: String, out: &str) -> String {
    if out.is_empty() { help } else { format!("{help}; {out}") }
}
