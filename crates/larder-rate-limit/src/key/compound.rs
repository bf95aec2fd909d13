//! Keys of several parts.

use http::request::Parts;
use larder_store::{IdWriter, Key, KeyId};

use super::KeyBy;
use super::lookup::{Found, Waiting};
use super::request_head::RequestHead;
use crate::RateLimiter;

/// Looks for the key of all `parts` together, as far as possible without waiting.
pub(super) fn find(parts: &[KeyBy], limiter: &RateLimiter, request: RequestHead<'_>) -> Found {
    let mut found = Vec::with_capacity(parts.len());
    for part in parts {
        match part.find(limiter, request) {
            Found::Now(Some(key)) => found.push(key),
            other => return other,
        }
    }
    Found::Now(Some(together(limiter, &found)))
}

/// Waits for the key of all `parts` together.
pub(super) async fn wait(
    parts: &[KeyBy],
    limiter: &RateLimiter,
    request: &Parts,
    waiting: Waiting<'_>,
) -> Option<Key> {
    let mut found = Vec::with_capacity(parts.len());
    for part in parts {
        found.push(match part.find(limiter, RequestHead::of_parts(request)) {
            Found::Now(key) => key?,
            Found::Later(lookup) => lookup.wait(limiter, request, waiting).await?,
        });
    }
    Some(together(limiter, &found))
}

fn together(limiter: &RateLimiter, keys: &[Key]) -> Key {
    limiter.key(("all", Ids(keys)))
}

/// The ids of keys, each as one component, so that no two lists of ids look alike.
struct Ids<'a>(&'a [Key]);

impl KeyId for Ids<'_> {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        for key in self.0 {
            let text = key.as_str();
            // An id stands in braces, behind the name of its policy.
            let own = text.split_once(':').and_then(|(_, id)| id.split_once(':'));
            let own = own.and_then(|(_, own)| own.strip_suffix('}'));
            id.text(own.unwrap_or(text));
        }
    }
}
