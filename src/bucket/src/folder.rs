//! Folders of buckets that are mounted: what a content store asks for, one request at a time. Whoever asks tries again.

use crate::{
    connect::{Connection, Identity, OSS},
    fault::BucketError,
};
use async_trait::async_trait;
use aws_sdk_s3::{
    config::http::{HttpRequest, HttpResponse},
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{ChecksumType, ServerSideEncryption},
};
use bytes::Bytes;
use std::{collections::BTreeMap, ops::Range, sync::Arc};
use wharf_content::{Body, Checksum, Depot, Fault, Object, Source};
use wharf_model::{BucketMount, BucketSpec, ObjectStore, SecretName};

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

impl Depot for BucketDepot {
    fn open(&self, mount: &BucketMount) -> Result<Arc<dyn Source>, Fault> {
        let identity = match &mount.keys {
            None => Identity::Found,
            Some(keys) => self.keys.get(&keys.access).cloned().ok_or_else(|| Fault::Refused {
                said: format!("the values of the secrets {} and {} are not known", keys.access, keys.secret),
                help: "make their sources available to the one who runs wharf".to_owned(),
            })?,
        };
        Ok(Arc::new(BucketFolder::new(mount, identity)?))
    }
}

/// A folder of a bucket.
#[derive(Debug)]
pub struct BucketFolder {
    bucket: String,
    /// What the names of its objects begin with; ends with a slash unless it is empty.
    prefix: String,
    place: String,
    connection: Connection,
}

impl BucketFolder {
    /// The folder of a mount. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// When nobody has said where the server is.
    pub fn new(mount: &BucketMount, identity: Identity) -> Result<Self, Fault> {
        let (bucket, folder) = mount.path.split_once('/').unwrap_or((&mount.path, ""));
        let folder = folder.trim_matches('/');
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

/// Where the server is. Every region of Alibaba Cloud's has one of its own.
fn endpoint(mount: &BucketMount) -> Result<Option<String>, Fault> {
    match (mount.store, &mount.endpoint, &mount.region) {
        (_, Some(endpoint), _) => Ok(Some(endpoint.to_string())),
        (ObjectStore::S3, None, _) => Ok(None),
        (ObjectStore::Oss, None, Some(region)) => {
            Ok(Some(format!("https://oss-{}{OSS}", region.strip_prefix("oss-").unwrap_or(region))))
        }
        (ObjectStore::Oss, None, None) => Err(Fault::Refused {
            said: "nobody has said in which region it is".to_owned(),
            help: "add `region=\"cn-hangzhou\"`, say, or `endpoint=\"https://…\"`".to_owned(),
        }),
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
        let found = ask.customize().mutate_request(want_checksum).send().await.map_err(|error| self.refused(error))?;
        is_same(object, found.e_tag())?;
        Ok(Sums {
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
        let asked = ask.customize().mutate_request(want_checksum).send().await;
        let found = asked.map_err(|error| self.refused(error))?;
        // That is asked of the answer and not of the server, as not every server understands conditions.
        is_same(object, found.e_tag())?;
        if found.content_length().and_then(|length| u64::try_from(length).ok()) != Some(range.end - range.start) {
            return Err(Fault::Passing("its answer is not as long as what was asked for".to_owned()));
        }
        let checksum = Sums {
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

/// The SDK is not told that sums are wanted, or it would compute them as well.
fn want_checksum(request: &mut HttpRequest) {
    request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
}

fn is_same(object: &Object, tag: Option<&str>) -> Result<(), Fault> {
    // There are servers without tags.
    let same = object.tag.is_empty() || tag.is_none_or(|tag| tag.trim_matches('"') == object.tag);
    if same { Ok(()) } else { Err(Fault::Changed) }
}

/// What an answer says of the sums of an object.
struct Sums<'a> {
    crc64nvme: Option<&'a str>,
    crc32c: Option<&'a str>,
    crc32: Option<&'a str>,
    kind: Option<&'a ChecksumType>,
    encryption: Option<&'a ServerSideEncryption>,
    own_key: Option<&'a str>,
}

impl Sums<'_> {
    /// The quickest sum of the whole object; none when all there is are sums of its parts.
    fn checksum(&self, object: &Object) -> Option<Checksum> {
        // Where nothing is said, the sum of an object that was uploaded in parts may be one of their sums.
        let in_parts = object.tag.contains('-');
        let whole = self.kind.map_or(!in_parts, |kind| *kind == ChecksumType::FullObject);
        let wide = |text: &str| Some(Checksum::Crc64Nvme(u64::from_be_bytes(base64(text)?.try_into().ok()?)));
        let narrow = |text: &str| Some(u32::from_be_bytes(base64(text)?.try_into().ok()?));
        let sums = self.crc32c.and_then(narrow).map(Checksum::Crc32c);
        let sums = sums.or_else(|| self.crc32.and_then(narrow).map(Checksum::Crc32));
        // The tag of an object that was encrypted with a key of somebody's says nothing of its bytes.
        let plain = self.own_key.is_none() && self.encryption.is_none_or(|with| *with == ServerSideEncryption::Aes256);
        let md5 = || hex::decode(&object.tag).ok()?.try_into().ok().map(Checksum::Md5);
        // This kind is never of parts.
        let best = self.crc64nvme.and_then(wide).or(sums.filter(|_| whole));
        best.or_else(|| if plain { md5() } else { None })
    }
}

/// The bytes that a text of Base64 stands for; none when it is no such text.
fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == letter)?;
        bits = (bits << 6 | u32::try_from(digit).ok()?) & 0xff_ffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(base64("Zm9v-2"), None);
    }

    #[test]
    fn only_sums_of_whole_objects_count() {
        let object = Object { key: "a".to_owned(), size: 9, tag: "25f9e794323b453885f5181f1b624d0b".to_owned() };
        assert!(matches!(none_at_all().checksum(&object), Some(Checksum::Md5(_))));
        let whole = Sums { crc32: Some("y/Q5Jg=="), ..none_at_all() };
        assert_eq!(whole.checksum(&object), Some(Checksum::Crc32(0xcbf4_3926)));
        let parts = Sums { kind: Some(&ChecksumType::Composite), ..whole };
        assert!(matches!(parts.checksum(&object), Some(Checksum::Md5(_))));
        let in_parts = Object { tag: "x-2".to_owned(), ..object.clone() };
        assert_eq!(Sums { crc32: Some("y/Q5Jg=="), ..none_at_all() }.checksum(&in_parts), None);
        let parts = Object { tag: "25f9e794323b453885f5181f1b624d0b-2".to_owned(), ..object.clone() };
        assert_eq!(none_at_all().checksum(&parts), None);
        let locked = Sums { encryption: Some(&ServerSideEncryption::AwsKms), ..none_at_all() };
        assert_eq!(locked.checksum(&object), None);
    }

    fn none_at_all() -> Sums<'static> {
        Sums { crc64nvme: None, crc32c: None, crc32: None, kind: None, encryption: None, own_key: None }
    }
}
