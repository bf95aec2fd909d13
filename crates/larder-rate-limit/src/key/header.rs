//! The value of a header as a key.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use larder_store::{Key, KeyPrefix};

use crate::RateLimiter;

/// A header whose value identifies a visitor.
#[derive(Clone)]
pub(super) struct Header {
    name: HeaderName,
    /// The beginning of the keys of the limiter for which it was prepared.
    prefix: Option<Arc<KeyPrefix>>,
}

impl Header {
    pub(super) fn new(name: HeaderName) -> Self {
        Self { name, prefix: None }
    }

    /// Writes the beginning of the keys once, for all requests that `limiter` decides about.
    pub(super) fn prepare(&mut self, limiter: &RateLimiter) {
        self.prefix = Some(Arc::new(limiter.prefix(("header", self.name.as_str()))));
    }

    /// Returns the key of a request with these headers. None if it has the header not at all, or more than once.
    pub(super) fn find(&self, limiter: &RateLimiter, headers: &HeaderMap) -> Option<Key> {
        let mut values = headers.get_all(&self.name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return None;
        };
        let value = value.as_bytes();
        Some(match &self.prefix {
            Some(prefix) => prefix.key(value),
            None => limiter.key(("header", self.name.as_str(), value)),
        })
    }
}
