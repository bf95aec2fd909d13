use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::engine::{CacheControl, Candidate, Freshness, Profile, Refusal, Sharing, directives};

/// How one layer reads responses.
#[derive(Clone, Debug)]
pub(crate) struct ResponsePolicy {
    pub(crate) profile: Profile,
    /// Fields that count before `Cache-Control` (RFC 9213).
    pub(crate) targeted: Vec<HeaderName>,
    /// The field in which a response names its tags.
    pub(crate) tag_field: HeaderName,
}

impl Default for ResponsePolicy {
    fn default() -> Self {
        Self {
            profile: Profile::Safe,
            targeted: Vec::new(),
            tag_field: HeaderName::from_static("cache-tag"),
        }
    }
}

impl ResponsePolicy {
    /// Returns the directives of a response to this cache.
    pub(crate) fn directives(&self, response: &HeaderMap) -> CacheControl {
        let mut directives = directives(self.profile, &self.targeted, response);
        directives.keep(&self.tag_field);
        directives
    }

    /// Checks whether a response to a GET may be stored.
    ///
    /// # Errors
    /// The first reason why it may not.
    pub(crate) fn check(
        &self,
        request: &HeaderMap,
        status: StatusCode,
        response: &HeaderMap,
        freshness: &Freshness,
    ) -> Result<(), Refusal> {
        let candidate = Candidate {
            profile: self.profile,
            sharing: Sharing::Shared,
            method: &Method::GET,
            request,
            status,
            response,
            directives: &self.directives(response),
            freshness,
        };
        candidate.check()
    }
}
