//! What servers say of the sums of objects, and which of them are of use: those of the whole object.

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, http::HttpRequest,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
    types::{ChecksumType, ServerSideEncryption},
};
use std::sync::{Arc, OnceLock};
use wharf_content::{Checksum, Object};

/// Where Alibaba Cloud's servers say the sum of a whole object, whatever part of it was asked for.
const ECMA: &str = "x-oss-hash-crc64ecma";

/// The SDK is not told that sums are wanted, or it would compute them as well.
pub(crate) fn want_checksum(request: &mut HttpRequest) {
    request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
}

/// What an answer says that the SDK does not know of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<OnceLock<u64>>);

impl Heard {
    pub(crate) fn crc64ecma(&self) -> Option<u64> {
        self.0.get().copied()
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let said = context.response().headers().get(ECMA).and_then(|said| said.parse().ok());
        if let Some(sum) = said {
            self.0.get_or_init(|| sum);
        }
        Ok(())
    }
}

/// What an answer says of the sums of an object.
pub(crate) struct Sums<'a> {
    pub(crate) crc64ecma: Option<u64>,
    pub(crate) crc64nvme: Option<&'a str>,
    pub(crate) crc32c: Option<&'a str>,
    pub(crate) crc32: Option<&'a str>,
    pub(crate) kind: Option<&'a ChecksumType>,
    pub(crate) encryption: Option<&'a ServerSideEncryption>,
    pub(crate) own_key: Option<&'a str>,
}

impl Sums<'_> {
    /// The quickest sum of the whole object; none when all there is are sums of its parts.
    pub(crate) fn checksum(&self, object: &Object) -> Option<Checksum> {
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
        // These kinds are never of parts.
        let ecma = self.crc64ecma.map(Checksum::Crc64Ecma);
        let best = self.crc64nvme.and_then(wide).or(ecma).or(sums.filter(|_| whole));
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
        let oss = Sums { crc64ecma: Some(7), ..none_at_all() };
        assert_eq!(oss.checksum(&in_parts), Some(Checksum::Crc64Ecma(7)));
        let parts = Object { tag: "25f9e794323b453885f5181f1b624d0b-2".to_owned(), ..object.clone() };
        assert_eq!(none_at_all().checksum(&parts), None);
        let locked = Sums { encryption: Some(&ServerSideEncryption::AwsKms), ..none_at_all() };
        assert_eq!(locked.checksum(&object), None);
    }

    fn none_at_all() -> Sums<'static> {
        Sums {
            crc64ecma: None,
            crc64nvme: None,
            crc32c: None,
            crc32: None,
            kind: None,
            encryption: None,
            own_key: None,
        }
    }
}
