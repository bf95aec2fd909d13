use http::{HeaderMap, HeaderName, Uri, header};
use larder_store::{Key, Kind};
use smallvec::SmallVec;

use crate::engine::Profile;
use crate::scan::Host;

/// Responses, indices of variants, and the marks of what was purged.
pub(crate) const RESPONSE: Kind = Kind::evictable("response");
/// When a tag was last purged.
pub(crate) const TAG: Kind = Kind::evictable("response-tag");

/// The longest URI that is cached, in bytes.
const MAX_URI: usize = 8 * 1024;

/// What a response is stored under: profile, scheme, host and the exact path and query that the
/// inner service sees.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    text: SmallVec<[u8; 128]>,
}

/// The origin of a request and what it asks for there.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl Primary {
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
}

/// Where a request goes; nothing where that is in doubt, and then nothing is cached.
///
/// A host that is missing, said twice, or said differently in the URI and in `Host` is in doubt.
pub(crate) fn target<'a>(
    uri: &'a Uri,
    host: Host<'a>,
    default_scheme: &'a str,
) -> Option<Target<'a>> {
    let said = match host {
        Host::Missing => None,
        Host::Said(value) => Some(value.to_str().ok()?),
        Host::Doubled => return None,
    };
    let host = match (uri.authority(), said) {
        (Some(authority), Some(said)) if !authority.as_str().eq_ignore_ascii_case(said) => {
            return None;
        }
        (Some(authority), _) => authority.as_str(),
        (None, Some(said)) => said,
        (None, None) => return None,
    };
    let target = Target {
        scheme: uri.scheme_str().unwrap_or(default_scheme),
        host,
        path: path(uri)?,
    };
    is_host(host).then_some(target)
}

/// What the fields say in `Host`.
pub(crate) fn hosts(headers: &HeaderMap) -> Host<'_> {
    let hosts = headers.get_all(header::HOST).iter();
    hosts.fold(Host::Missing, Host::and)
}

/// The path and query that the router sees.
pub(crate) fn path(uri: &Uri) -> Option<&str> {
    let path = uri.path_and_query()?.as_str();
    let is_sound = path.starts_with('/') && path.len() <= MAX_URI;
    is_sound.then_some(path)
}

/// Whether the text may be a host with or without a port: no user, no path, no space.
pub(crate) fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|byte| MAY_BE_IN_HOST[usize::from(byte)])
}

/// Which bytes may stand in a host.
const MAY_BE_IN_HOST: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        may[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b".-_~:[]%!$&'()*+,;=";
    let mut at = 0;
    while at < marks.len() {
        may[marks[at] as usize] = true;
        at += 1;
    }
    may
};

/// Fields by which a request claims another origin than its own. Where one is present it is part of
/// what selects the response, so that nobody is served what another claim made.
pub(crate) const CLAIMS: [HeaderName; 11] = [
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
pub(crate) const OVERRIDES: [HeaderName; 7] = [
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
        let target = target(&parts.uri, hosts(&parts.headers), "http")?;
        Some(Primary::new(Profile::Safe, target).as_bytes().to_vec())
    }

    #[test]
    fn scheme_host_and_the_exact_uri_are_the_key() {
        let plain = key("/a?b=1&c=2", &["a.example"]);
        assert!(plain.is_some());
        assert_eq!(plain, key("/a?b=1&c=2", &["A.Example"]));
        assert_eq!(plain, key("http://a.example/a?b=1&c=2", &[]));
        for (uri, host) in [
            ("/a?c=2&b=1", "a.example"),
            ("/A?b=1&c=2", "a.example"),
            ("/a?b=1&c=2&", "a.example"),
            ("/%61?b=1&c=2", "a.example"),
            ("/a?b=1&c=2", "b.example"),
            ("/a?b=1&c=2", "a.example:80"),
            ("https://a.example/a?b=1&c=2", "a.example"),
        ] {
            assert_ne!(plain, key(uri, &[host]), "{uri} {host}");
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
        let target = target(&parts.uri, hosts(&parts.headers), "http").unwrap();
        let [safe, rfc] =
            [Profile::Safe, Profile::Rfc].map(|profile| Primary::new(profile, target));
        assert!(safe != rfc && safe.far() != rfc.far());
    }
}
