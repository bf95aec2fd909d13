use larder_layer::tags::Tag;
use larder_store::{Key, Kind};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::target::Target;
use crate::engine::Profile;

/// Responses, and indices of variants.
pub(crate) const RESPONSE: Kind = Kind::evictable("response");

/// Tags: the generation of each, and when it was last expired.
pub(crate) const TAG: Kind = Kind::evictable("response-tag");

/// Purges: a key for each purge group of URIs, and one for all tags.
///
/// A read that missed a purge would let a response be stored that was fetched before it.
const PURGES: Kind = Kind::evictable("response-purges").with_consistent_reads();

/// The number of purge groups.
///
/// A purge of one URI also keeps the response of another URI in its group from being stored, if that is
/// being fetched for the first time.
const PURGE_GROUPS: u64 = 65_536;

/// The primary cache key: the profile, the scheme, the host, and the exact path and query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PrimaryKey {
    text: SmallVec<[u8; 128]>,
}

impl PrimaryKey {
    pub(super) fn new(profile: Profile, target: Target<'_>) -> Self {
        let [scheme, host, path] = [target.scheme, target.host, target.path].map(str::as_bytes);
        let (host_at, path_at) = (scheme.len() + 2, scheme.len() + host.len() + 3);
        // The first two parts contain no space, so they cannot run into each other.
        let mut text = SmallVec::from_elem(b' ', path_at + path.len());
        text[0] = match profile {
            Profile::Safe => b's',
            Profile::Rfc => b'r',
        };
        text[1..host_at - 1].copy_from_slice(scheme);
        text[host_at..path_at - 1].copy_from_slice(host);
        text[1..path_at].make_ascii_lowercase();
        text[path_at..].copy_from_slice(path);
        Self { text }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// Returns the key in the store. It contains the URI, so it must not be logged.
    pub(crate) fn far_key(&self) -> Key {
        Key::new(RESPONSE, self.as_bytes())
    }

    /// Returns the key in the store, for a read that misses no purge.
    pub(crate) fn consistent_far_key(&self) -> Key {
        Key::new(RESPONSE.with_consistent_reads(), self.as_bytes())
    }

    /// Returns the key whose version changes with each purge in this URI's group.
    pub(crate) fn purge_group_key(&self) -> Key {
        Key::new(PURGES, xxh3_64(self.as_bytes()) % PURGE_GROUPS)
    }
}

/// Returns the key of the state of a tag. A lookup may read a copy that is a little older.
pub(crate) fn tag_key(tag: Tag) -> Key {
    Key::new(TAG, tag)
}

/// Returns the key of the state of a tag, for a read that misses no purge.
pub(crate) fn consistent_tag_key(tag: Tag) -> Key {
    Key::new(TAG.with_consistent_reads(), tag)
}

/// Returns the key of the last changes of tags.
pub(crate) fn tag_changes_key() -> Key {
    Key::new(PURGES, "tags")
}

#[cfg(test)]
mod tests {
    use http::request::Parts;
    use http::{Request, header};

    use super::*;
    use crate::request::target::Host;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key(uri: &str, hosts: &[&str]) -> Option<Vec<u8>> {
        let parts = parts(uri, hosts);
        let target = Target::of(&parts.uri, Host::of(&parts.headers), None)?;
        Some(PrimaryKey::new(Profile::Safe, target).as_bytes().to_vec())
    }

    #[test]
    fn the_key_is_the_scheme_the_host_and_the_exact_uri() {
        let plain = key("/a?b=1&c=2", &["a.example"]);
        assert!(plain.is_some());
        assert_eq!(plain, key("/a?b=1&c=2", &["A.Example"]));
        assert_eq!(plain, key("http://a.example/a?b=1&c=2", &[]));
        assert_eq!(plain, key("/a?b=1&c=2", &["a.example:80"]));
        assert_eq!(plain, key("http://a.example:80/a?b=1&c=2", &["a.example"]));
        for (uri, host) in [
            ("/a?c=2&b=1", "a.example"),
            ("/A?b=1&c=2", "a.example"),
            ("/a?b=1&c=2&", "a.example"),
            ("/%61?b=1&c=2", "a.example"),
            ("/a?b=1&c=2", "b.example"),
            ("/a?b=1&c=2", "a.example:8080"),
            ("/a?b=1&c=2", "a.example:443"),
            ("/a?b=1&c=2", "a.example."),
            ("https://a.example/a?b=1&c=2", "a.example"),
        ] {
            assert_ne!(plain, key(uri, &[host]), "{uri} {host}");
        }
    }

    #[test]
    fn a_declared_scheme_is_that_of_every_request() {
        let declared = |uri: &str, hosts: &[&str]| {
            let parts = parts(uri, hosts);
            let target = Target::of(&parts.uri, Host::of(&parts.headers), Some("https")).unwrap();
            PrimaryKey::new(Profile::Safe, target).as_bytes().to_vec()
        };
        let plain = declared("/a", &["a.example"]);
        for (uri, hosts) in [
            ("http://a.example/a", &[][..]),
            ("http://a.example/a", &["a.example:443"]),
            ("https://a.example:443/a", &["a.example"]),
        ] {
            assert_eq!(plain, declared(uri, hosts), "{uri}");
        }
    }

    #[test]
    fn an_ambiguous_host_has_no_key() {
        for hosts in [
            &[][..],
            &["a", "a"],
            &["a", "b"],
            &["a/b"],
            &["u@a"],
            &[""],
            &["a b"],
        ] {
            assert_eq!(key("/", hosts), None, "{hosts:?}");
        }
        assert_eq!(key("http://a.example/", &["b.example"]), None);
        assert_eq!(key("*", &["a"]), None);
    }

    #[test]
    fn the_two_profiles_have_different_keys() {
        let parts = parts("/", &["a"]);
        let target = Target::of(&parts.uri, Host::of(&parts.headers), None).unwrap();
        let [safe, rfc] =
            [Profile::Safe, Profile::Rfc].map(|profile| PrimaryKey::new(profile, target));
        assert!(safe != rfc && safe.far_key() != rfc.far_key());
    }
}
