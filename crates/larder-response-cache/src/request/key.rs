use http::{HeaderMap, HeaderName, Request, Uri, header};
use larder_store::{Key, Kind};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use crate::engine::{Profile, authority};
use crate::request::Host;

/// Responses, and indices of variants.
pub(crate) const RESPONSE: Kind = Kind::evictable("response");
/// When a tag was last purged.
pub(crate) const TAG: Kind = Kind::evictable("response-tag");
/// Which purges there were: a key for each group of URIs, and one for all tags.
const PURGES: Kind = Kind::evictable("response-purges");

/// How many groups of URIs share a key of their purges. A purge of one URI keeps what is being
/// fetched for the first time in its group from being stored.
const GROUPS: u64 = 65_536;

/// The longest URI that is cached, in bytes.
const MAX_URI: usize = 8 * 1024;

/// What a response is stored under: profile, scheme, host and the exact path and query that the
/// client asked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PrimaryKey {
    text: SmallVec<[u8; 128]>,
}

/// The origin of a request and what it asks for there.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl PrimaryKey {
    pub(crate) fn new(profile: Profile, target: Target<'_>) -> Self {
        let [scheme, host, path] = [target.scheme, target.host, target.path].map(str::as_bytes);
        let (host_at, path_at) = (scheme.len() + 2, scheme.len() + host.len() + 3);
        // The first two parts hold no space, so that they cannot run into each other.
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

    /// The key in the store. It holds the URI, so it is for no log.
    pub(crate) fn far(&self) -> Key {
        Key::new(RESPONSE, self.as_bytes())
    }

    /// The key that changes with each purge of a URI in this one's group.
    pub(crate) fn purges(&self) -> Key {
        Key::new(PURGES, xxh3_64(self.as_bytes()) % GROUPS)
    }
}

/// The key of the last changes of tags.
pub(crate) fn tag_changes_key() -> Key {
    Key::new(PURGES, "tags")
}

/// Where a request goes. None if that is in doubt, and then nothing is cached.
///
/// A host that is missing, said twice, or said differently in the URI and in `Host` is in doubt, and
/// so is a scheme other than `http` and `https`.
/// `declared` is the scheme of every request where the layer is told; otherwise it is that of the URI,
/// and `http` where that has none.
pub(crate) fn target<'a>(
    uri: &'a Uri,
    host: Host<'a>,
    declared: Option<&'a str>,
) -> Option<Target<'a>> {
    let scheme = declared.or(uri.scheme_str()).unwrap_or("http");
    if !["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        // Each name that a request line makes up would be a page of its own.
        return None;
    }
    let said = match host {
        Host::Missing => None,
        Host::One(value) => Some(authority(scheme, value.to_str().ok()?)?),
        Host::Several => return None,
    };
    let in_uri = match uri.authority() {
        Some(in_uri) => Some(authority(scheme, in_uri.as_str())?),
        None => None,
    };
    let host = match (in_uri, said) {
        (Some(in_uri), Some(said)) if !in_uri.eq_ignore_ascii_case(said) => return None,
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return None,
    };
    let path = path(uri)?;
    Some(Target { scheme, host, path })
}

/// The URI that the client asked for, also where a router has taken a prefix off its path. None if
/// the URI was changed otherwise since, so that it no longer says what the response is for.
#[cfg(feature = "axum")]
pub(crate) fn requested<B>(request: &Request<B>) -> Option<&Uri> {
    use axum::extract::OriginalUri;

    let uri = request.uri();
    let Some(OriginalUri(original)) = request.extensions().get() else {
        return Some(uri);
    };
    let is_same_or_nested = original.path().ends_with(uri.path()) || uri.path() == "/";
    (is_same_or_nested && original.query() == uri.query()).then_some(original)
}

/// The URI that the client asked for.
#[cfg(not(feature = "axum"))]
pub(crate) fn requested<B>(request: &Request<B>) -> Option<&Uri> {
    Some(request.uri())
}

/// What the fields say in `Host`.
pub(crate) fn hosts(headers: &HeaderMap) -> Host<'_> {
    let hosts = headers.get_all(header::HOST).iter();
    hosts.fold(Host::Missing, Host::and)
}

/// The path and query of a URI.
pub(crate) fn path(uri: &Uri) -> Option<&str> {
    let path = uri.path_and_query()?.as_str();
    let is_sound = path.starts_with('/') && path.len() <= MAX_URI;
    is_sound.then_some(path)
}

/// Fields by which a request claims another origin than its own. Where one is present it is part of
/// what selects the response, so that nobody is served what another claim made.
pub(crate) const FORWARDED_HEADERS: [HeaderName; 11] = [
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-path"),
    HeaderName::from_static("x-http-host-override"),
    HeaderName::from_static("x-original-host"),
];

/// Fields by which a request asks for another method or path than its own: such a request is never
/// cached.
pub(crate) const OVERRIDE_HEADERS: [HeaderName; 7] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
    HeaderName::from_static("x-original-uri"),
    HeaderName::from_static("x-forwarded-uri"),
];

#[cfg(test)]
mod tests {
    use http::Request;
    use http::request::Parts;

    use super::*;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key(uri: &str, said: &[&str]) -> Option<Vec<u8>> {
        let parts = parts(uri, said);
        let target = target(&parts.uri, hosts(&parts.headers), None)?;
        Some(PrimaryKey::new(Profile::Safe, target).as_bytes().to_vec())
    }

    #[test]
    fn scheme_host_and_the_exact_uri_are_the_key() {
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
        let declared = |uri: &str, said: &[&str]| {
            let parts = parts(uri, said);
            let target = target(&parts.uri, hosts(&parts.headers), Some("https")).unwrap();
            PrimaryKey::new(Profile::Safe, target).as_bytes().to_vec()
        };
        let plain = declared("/a", &["a.example"]);
        for (uri, said) in [
            ("http://a.example/a", &[][..]),
            ("http://a.example/a", &["a.example:443"]),
            ("https://a.example:443/a", &["a.example"]),
        ] {
            assert_eq!(plain, declared(uri, said), "{uri}");
        }
    }

    #[test]
    fn a_host_in_doubt_has_no_key() {
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
    fn the_two_profiles_share_nothing() {
        let parts = parts("/", &["a"]);
        let target = target(&parts.uri, hosts(&parts.headers), None).unwrap();
        let [safe, rfc] =
            [Profile::Safe, Profile::Rfc].map(|profile| PrimaryKey::new(profile, target));
        assert!(safe != rfc && safe.far() != rfc.far());
    }
}
