use http::{HeaderName, Request, Uri};

use super::target::{Host, Target, is_known_scheme, original_uri, path_and_query};
use super::{OwnedTarget, PrimaryKey, QueryFilter};
use crate::engine::{Profile, authority};

/// How one layer reads requests.
pub(crate) struct RequestPolicy {
    pub(crate) profile: Profile,
    /// The scheme of every request, if the app declares one.
    pub(crate) scheme: Option<Box<str>>,
    pub(crate) query: QueryFilter,
    /// Header fields that select every response.
    pub(crate) key_fields: Vec<HeaderName>,
}

impl RequestPolicy {
    /// Returns the target of a request, or None if it is ambiguous.
    pub(super) fn target<'a, B>(
        &'a self,
        request: &'a Request<B>,
        host: Host<'a>,
    ) -> Option<Target<'a>> {
        Target::of(original_uri(request)?, host, self.scheme.as_deref())
    }

    /// Returns the target of an unsafe request, or None if it is ambiguous.
    pub(crate) fn owned_target<B>(&self, request: &Request<B>) -> Option<OwnedTarget> {
        let target = self.target(request, Host::of(request.headers()));
        target.map(OwnedTarget::of)
    }

    /// Returns the key of a path and query on the origin of `target`.
    pub(crate) fn key_at(&self, target: &OwnedTarget, path: &str) -> PrimaryKey {
        let path = self.query.path(path);
        PrimaryKey::new(self.profile, target.at(&path))
    }

    /// Returns the key of an absolute URI, or None if no request can have it.
    pub(crate) fn key_of_uri(&self, uri: &str) -> Option<PrimaryKey> {
        let mut uri: Uri = uri.parse().ok()?;
        self.query.apply(&mut uri);
        let (named, host) = (uri.scheme_str()?, uri.authority()?.as_str());
        if !is_known_scheme(named) {
            return None;
        }
        let scheme = self.scheme.as_deref().unwrap_or(named);
        // Without the default port of either scheme, because clients do not write it.
        let host = authority(named, host).and_then(|host| authority(scheme, host))?;
        let path = path_and_query(&uri)?;
        Some(PrimaryKey::new(self.profile, Target { scheme, host, path }))
    }
}
