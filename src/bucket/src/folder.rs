//! Folders of buckets that are mounted: what a content store asks for, one request at a time. Whoever asks tries again.

use crate::{
    client::forbid,
    connect::{Connection, Identity, is_oss},
    fault::BucketError,
    sums::{Heard, Sums, want_checksum},
};
use async_trait::async_trait;
use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range, path::Path, sync::Arc};
use wharf_content::{Body, Checksum, Depot, Fault, Known, Object, Sink, Source};
use wharf_model::{BucketMount, BucketSpec, ObjectStore, SecretName};

/// Where an object that an instance wrote says what its bytes are.
const WRITTEN: &str = "wharf-written-blake3";

/// Opens folders of buckets, with the keys that a mount names or as whoever is found here.
#[derive(Debug, Clone, Default)]
pub struct BucketDepot {
    keys: BTreeMap<SecretName, Identity>,
}

impl BucketDepot {
    /// One that knows the values of secrets.
    pub fn new<'a>(
        mounts: impl Iterator<Item = &'a BucketMount>,
        value: impl Fn(&SecretName) -> Option<String>,
    ) -> Self {
        let known = mounts.filter_map(|mount| {
            let keys = mount.keys.as_ref()?;
            Some((keys.access.clone(), Identity::given(&value(&keys.access)?, &value(&keys.secret)?)))
        });
        Self { keys: known.collect() }
    }
}

impl BucketDepot {
    fn folder(&self, mount: &BucketMount) -> Result<BucketFolder, Fault> {
        let identity = match &mount.keys {
            None => Identity::Found,
            Some(keys) => self.keys.get(&keys.access).cloned().ok_or_else(|| Fault::Refused {
                said: format!("the values of the secrets {} and {} are not known", keys.access, keys.secret),
                help: "make their sources available to the one who runs wharf".to_owned(),
            })?,
        };
        BucketFolder::new(mount, identity)
    }
}

impl Depot for BucketDepot {
    fn open(&self, mount: &BucketMount) -> Result<Arc<dyn Source>, Fault> {
        Ok(Arc::new(self.folder(mount)?))
    }

    fn open_to_write(&self, mount: &BucketMount) -> Result<Arc<dyn Sink>, Fault> {
        Ok(Arc::new(self.folder(mount)?))
    }
}

/// A folder of a bucket.
#[derive(Debug)]
pub struct BucketFolder {
    bucket: String,
    /// What the names of its objects begin with; ends with a slash unless it is empty.
    prefix: String,
    place: String,
    /// Whether overwriting is forbidden by a header of its own, as Alibaba Cloud has it.
    forbids: bool,
    connection: Connection,
}

impl BucketFolder {
    /// The folder of a mount. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// When nobody has said where the server is.
    pub fn new(mount: &BucketMount, identity: Identity) -> Result<Self, Fault> {
        let (bucket, folder) = mount.bucket_and_folder();
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let endpoint = endpoint(mount)?;
        let at = endpoint.as_deref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        let spec = BucketSpec {
            bucket: bucket.into(),
            prefix: None,
            region: mount.region.clone(),
            endpoint: endpoint.map(Into::into),
            style: None,
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            place: format!("{}://{bucket}/{prefix}{at}", mount.store.as_str()),
            prefix,
            forbids: is_oss(&spec),
            connection: Connection::new(spec, identity),
        })
    }

    async fn page(&self, next: Option<String>) -> Result<(Vec<Object>, Option<String>), Fault> {
        let sdk = self.connection.get().await.map_err(fault)?;
        let ask = sdk.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix).set_continuation_token(next);
        let page = ask.send().await.map_err(|error| self.refused(error))?;
        let objects = page.contents().iter().filter_map(|object| {
            let key = object.key()?.strip_prefix(&self.prefix)?;
            let size = object.size().and_then(|size| u64::try_from(size).ok())?;
            let tag = object.e_tag().unwrap_or_default().trim_matches('"').to_owned();
            // The folder itself may be listed.
            (!key.is_empty()).then(|| Object { key: key.to_owned(), size, tag })
        });
        let next = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
        Ok((objects.collect(), next))
    }

    async fn standing(&self, key: &str) -> Result<Option<Standing>, Fault> {
        let sdk = self.connection.get().await.map_err(fault)?;
        let ask = sdk.head_object().bucket(&self.bucket).key(format!("{}{key}", self.prefix));
        match ask.send().await.map_err(|error| self.refused(error)) {
            Ok(found) => {
                let hash = found.metadata().and_then(|kept| kept.get(WRITTEN)).cloned();
                Ok(Some(Standing { tag: found.e_tag().map(str::to_owned), hash }))
            }
            Err(Fault::Missing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// What a refusal means for one object, or for the folder.
    fn refused<E>(&self, error: SdkError<E, HttpResponse>) -> Fault
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let gone = error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404);
        match BucketError::of(&self.bucket, error) {
            BucketError::Refused { .. } if gone => Fault::Missing,
            error => fault(error),
        }
    }
}

/// Where the server is.
fn endpoint(mount: &BucketMount) -> Result<Option<String>, Fault> {
    match (mount.store, mount.server()) {
        (ObjectStore::Oss, None) => Err(Fault::Refused {
            said: "nobody has said in which region it is".to_owned(),
            help: "add `region=\"cn-hangzhou\"`, say, or `endpoint=\"https://…\"`".to_owned(),
        }),
        (_, server) => Ok(server),
    }
}

/// The same for those who know of no buckets.
fn fault(error: BucketError) -> Fault {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let said = format!("{error}{cause}");
    if error.passes() {
        return Fault::Passing(said);
    }
    let help = match &error {
        BucketError::NoCredentials { .. } => format!(
            "name the secrets that hold its key, `access-key=(secret)\"…\" secret-key=(secret)\"…\"`, or {}",
            error.help()
        ),
        BucketError::NoRegion { .. } => {
            "add `region=`, or set AWS_REGION; a server that is not Amazon's also needs `endpoint=`".to_owned()
        }
        BucketError::Denied { bucket, unknown: false, .. } => format!(
            "give these credentials the right to list and read objects of `{bucket}` (s3:ListBucket, s3:GetObject), or \
             use others"
        ),
        error => error.help(),
    };
    Fault::Refused { said, help }
}

#[async_trait]
impl Source for BucketFolder {
    fn place(&self) -> &str {
        &self.place
    }

    async fn list(&self) -> Result<Vec<Object>, Fault> {
        let (mut objects, mut next) = (Vec::new(), None);
        loop {
            let (found, more) = self.page(next).await?;
            objects.extend(found);
            next = more;
            if next.is_none() {
                return Ok(objects);
            }
        }
    }

    async fn checksum(&self, object: &Object) -> Result<Option<Checksum>, Fault> {
        let sdk = self.connection.get().await.map_err(fault)?;
        let ask = sdk.head_object().bucket(&self.bucket).key(format!("{}{}", self.prefix, object.key));
        let heard = Heard::default();
        let asked = ask.customize().mutate_request(want_checksum).interceptor(heard.clone()).send().await;
        let found = asked.map_err(|error| self.refused(error))?;
        is_same(object, found.e_tag())?;
        Ok(Sums {
            crc64ecma: heard.crc64ecma(),
            crc64nvme: found.checksum_crc64_nvme(),
            crc32c: found.checksum_crc32_c(),
            crc32: found.checksum_crc32(),
            kind: found.checksum_type(),
            encryption: found.server_side_encryption(),
            own_key: found.sse_customer_algorithm(),
        }
        .checksum(object))
    }

    async fn get(&self, object: &Object, range: Range<u64>) -> Result<Box<dyn Body>, Fault> {
        let sdk = self.connection.get().await.map_err(fault)?;
        let mut ask = sdk.get_object().bucket(&self.bucket).key(format!("{}{}", self.prefix, object.key));
        if range != (0..object.size) {
            ask = ask.range(format!("bytes={}-{}", range.start, range.end - 1));
        }
        let heard = Heard::default();
        let asked = ask.customize().mutate_request(want_checksum).interceptor(heard.clone()).send().await;
        let found = asked.map_err(|error| self.refused(error))?;
        // That is asked of the answer and not of the server, as not every server understands conditions.
        is_same(object, found.e_tag())?;
        if found.content_length().and_then(|length| u64::try_from(length).ok()) != Some(range.end - range.start) {
            return Err(Fault::Passing("its answer is not as long as what was asked for".to_owned()));
        }
        let checksum = Sums {
            crc64ecma: heard.crc64ecma(),
            crc64nvme: found.checksum_crc64_nvme(),
            crc32c: found.checksum_crc32_c(),
            crc32: found.checksum_crc32(),
            kind: found.checksum_type(),
            encryption: found.server_side_encryption(),
            own_key: found.sse_customer_algorithm(),
        }
        .checksum(object);
        Ok(Box::new(Arriving { body: found.body, checksum }))
    }
}

#[async_trait]
impl Sink for BucketFolder {
    async fn put(&self, key: &str, known: Known<'_>, file: &Path, hash: &str) -> Result<(), Fault> {
        // It is looked at first, as there are servers that understand no condition.
        let condition = match self.standing(key).await? {
            Some(there) if there.hash.as_deref() == Some(hash) => return Ok(()),
            Some(there) if there.hash.as_ref().is_some_and(|hash| known.ours.contains(hash)) => {
                Condition::Same(there.tag)
            }
            Some(there) => {
                is_same(known.listed.ok_or(Fault::Changed)?, there.tag.as_deref())?;
                Condition::Same(there.tag)
            }
            None => Condition::Nothing,
        };
        let sdk = self.connection.get().await.map_err(fault)?;
        let body = ByteStream::from_path(file).await.map_err(|error| Fault::Refused {
            said: format!("{} cannot be read: {error}", file.display()),
            help: "let the program write files that whoever runs wharf may read; then apply again".to_owned(),
        })?;
        let put = sdk.put_object().bucket(&self.bucket).key(format!("{}{key}", self.prefix));
        let put = put.metadata(WRITTEN, hash).body(body);
        let sent = match condition {
            // It knows no condition for what is there; it was looked at a moment ago.
            Condition::Same(_) if self.forbids => put.send().await,
            Condition::Nothing if self.forbids => put.customize().mutate_request(forbid).send().await,
            Condition::Same(tag) => put.set_if_match(tag).send().await,
            Condition::Nothing => put.if_none_match("*").send().await,
        };
        let Err(error) = sent else { return Ok(()) };
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        let code = error.as_service_error().and_then(|error| error.meta().code());
        match (status, code) {
            // An answer may have been lost on the way, and this be the second time that it was sent.
            (Some(412), _) | (_, Some("FileAlreadyExists")) => match self.standing(key).await? {
                Some(there) if there.hash.as_deref() == Some(hash) => Ok(()),
                _ => Err(Fault::Changed),
            },
            _ => Err(match BucketError::of(&self.bucket, error) {
                denied @ BucketError::Denied { unknown: false, .. } => Fault::Refused {
                    said: denied.to_string(),
                    help: format!(
                        "give these credentials the right to write objects of `{}` (s3:PutObject), or use others",
                        self.bucket
                    ),
                },
                error => fault(error),
            }),
        }
    }
}

/// On what an object is written.
enum Condition {
    /// That nothing is there.
    Nothing,
    /// That there is what has this tag.
    Same(Option<String>),
}

/// What is there before something is written.
struct Standing {
    tag: Option<String>,
    /// What was written there last, if that was written by us.
    hash: Option<String>,
}

fn is_same(object: &Object, tag: Option<&str>) -> Result<(), Fault> {
    // There are servers without tags.
    let same = object.tag.is_empty() || tag.is_none_or(|tag| tag.trim_matches('"') == object.tag);
    if same { Ok(()) } else { Err(Fault::Changed) }
}

/// The body of an answer.
struct Arriving {
    body: ByteStream,
    checksum: Option<Checksum>,
}

#[async_trait]
impl Body for Arriving {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        self.body.next().await.transpose().map_err(|error| Fault::Passing(format!("its answer broke off: {error}")))
    }

    fn checksum(&self) -> Option<Checksum> {
        self.checksum
    }
}
