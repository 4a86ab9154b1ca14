//! Whether a request carries a token that its route accepts.
//!
//! Only digests are known. The presented token is hashed and compared with every digest of the route in constant
//! time, so how long the answer takes says nothing about how close a guess was or which token it was close to.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// Whether the request may pass: the route is open, or the one `Authorization` header carries a token it accepts, raw
/// or after `Bearer`.
pub(crate) fn admits(tokens: &[TokenHash], headers: &HeaderMap) -> bool {
    if tokens.is_empty() {
        return true;
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let hash: TokenHash = Sha256::digest(presented(value.as_bytes())).into();
    let any = tokens.iter().fold(Choice::from(0), |any, token| any | token.ct_eq(&hash));
    any.into()
}

/// The token within the header's value.
fn presented(value: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"Bearer ";
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token.trim_ascii_start(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accepted: &[&str], sent: &[&str], expected: bool) {
        let tokens: Vec<TokenHash> = accepted.iter().map(|token| Sha256::digest(token).into()).collect();
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(admits(&tokens, &headers), expected, "{sent:?} against {accepted:?}");
    }

    #[test]
    fn an_open_route_admits_everyone() {
        check(&[], &[], true);
        check(&[], &["whatever"], true);
    }

    #[test]
    fn a_token_is_sent_raw_or_as_bearer() {
        check(&["s3cret"], &["s3cret"], true);
        check(&["s3cret"], &["Bearer s3cret"], true);
        check(&["s3cret"], &["bearer s3cret"], true);
        check(&["s3cret"], &["Basic s3cret"], false);
    }

    #[test]
    fn any_of_the_tokens_will_do() {
        check(&["old", "new"], &["old"], true);
        check(&["old", "new"], &["new"], true);
        check(&["old", "new"], &["newer"], false);
    }

    #[test]
    fn nothing_else_will() {
        check(&["s3cret"], &[], false);
        check(&["s3cret"], &[""], false);
        check(&["s3cret"], &["s3cret", "s3cret"], false);
        check(&["s3cret"], &["S3CRET"], false);
    }
}
