//! Whether a request carries a token that its route accepts.
//!
//! Only digests are known. The presented token is hashed and compared with every digest of the route in constant
//! time, so how long the answer takes says nothing about how close a guess was or which token it was close to.

use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use crate::live::LiveToken;

/// SHA-256 of a token.
pub(crate) type TokenHash = [u8; 32];

/// Who a caller turned out to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// Anybody: the route is open.
    Anybody,
    /// The one who has this token.
    Known(&'a LiveToken),
}

impl<'a> Caller<'a> {
    pub(crate) fn token(self) -> Option<&'a LiveToken> {
        match self {
            Self::Anybody => None,
            Self::Known(token) => Some(token),
        }
    }
}

/// Who may pass: everybody where the route is open, else the one who `sent` a token in its `Authorization` header that it
/// accepts, raw or after `Bearer`. None: nobody.
pub(crate) fn admits<'a, 'v>(tokens: &'a [LiveToken], mut sent: impl Iterator<Item = &'v [u8]>) -> Option<Caller<'a>> {
    if tokens.is_empty() {
        return Some(Caller::Anybody);
    }
    let (Some(value), None) = (sent.next(), sent.next()) else { return None };
    let hash: TokenHash = Sha256::digest(presented(value)).into();
    let mut found = u32::MAX;
    for (number, token) in (0..).zip(tokens) {
        found.conditional_assign(&number, token.hash.ct_eq(&hash));
    }
    tokens.get(usize::try_from(found).ok()?).map(Caller::Known)
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
        let token = |token: &&str| LiveToken { name: (*token).into(), hash: Sha256::digest(token).into(), rate: None };
        let tokens: Vec<_> = accepted.iter().map(token).collect();
        let caller = admits(&tokens, sent.iter().map(|value| value.as_bytes()));
        assert_eq!(caller.is_some(), expected, "{sent:?} against {accepted:?}");
        if let Some(Caller::Known(token)) = caller {
            assert!(sent[0].ends_with(&*token.name));
        }
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
