use std::future::Future;
use std::time::Duration;

use http::request::Parts;
use larder_store::{Key, KeyId};
use tokio::time::timeout;

use super::request_head::RequestHead;
use super::{KeyBy, KeyFuture, Source, compound};
use crate::RateLimiter;

/// An async function that finds the key of a request.
///
/// Pass it to [`KeyBy::from_async_fn`](crate::KeyBy::from_async_fn). The trait is implemented for
/// every function and closure of `&Parts` whose future is `Send`. The future may borrow the request's
/// head.
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
    /// A key that requires waiting.
    Later(Lookup),
}

/// A key that requires waiting, with its fallbacks.
pub(crate) struct Lookup(pub(super) KeyBy);

/// How long to wait for each function, and whom to notify of one that takes longer.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    within: Duration,
    timed_out: &'a (dyn Fn() + Send + Sync),
}

impl Lookup {
    /// Waits for the key, at most `within` for each function. A function that takes longer is treated
    /// as having found none, and reported to `timed_out`.
    pub(crate) async fn key(
        self,
        limiter: &RateLimiter,
        parts: &Parts,
        within: Duration,
        timed_out: &(dyn Fn() + Send + Sync),
    ) -> Option<Key> {
        let waiting = Waiting { within, timed_out };
        self.wait(limiter, parts, waiting).await
    }

    /// Boxed, because a part of a compound key may itself require waiting.
    pub(super) fn wait<'a>(
        self,
        limiter: &'a RateLimiter,
        parts: &'a Parts,
        waiting: Waiting<'a>,
    ) -> KeyFuture<'a> {
        Box::pin(async move {
            let mut key_by = self.0;
            loop {
                let found = match &key_by.source {
                    Source::All(each) => compound::wait(each, limiter, parts, waiting).await,
                    _ => match timeout(waiting.within, key_by.later(limiter, parts)?).await {
                        Ok(found) => found,
                        Err(_) => {
                            (waiting.timed_out)();
                            None
                        }
                    },
                };
                if found.is_some() {
                    return found;
                }
                let fallback = key_by.fallback?;
                match fallback.find(limiter, RequestHead::of_parts(parts)) {
                    Found::Now(key) => return key,
                    Found::Later(next) => key_by = next.0,
                }
            }
        })
    }
}
