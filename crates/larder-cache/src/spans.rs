//! Spans of slow work: of round trips to the far store, named as in Sentry's cache module, and of loads.
//!
//! All are at debug level, and contain no key and no value. A near hit opens none.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use larder_store::{Key, Kind};
use tracing::field::{Empty, display};
use tracing::{Span, debug_span};

/// Makes the spans of one cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    pub(crate) kind: Kind,
    pub(crate) shows_key_hashes: bool,
}

impl Spans {
    /// Makes the span of a read of the far store.
    pub(crate) fn get<'a>(self, keys: impl IntoIterator<Item = &'a Key>) -> Span {
        let span = debug_span!(
            "cache.get",
            cache.kind = self.kind.name(),
            cache.key = Empty,
            cache.hit = Empty,
            cache.item_size = Empty,
        );
        self.name(span, keys)
    }

    /// Makes the span of a write to the far store.
    pub(crate) fn put(self, key: &Key, bytes: usize) -> Span {
        let span = debug_span!(
            "cache.put",
            cache.kind = self.kind.name(),
            cache.key = Empty,
            cache.item_size = bytes as u64,
        );
        self.name(span, [key])
    }

    /// Makes the span of a removal from the far store.
    pub(crate) fn remove<'a>(self, keys: impl IntoIterator<Item = &'a Key>) -> Span {
        let span = debug_span!(
            "cache.remove",
            cache.kind = self.kind.name(),
            cache.key = Empty
        );
        self.name(span, keys)
    }

    fn name<'a>(self, span: Span, keys: impl IntoIterator<Item = &'a Key>) -> Span {
        if self.shows_key_hashes && !span.is_disabled() {
            let hashes = keys.into_iter().map(hash).collect::<Vec<_>>().join(",");
            span.record("cache.key", display(hashes));
        }
        span
    }
}

/// Records in the span of a read how many bytes were found. None is a miss.
pub(crate) fn found(span: &Span, bytes: Option<usize>) {
    span.record("cache.hit", bytes.is_some());
    if let Some(bytes) = bytes {
        span.record("cache.item_size", bytes as u64);
    }
}

/// Returns a hash of a key, under a secret of the process: nobody can find the key by trying.
fn hash(key: &Key) -> String {
    static SECRET: OnceLock<RandomState> = OnceLock::new();
    let secret = SECRET.get_or_init(RandomState::new);
    format!("{:016x}", secret.hash_one(key.as_bytes()))
}
