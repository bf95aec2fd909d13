use std::sync::Arc;

use larder_layer::tags::Tag;
use larder_store::{Error, ErrorKind, Result};

use crate::explain::UriExplanation;
use crate::pending_purges::{Purge, Unconfirmed};
use crate::request::PrimaryKey;
use crate::run_to_completion::run_to_completion;
use crate::state::CacheState;

/// Removes stored responses, or makes them stale, when the data behind them changes.
///
/// Only the app can purge. No request header can.
///
/// After a purge has returned, the store never answers with a response that was fetched before it, not even
/// with one whose fetch was under way. The same holds for this layer and its clones. Another process, or another
/// layer of this process, may still serve such a response from its own memory, for at most its
/// [near TTL](crate::ResponseCacheBuilder::with_near_ttl). If the store reads replicas, add their staleness.
///
/// Clones are cheap.
///
/// # Cancellation
/// A call that is dropped continues in a task of its own. But a handler that commits an edit and then
/// purges may be dropped between the two, when its client disconnects: spawn one task that does both.
#[derive(Clone)]
pub struct Purger {
    cache: Arc<CacheState>,
}

impl Purger {
    pub(crate) fn new(cache: Arc<CacheState>) -> Self {
        Self { cache }
    }

    /// Removes all variants of a URI. It takes two round trips.
    ///
    /// The URI is absolute, as in `https://example.org/films?page=2`. Its path and query are exactly those
    /// that clients request. Query parameters that [do not select a
    /// response](crate::ResponseCacheBuilder::with_query_names) are ignored, and a [declared
    /// scheme](crate::ResponseCacheBuilder::with_scheme) replaces that of the URI.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the URI is not an absolute one of `http` or `https`, names a user, or has a path
    /// of more than 8 KiB. [`ErrorKind::Refused`] if the store refused it, and
    /// [`ErrorKind::MayHaveRun`] if it failed or did not answer. The layer then tries again for as long as it or a
    /// purger of it exists, at first after 100 ms and later every 2 s. Until that succeeds, it serves nothing that
    /// the store holds for the URI; other layers and processes may. If 10,000 purges wait already, this one is not
    /// tried again, and the error says so.
    pub async fn purge(&self, uri: &str) -> Result<()> {
        let (cache, key) = (self.cache.clone(), self.key("purge", uri)?);
        let purge = async move { cache.purge(Purge::Uri(key)).await };
        run_to_completion(purge).await.map_err(failed("purge"))
    }

    /// Makes all variants of a URI stale, which is also called a soft purge.
    ///
    /// The next request validates them. Meanwhile they are served, even if the inner service fails, for as
    /// long as their `stale-while-revalidate` and `stale-if-error` permit, counted from now. It takes two
    /// round trips if nothing is stored, four for a single response, and two plus two for each variant otherwise.
    ///
    /// A response whose fetch is under way is stored unchanged. To prevent that, use [`purge`](Self::purge).
    ///
    /// # Errors
    /// Those of [`purge`](Self::purge).
    pub async fn expire(&self, uri: &str) -> Result<()> {
        let (cache, key) = (self.cache.clone(), self.key("expire", uri)?);
        let expire = async move { cache.purge(Purge::ExpireUri(key)).await };
        run_to_completion(expire).await.map_err(failed("expire"))
    }

    /// Removes every response with this tag. It takes three round trips, however many responses there are.
    ///
    /// It visits every response in this process. A response whose fetch is under way is served and not
    /// stored. One that is fetched afterwards is stored. Tags of the typed cache are separate, even if they
    /// have the same name.
    ///
    /// # Errors
    /// Those of [`purge`](Self::purge) if the store fails.
    pub async fn purge_tag(&self, tag: &str) -> Result<()> {
        let (cache, tag) = (self.cache.clone(), Tag::new(tag));
        let purge = async move { cache.purge(Purge::Tag(tag)).await };
        run_to_completion(purge).await.map_err(failed("purge"))
    }

    /// Makes every response with this tag stale, as [`expire`](Self::expire) does for a URI.
    ///
    /// It takes four round trips, however many responses there are. Unlike there, a response whose fetch is
    /// under way is not stored.
    ///
    /// # Errors
    /// Those of [`purge`](Self::purge) if the store fails.
    pub async fn expire_tag(&self, tag: &str) -> Result<()> {
        let (cache, tag) = (self.cache.clone(), Tag::new(tag));
        let expire = async move { cache.purge(Purge::ExpireTag(tag)).await };
        run_to_completion(expire).await.map_err(failed("expire"))
    }

    /// Explains what the store holds for a URI, how old it is, and why a request may not be served from it.
    ///
    /// It changes nothing. It takes one round trip, one for each variant, and one more for each response with
    /// tags. It does not cover responses that only this process holds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if [`purge`](Self::purge) refuses the URI, or the error of the store.
    pub async fn explain(&self, uri: &str) -> Result<UriExplanation> {
        self.cache.storage.explain(&self.key("explain", uri)?).await
    }

    /// Checks a URI without a round trip.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if [`purge`](Self::purge) refuses the URI, as the other calls do.
    pub fn check(&self, uri: &str) -> Result<()> {
        self.key("check", uri).map(drop)
    }

    fn key(&self, operation: &'static str, uri: &str) -> Result<PrimaryKey> {
        self.cache.requests.key_of_uri(uri).ok_or_else(|| {
            let detail = "expected an absolute URI of http or https, with a host, and a path of at most 8 KiB";
            Error::new(operation, ErrorKind::Invalid, detail)
        })
    }
}

/// Returns the error of a purge, of which an earlier step may have succeeded.
fn failed(operation: &'static str) -> impl FnOnce(Unconfirmed) -> Error {
    move |Unconfirmed { error, is_pending }| {
        let kind = match error.kind() {
            ErrorKind::Refused(refusal) => ErrorKind::Refused(refusal),
            _ => ErrorKind::MayHaveRun,
        };
        let detail = match is_pending {
            true => "the store did not confirm it",
            false => "the store did not confirm it, and too many purges wait already: repeat it",
        };
        Error::new(operation, kind, detail).with_source(error)
    }
}

impl std::fmt::Debug for Purger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Purger").finish_non_exhaustive()
    }
}
