use std::sync::Arc;

use http::Uri;
use larder_store::{Error, ErrorKind, Result};

use crate::engine::authority;
use crate::request::{PrimaryKey, Target, path};
use crate::run_to_completion::run_to_completion;
use crate::state::CacheState;
use crate::storage::Unavailable;

/// Removes stored responses, for whoever changes what they show.
///
/// No request header does it: a purge is a call of the app.
///
/// After a purge was acknowledged the store never answers with what was fetched before it, also not
/// with what was being fetched meanwhile. This process does not either; another one does for at most
/// its [near TTL](crate::ResponseCacheBuilder::with_near_ttl).
///
/// # Cancellation
/// A call that is dropped goes on in a task of its own: a client that hangs up after an edit leaves
/// nothing half purged. Where the edit and the purge are one handler, its client can still hang up
/// between the two: run both in a task.
///
/// Clones are cheap.
#[derive(Clone)]
pub struct Purger {
    cache: Arc<CacheState>,
}

impl Purger {
    pub(crate) fn new(cache: Arc<CacheState>) -> Self {
        Self { cache }
    }

    /// Removes all variants of a URI, which is whole, as in `https://example.org/films?page=2`. Two
    /// round trips.
    ///
    /// The path and query are exactly those that clients ask for, without the parts of the query that
    /// [`ResponseCacheBuilder::with_query_names`](crate::ResponseCacheBuilder::with_query_names) leaves out. Where
    /// [`ResponseCacheBuilder::with_scheme`](crate::ResponseCacheBuilder::with_scheme) declares a scheme, it counts instead of
    /// this one.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] where the URI is not of that form; [`ErrorKind::MayHaveRun`] where the
    /// store gave no answer: then this process has let go of the response, and others may have not.
    pub async fn purge(&self, uri: &str) -> Result<()> {
        let primary = self.primary(uri)?;
        let cache = self.cache.clone();
        let purge = async move { cache.storage.purge(&primary).await };
        run_to_completion(purge).await.map_err(unknown)
    }

    /// Makes all variants of a URI stale: a soft purge.
    ///
    /// They are validated at the next request, and served meanwhile, or while the inner service
    /// fails, for as long as they permit it: their `stale-while-revalidate` and `stale-if-error` count
    /// from now. Two round trips, and two for each variant.
    ///
    /// What is being fetched meanwhile is stored as it comes: to be sure of it, [`purge`](Self::purge).
    ///
    /// # Errors
    /// As for [`purge`](Self::purge).
    pub async fn expire(&self, uri: &str) -> Result<()> {
        let primary = self.primary(uri)?;
        let cache = self.cache.clone();
        let expire = async move { cache.storage.expire(&primary).await };
        run_to_completion(expire).await.map_err(unknown)
    }

    fn primary(&self, uri: &str) -> Result<PrimaryKey> {
        let mut parsed: Uri = uri.parse().map_err(|_| invalid())?;
        self.cache.query.apply(&mut parsed);
        let said = parsed.scheme_str().ok_or_else(invalid)?;
        let host = parsed.authority().ok_or_else(invalid)?.as_str();
        let scheme = self.cache.scheme.as_deref().unwrap_or(said);
        // The default port of either scheme: clients name neither.
        let host = authority(said, host).and_then(|host| authority(scheme, host));
        let target = Target {
            scheme,
            host: host.ok_or_else(invalid)?,
            path: path(&parsed).ok_or_else(invalid)?,
        };
        Ok(PrimaryKey::new(self.cache.policy.profile, target))
    }

    /// Removes every response that has this tag: three round trips, whatever their number. In this process
    /// it looks at every response that is here.
    ///
    /// What is being fetched meanwhile is served and not stored; what is asked for after is stored.
    ///
    /// # Errors
    /// [`ErrorKind::MayHaveRun`] where the store gave no answer, as for [`purge`](Self::purge).
    pub async fn purge_tag(&self, tag: &str) -> Result<()> {
        let (cache, tag) = (self.cache.clone(), tag.to_owned());
        let purge = async move { cache.storage.purge_tag(&tag).await };
        run_to_completion(purge).await.map_err(unknown)
    }

    /// Makes every response that has this tag stale, as [`expire`](Self::expire) does for a URI: four
    /// round trips, whatever their number.
    ///
    /// # Errors
    /// [`ErrorKind::MayHaveRun`] where the store gave no answer, as for [`purge`](Self::purge).
    pub async fn expire_tag(&self, tag: &str) -> Result<()> {
        let (cache, tag) = (self.cache.clone(), tag.to_owned());
        let expire = async move { cache.storage.expire_tag(&tag).await };
        run_to_completion(expire).await.map_err(unknown)
    }
}

fn invalid() -> Error {
    let detail = "expected a whole URI, with a scheme, a host and a path";
    Error::new("purge", ErrorKind::Invalid, detail)
}

fn unknown(_: Unavailable) -> Error {
    let detail = "the store gave no answer: purge again when it does";
    Error::new("purge", ErrorKind::MayHaveRun, detail)
}

impl std::fmt::Debug for Purger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Purger").finish_non_exhaustive()
    }
}
