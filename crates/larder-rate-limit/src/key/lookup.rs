use std::future::Future;
use std::time::Duration;

use http::request::Parts;
use larder_store::{Key, KeyId};
use tokio::time::timeout;

use super::KeyBy;
use super::request_view::RequestView;
use crate::RateLimiter;

/// An async function that finds the key of a request.
///
/// [`KeyBy::from_async_fn`](crate::KeyBy::from_async_fn) takes one. The trait is implemented for every
/// function and closure of `&Parts` whose future is `Send`. The future may borrow the request's head.
pub trait FindKey<'a>: Send + Sync + 'static {
    /// The id of a visitor.
    type Id: KeyId;

    /// The future that finds the id.
    type Future: Future<Output = Option<Self::Id>> + Send + 'a;

    /// Starts the lookup.
    fn find(&self, parts: &'a Parts) -> Self::Future;
}

impl<'a, F, Fut, I> FindKey<'a> for F
where
    F: Fn(&'a Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Option<I>> + Send + 'a,
    I: KeyId,
{
    type Id = I;
    type Future = Fut;

    fn find(&self, parts: &'a Parts) -> Fut {
        self(parts)
    }
}

/// The result of a lookup that did not wait.
pub(crate) enum Found {
    /// The key, if there is one.
    Now(Option<Key>),
    /// A key that has to be waited for.
    Later(Lookup),
}

/// A key that has to be waited for, with its fallbacks.
pub(crate) struct Lookup(pub(super) KeyBy);

impl Lookup {
    /// Waits for the key, at most `within` for each function. One that takes longer counts as having
    /// found none, and is reported to `timed_out`.
    pub(crate) async fn key(
        self,
        limiter: &RateLimiter,
        parts: &Parts,
        within: Duration,
        timed_out: impl Fn(),
    ) -> Option<Key> {
        let mut key_by = self.0;
        loop {
            match timeout(within, key_by.later(limiter, parts)?).await {
                Ok(Some(key)) => return Some(key),
                Ok(None) => {}
                Err(_) => timed_out(),
            }
            let fallback = key_by.fallback?;
            match fallback.find(limiter, RequestView::of_parts(parts)) {
                Found::Now(key) => return key,
                Found::Later(next) => key_by = next.0,
            }
        }
    }
}
