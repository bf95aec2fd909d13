use http::{HeaderMap, HeaderValue, Request, Uri, header};

use crate::engine::authority;

/// The maximum length of a URI that is cached, in bytes.
const MAX_URI: usize = 8 * 1024;

/// The `Host` of a request.
#[derive(Clone, Copy, Default)]
pub(super) enum Host<'a> {
    #[default]
    Missing,
    One(&'a HeaderValue),
    Several,
}

/// The target URI of a request, in its parts.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    /// The path and the query.
    pub(super) path: &'a str,
}

/// Returns whether requests with this scheme are cached.
pub(super) fn is_known_scheme(scheme: &str) -> bool {
    let mut known = ["http", "https"].iter();
    known.any(|known| scheme.eq_ignore_ascii_case(known))
}

/// A target URI that owns its parts. All except the path are in lower case.
pub(crate) struct OwnedTarget {
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) path: String,
}

impl<'a> Host<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Self {
        let hosts = headers.get_all(header::HOST).iter();
        hosts.fold(Self::Missing, Self::and)
    }

    pub(super) fn and(self, value: &'a HeaderValue) -> Self {
        match self {
            Self::Missing => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

impl<'a> Target<'a> {
    /// Returns the target of a request, or None if it is ambiguous. Then nothing is cached.
    ///
    /// It is ambiguous if the host is missing or repeated, if the URI and `Host` differ, or if the scheme
    /// is neither `http` nor `https`. The scheme is `declared`, or that of the URI, or `http`.
    pub(super) fn of(uri: &'a Uri, host: Host<'a>, declared: Option<&'a str>) -> Option<Self> {
        let scheme = declared.or(uri.scheme_str()).unwrap_or("http");
        if !is_known_scheme(scheme) {
            // A request line may name any scheme, and each would be a separate page.
            return None;
        }
        let in_header = match host {
            Host::Missing => None,
            Host::One(value) => Some(authority(scheme, value.to_str().ok()?)?),
            Host::Several => return None,
        };
        let in_uri = match uri.authority() {
            Some(in_uri) => Some(authority(scheme, in_uri.as_str())?),
            None => None,
        };
        let host = match (in_uri, in_header) {
            (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => return None,
            (Some(host), _) | (None, Some(host)) => host,
            (None, None) => return None,
        };
        let path = path_and_query(uri)?;
        Some(Self { scheme, host, path })
    }
}

impl OwnedTarget {
    pub(super) fn of(target: Target<'_>) -> Self {
        Self {
            scheme: target.scheme.to_ascii_lowercase(),
            host: target.host.to_ascii_lowercase(),
            path: target.path.to_owned(),
        }
    }

    /// Returns the target of another path on this origin.
    pub(super) fn at<'a>(&'a self, path: &'a str) -> Target<'a> {
        Target {
            scheme: &self.scheme,
            host: &self.host,
            path,
        }
    }
}

/// Returns the URI that the client requested, even if a router has removed a prefix from its path.
///
/// Returns None if the URI was changed in any other way, because it no longer identifies the response.
#[cfg(feature = "axum")]
pub(super) fn original_uri<B>(request: &Request<B>) -> Option<&Uri> {
    use axum::extract::OriginalUri;

    let uri = request.uri();
    let Some(OriginalUri(original)) = request.extensions().get() else {
        return Some(uri);
    };
    let is_same_or_nested = original.path().ends_with(uri.path()) || uri.path() == "/";
    (is_same_or_nested && original.query() == uri.query()).then_some(original)
}

/// Returns the URI that the client requested.
#[cfg(not(feature = "axum"))]
pub(super) fn original_uri<B>(request: &Request<B>) -> Option<&Uri> {
    Some(request.uri())
}

/// Returns the path and query of a URI, or None if it has none, or they are too long.
pub(super) fn path_and_query(uri: &Uri) -> Option<&str> {
    let path = uri.path_and_query()?.as_str();
    (path.starts_with('/') && path.len() <= MAX_URI).then_some(path)
}
