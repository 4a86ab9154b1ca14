//! The client: asks a server for one thing, again and again while that may help, and never forever.
//!
//! An object is made on the condition that there is none. The answer to that may be lost on the way and a later try be told
//! that there is one: ours. So each object carries a mark of the attempt that made it, and who is told so looks at the mark.

use crate::{
    connect::{Connection, Identity, is_oss},
    fault::{BucketError, Told},
};
use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use wharf_model::BucketSpec;
use wharf_store::Created;

/// Where an object says which attempt made it.
const MARK: &str = "wharf-made-by";
/// What a server of Alibaba Cloud takes for `If-None-Match: *`.
const FORBID: &str = "x-oss-forbid-overwrite";

/// How long is waited for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often one thing is tried.
    pub tries: u32,
    /// How long is paused after the first try; each pause is twice as long as the one before.
    pub pause: Duration,
    /// How long a server may say nothing.
    pub silence: Duration,
    /// How long one thing may take with all its tries, what is sent aside.
    pub whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // Less than a lease, so that a holder whose bucket does not answer learns of it in time.
        Self {
            tries: 6,
            pause: Duration::from_millis(100),
            silence: Duration::from_secs(4),
            whole: Duration::from_secs(12),
        }
    }
}

/// How a server is told to make an object only where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Making {
    /// By the condition that nothing matches.
    Conditionally,
    /// By the header of Alibaba Cloud's, which forbids overwriting.
    Forbidding,
}

/// The slowest line that a record is sent over.
const BYTES_PER_SECOND: u64 = 128 * 1024;

/// One bucket, from one prefix on. Keys are what comes behind the prefix.
#[derive(Debug)]
pub struct Client {
    spec: BucketSpec,
    patience: Patience,
    making: Making,
    connection: Connection,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// An object.
    Object(String),
    /// A folder: keys that go on behind a slash.
    Folder(String),
}

impl Client {
    /// A client of a bucket. Nothing is asked before something is needed.
    pub fn new(spec: BucketSpec, identity: Identity, patience: Patience) -> Self {
        let making = if is_oss(&spec) { Making::Forbidding } else { Making::Conditionally };
        let connection = Connection::new(spec.clone(), identity);
        Self { spec, patience, making, connection }
    }

    /// The same for a server whose address does not tell what it wants to be told.
    #[must_use]
    pub fn making(mut self, making: Making) -> Self {
        self.making = making;
        self
    }

    /// What it is a client of.
    pub fn spec(&self) -> &BucketSpec {
        &self.spec
    }

    fn full(&self, key: &str) -> String {
        self.spec.prefix.as_ref().map_or_else(|| key.to_owned(), |prefix| format!("{prefix}/{key}"))
    }

    fn short<'k>(&self, full: &'k str) -> Option<&'k str> {
        match &self.spec.prefix {
            Some(prefix) => full.strip_prefix(&**prefix)?.strip_prefix('/'),
            None => Some(full),
        }
    }

    fn broken(&self, why: impl Into<String>) -> BucketError {
        BucketError::broken(&self.spec.bucket, why)
    }

    /// Tries until it goes well, will never, or has been tried long enough.
    async fn patiently<T, F>(&self, bytes: u64, attempt: impl Fn() -> F) -> Result<T, BucketError>
    where
        F: Future<Output = Result<T, BucketError>>,
    {
        let Patience { tries, pause, silence, whole } = self.patience;
        let sending = Duration::from_secs(bytes / BYTES_PER_SECOND);
        let end = Instant::now() + whole + sending;
        let mut pause = pause;
        for left in (0..tries).rev() {
            let until = end.min(Instant::now() + silence + sending);
            let tried =
                timeout_at(until, attempt()).await.unwrap_or_else(|_| Err(self.broken("it did not answer in time")));
            match tried {
                Err(error) if error.passes() && left > 0 && Instant::now() + pause < end => sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        Err(self.broken("it was not tried"))
    }

    /// The bytes of an object; none when there is no such thing.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let Some((_, bytes)) = self.marked(key).await? else { return Ok(None) };
        Ok(Some(bytes))
    }

    /// An object with the mark of who made it.
    async fn marked(&self, key: &str) -> Result<Option<(String, Vec<u8>)>, BucketError> {
        let full = self.full(key);
        self.patiently(0, || async {
            let sdk = self.connection.get().await?;
            let asked = sdk.get_object().bucket(&*self.spec.bucket).key(&full).send().await;
            let mut found = match asked {
                Ok(found) => found,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
                Err(error) => return Err(BucketError::of(&self.spec.bucket, error)),
            };
            let mark = found.metadata.as_ref().and_then(|kept| kept.get(MARK)).cloned().unwrap_or_default();
            let bytes = self.collect(&mut found).await?;
            Ok(Some((mark, bytes)))
        })
        .await
    }

    /// Takes in the whole body; one that ends early is an error.
    async fn collect(&self, found: &mut GetObjectOutput) -> Result<Vec<u8>, BucketError> {
        let length = found.content_length.and_then(|length| usize::try_from(length).ok());
        let mut bytes = Vec::with_capacity(length.unwrap_or(0));
        while let Some(part) = timeout(self.patience.silence, found.body.next())
            .await
            .map_err(|_| self.broken("it stopped in the middle of an answer"))?
        {
            let part = part.map_err(|error| self.broken(format!("its answer broke off: {error}")))?;
            bytes.extend_from_slice(&part);
        }
        match length {
            Some(length) if length != bytes.len() => Err(self.broken("its answer broke off")),
            _ => Ok(bytes),
        }
    }

    /// Makes an object, unless there is one.
    ///
    /// # Errors
    /// When it cannot be made, or nobody can tell whether it was.
    pub async fn create(&self, key: &str, bytes: &[u8]) -> Result<Created, BucketError> {
        let mark = mark()?;
        let made = self.patiently(bytes.len() as u64, || self.try_create(key, bytes, &mark)).await;
        match made {
            Ok(Created::Now) => Ok(Created::Now),
            // It may be ours: an answer that was lost on the way, a request that was sent twice.
            Ok(Created::Before) => match self.marked(key).await? {
                Some((found, _)) if found == mark => Ok(Created::Now),
                _ => Ok(Created::Before),
            },
            Err(error) if error.passes() => match self.marked(key).await {
                Ok(Some((found, _))) if found == mark => Ok(Created::Now),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn try_create(&self, key: &str, bytes: &[u8], mark: &str) -> Result<Created, BucketError> {
        let sdk = self.connection.get().await?;
        let body = ByteStream::from(bytes.to_vec());
        let put = sdk.put_object().bucket(&*self.spec.bucket).key(self.full(key)).metadata(MARK, mark).body(body);
        let sent = if self.making == Making::Forbidding {
            put.customize().mutate_request(forbid).send().await
        } else {
            put.if_none_match("*").send().await
        };
        let Err(error) = sent else { return Ok(Created::Now) };
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = error.as_service_error().and_then(|error| error.meta().code());
        match (status, code) {
            (Some(412), _) | (_, Some("FileAlreadyExists")) => Ok(Created::Before),
            _ => Err(BucketError::of(&self.spec.bucket, error)),
        }
    }

    /// Removes an object. One that is not there is fine.
    ///
    /// # Errors
    /// When it cannot be removed, or nobody can tell whether it was.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let full = self.full(key);
        self.patiently(0, || async {
            let sdk = self.connection.get().await?;
            match sdk.delete_object().bucket(&*self.spec.bucket).key(&full).send().await {
                Ok(_) => Ok(()),
                Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                    match BucketError::of(&self.spec.bucket, error) {
                        missing @ BucketError::NoBucket { .. } => Err(missing),
                        _ => Ok(()),
                    }
                }
                Err(error) => Err(BucketError::of(&self.spec.bucket, error)),
            }
        })
        .await
    }

    /// What is right below a folder such as `commits`, in order.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, BucketError> {
        let prefix = self.full(&format!("{folder}/"));
        let (mut listed, mut next) = (Vec::new(), None::<String>);
        loop {
            let page = self
                .patiently(0, || async {
                    let sdk = self.connection.get().await?;
                    let ask = sdk.list_objects_v2().bucket(&*self.spec.bucket).prefix(&prefix).delimiter("/");
                    ask.set_continuation_token(next.clone())
                        .send()
                        .await
                        .map_err(|error| BucketError::of(&self.spec.bucket, error))
                })
                .await?;
            let objects = page.contents().iter().filter_map(|object| self.short(object.key()?));
            listed.extend(objects.map(|key| Listed::Object(key.to_owned())));
            let folders = page.common_prefixes().iter().filter_map(|found| self.short(found.prefix()?));
            listed.extend(folders.map(|key| Listed::Folder(key.trim_end_matches('/').to_owned())));
            next = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
            if next.is_none() {
                listed.sort_unstable();
                return Ok(listed);
            }
        }
    }
}

/// Has a server of Alibaba Cloud overwrite nothing.
pub(crate) fn forbid(request: &mut aws_sdk_s3::config::http::HttpRequest) {
    drop(request.headers_mut().insert(FORBID, "true"));
}

/// What no other attempt is marked with.
fn mark() -> Result<String, BucketError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| BucketError::Random(Told(error.to_string())))?;
    Ok(hex::encode(bytes))
}
