use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::request::Parts;
use larder_store::{Key, KeyId};
use tokio::time::timeout;

use super::{KeyBy, Seen};
use crate::RateLimiter;

/// An async function that finds who is charged for a request: see
/// [`KeyBy::from_async_fn`](crate::KeyBy::from_async_fn).
///
/// It is implemented for every function and closure of `&Parts` whose future can be sent between
/// threads, and may borrow the request's head.
pub trait FindKey<'a>: Send + Sync + 'static {
    /// What tells one visitor from another.
    type Id: KeyId;

    /// The future that finds it.
    type Future: Future<Output = Option<Self::Id>> + Send + 'a;

    /// Begins to look.
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

/// A key that has to be waited for.
pub(super) type KeyFuture<'a> = Pin<Box<dyn Future<Output = Option<Key>> + Send + 'a>>;

/// What is found of a request's key without waiting.
pub(crate) enum Found {
    /// The key, or that there is none.
    Now(Option<Key>),
    /// It has to be waited for.
    Later(Lookup),
}

/// A key that has to be waited for, and what else to try if there is none.
pub(crate) struct Lookup(pub(super) KeyBy);

impl Lookup {
    /// Waits for the key, at most `within` for each function that is asked; one that takes longer found
    /// none, and is `too_late`.
    pub(crate) async fn key(
        self,
        limiter: &RateLimiter,
        parts: &Parts,
        within: Duration,
        too_late: impl Fn(),
    ) -> Option<Key> {
        let mut key_by = self.0;
        loop {
            match timeout(within, key_by.later(limiter, parts)?).await {
                Ok(Some(key)) => return Some(key),
                Ok(None) => {}
                Err(_) => too_late(),
            }
            let otherwise = key_by.otherwise?;
            match otherwise.find(limiter, Seen::of_parts(parts)) {
                Found::Now(key) => return key,
                Found::Later(next) => key_by = next.0,
            }
        }
    }
}
