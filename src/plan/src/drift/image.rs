//! References of images: whether two may be the same image. A tag that a runtime has turned into a digest is still that
//! tag, as far as anybody can tell.

/// Registry and repository, tag, digest.
struct Reference<'a> {
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

const REGISTRY: &str = "docker.io";

impl<'a> Reference<'a> {
    fn read(text: &'a str) -> Self {
        let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
        let tail = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[tail..].rfind(':') {
            Some(colon) => (&rest[..tail + colon], Some(&rest[tail + colon + 1..])),
            None => (rest, None),
        };
        let repository = match name.split_once('/') {
            Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => name.to_owned(),
            Some(_) => format!("{REGISTRY}/{name}"),
            None => format!("{REGISTRY}/library/{name}"),
        };
        Self { repository, tag, digest }
    }

    /// The tag that counts: `latest` when nothing says which.
    fn tag(&self) -> Option<&'a str> {
        self.tag.or(if self.digest.is_none() { Some("latest") } else { None })
    }
}

/// Whether what the runtime names may be what was recorded.
pub(super) fn same(recorded: &str, observed: &str) -> bool {
    let (recorded, observed) = (Reference::read(recorded), Reference::read(observed));
    let differ = |one: Option<&str>, two: Option<&str>| one.is_some() && two.is_some() && one != two;
    recorded.repository == observed.repository
        && !differ(recorded.digest, observed.digest)
        && !differ(recorded.tag(), observed.tag())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(recorded: &str, observed: &str, expected: bool) {
        assert_eq!(same(recorded, observed), expected, "{recorded} {observed}");
    }

    #[test]
    fn a_tag_turned_into_a_digest_is_the_same() {
        check("example.com/a/b:1", "example.com/a/b:1@sha256:00", true);
        check("example.com/a/b:1", "example.com/a/b@sha256:00", true);
        check("example.com/a/b:1@sha256:00", "example.com/a/b@sha256:00", true);
        check("example.com/a/b@sha256:00", "example.com/a/b@sha256:01", false);
        check("example.com/a/b:1", "example.com/a/b:2@sha256:00", false);
        check("example.com/a/b:1", "example.com/a/c:1", false);
    }

    #[test]
    fn what_everybody_leaves_out_is_filled_in() {
        check("nginx", "docker.io/library/nginx:latest", true);
        check("nginx:latest", "nginx", true);
        check("team/app:1", "docker.io/team/app:1", true);
        check("localhost:5000/app", "localhost:5000/app:latest", true);
        check("nginx:1", "nginx", false);
    }
}
