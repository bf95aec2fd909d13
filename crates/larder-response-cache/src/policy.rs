use http::{HeaderMap, HeaderName, Method, StatusCode};
use larder_layer::tags::Tag;

use crate::engine::{CacheControl, Candidate, Freshness, Profile, Refusal, directives};

/// The maximum number of tags of a response.
const MAX_TAGS: usize = 64;

/// The maximum length of a tag, in bytes.
const MAX_TAG: usize = 256;

/// Returns whether a field says what a visitor's rate limit has left, in any of its usual spellings.
fn is_of_rate_limit(name: &HeaderName) -> bool {
    let name = name.as_str();
    let name = name.strip_prefix("x-").unwrap_or(name);
    name.starts_with("ratelimit") || name.starts_with("rate-limit")
}

/// How one layer reads responses.
#[derive(Clone, Debug)]
pub(crate) struct ResponsePolicy {
    pub(crate) profile: Profile,
    /// Fields that take precedence over `Cache-Control` (RFC 9213).
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
        if self.profile == Profile::Safe {
            let of_visitor = response.keys().filter(|name| is_of_rate_limit(name));
            directives.no_cache_fields.extend(of_visitor.cloned());
        }
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
            method: &Method::GET,
            request,
            status,
            response,
            directives: &self.directives(response),
            freshness,
        };
        candidate.check()?;
        self.tags(response).map(drop).ok_or(Refusal::Tags)
    }

    /// Returns the tags that a response names, separated by commas or spaces.
    ///
    /// Returns None if there are too many, or one is too long or not ASCII.
    pub(crate) fn tags(&self, response: &HeaderMap) -> Option<Vec<Tag>> {
        let mut tags = Vec::new();
        for line in response.get_all(&self.tag_field) {
            let line = line.to_str().ok()?;
            for tag in line.split([',', ' ', '\t']).filter(|tag| !tag.is_empty()) {
                if tag.len() > MAX_TAG || tags.len() == MAX_TAGS {
                    return None;
                }
                tags.push(Tag::new(tag));
            }
        }
        tags.sort_unstable();
        tags.dedup();
        Some(tags)
    }
}
