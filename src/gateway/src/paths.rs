//! Which route a path belongs to, and what is left of the path behind it.
//!
//! A prefix matches on segment boundaries, the longest one wins, and bytes are compared as they were sent: no
//! decoding, no normalising, because what the service sees must be what was matched. A plain value without I/O.

use std::collections::HashMap;

/// Prefixes and what they lead to.
#[derive(Debug)]
pub(crate) struct Paths<T> {
    by_prefix: HashMap<Box<str>, T>,
    /// Nothing longer can match, so a hostile path full of slashes costs no more than this.
    longest: usize,
}

/// What a path led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Match<'a, T> {
    pub(crate) target: &'a T,
    /// How many bytes of the path the prefix covers.
    pub(crate) covered: usize,
}

impl<T> Paths<T> {
    pub(crate) fn new(prefixes: impl IntoIterator<Item = (String, T)>) -> Self {
        let by_prefix: HashMap<Box<str>, T> =
            prefixes.into_iter().map(|(prefix, target)| (prefix.trim_end_matches('/').into(), target)).collect();
        let longest = by_prefix.keys().map(|prefix| prefix.len()).max().unwrap_or(0);
        Self { by_prefix, longest }
    }

    /// Finds the longest prefix of `path`, which is without its query.
    pub(crate) fn find(&self, path: &str) -> Option<Match<'_, T>> {
        if !path.starts_with('/') {
            return None;
        }
        let mut end = path.len();
        loop {
            if end <= self.longest
                && let Some(target) = self.by_prefix.get(&path[..end])
            {
                return Some(Match { target, covered: end });
            }
            end = path[..end].rfind('/')?;
        }
    }
}

/// What the service sees of `path_and_query` once a prefix of `covered` bytes is taken off it. Borrows where the rest
/// is a path already.
pub(crate) fn rest(path_and_query: &str, covered: usize) -> std::borrow::Cow<'_, str> {
    let rest = &path_and_query[covered..];
    if rest.starts_with('/') { rest.into() } else { format!("/{rest}").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Routes `request` among some prefixes; `expected` is the prefix and what the service sees, or nothing.
    fn check(prefixes: &[&str], request: &str, expected: Option<(&str, &str)>) {
        let paths = Paths::new(prefixes.iter().map(|prefix| ((*prefix).to_owned(), *prefix)));
        let path = request.split('?').next().unwrap();
        let found = paths.find(path).map(|found| (*found.target, rest(request, found.covered)));
        assert_eq!(found, expected.map(|(prefix, rest)| (prefix, rest.into())), "{request} among {prefixes:?}");
    }

    #[test]
    fn the_prefix_is_stripped() {
        let hello = &["/api/predict/hello"];
        check(hello, "/api/predict/hello", Some((hello[0], "/")));
        check(hello, "/api/predict/hello/", Some((hello[0], "/")));
        check(hello, "/api/predict/hello?a=/b", Some((hello[0], "/?a=/b")));
        check(hello, "/api/predict/hello/v1/models?x=1", Some((hello[0], "/v1/models?x=1")));
    }

    #[test]
    fn segments_match_as_wholes() {
        check(&["/chat"], "/chatty", None);
        check(&["/chat"], "/cha", None);
        check(&["/chat"], "/x/chat", None);
    }

    #[test]
    fn the_longest_prefix_wins() {
        let both = &["/chat", "/chat/admin"];
        check(both, "/chat/admin/users", Some(("/chat/admin", "/users")));
        check(both, "/chat/administrator", Some(("/chat", "/administrator")));
    }

    #[test]
    fn the_root_takes_the_rest() {
        let both = &["/", "/chat"];
        check(both, "/", Some(("/", "/")));
        check(both, "/other/x", Some(("/", "/other/x")));
        check(both, "/chat", Some(("/chat", "/")));
        check(both, "*", None);
    }

    #[test]
    fn nothing_is_decoded_or_normalised() {
        check(&["/chat"], "/ch%61t", None);
        check(&["/chat"], "/chat/%2e%2e/%2Fx", Some(("/chat", "/%2e%2e/%2Fx")));
        check(&["/chat"], "/chat//a", Some(("/chat", "//a")));
        check(&["/chat"], "//chat", None);
    }
}
