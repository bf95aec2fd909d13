use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode};
use larder_redis::RedisStore;
use larder_response_cache::Purger;
use larder_session::Sessions;
use larder_store::program::Programs;
use larder_store::{Key, Kind, Store};
use tokio::sync::{Mutex, Semaphore};

use super::action_log::ActionLog;
use super::background::Background;
use super::figures::{Figures, Snapshot};
use super::guard::Operator;
use super::listing::Listing;
use super::tokens::{Tokens, is_same_site};
use crate::doctor::{Doctor, Report};

/// A key that is never written: reading it shows that the store answers, and how fast. It is pinned, because
/// over shards an evictable key of a lost server reads as absent; and a replica answers though its master is lost.
const PROBE: Kind = Kind::pinned("ops-probe").with_consistent_reads();

/// The state that all views share.
pub(super) struct Shared {
    pub(super) title: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) programs: Arc<dyn Programs>,
    pub(super) redis: Option<Arc<RedisStore>>,
    pub(super) doctor: Doctor,
    pub(super) figures: Option<Figures>,
    pub(super) sessions: Sessions,
    pub(super) purger: Purger,
    pub(super) queues: Listing,
    pub(super) locks: Listing,
    pub(super) report: Background<(Report, SystemTime)>,
    pub(super) tokens: Tokens,
    pub(super) log: ActionLog,
    pub(super) allows_actions: bool,
    pub(super) has_drill: bool,
    /// Permits for open streams.
    pub(super) streams: Arc<Semaphore>,
    /// Held while a drill runs.
    pub(super) drill: Mutex<()>,
}

impl Shared {
    /// Returns the metrics of this process. None if the app keeps none for the page.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        self.figures.as_ref().map(Figures::snapshot)
    }

    pub(super) fn is_memory(&self) -> bool {
        self.redis.is_none() && self.store.location().starts_with("memory:")
    }

    /// Reads a key that is never there.
    pub(super) async fn probe(&self) -> larder_store::Result<()> {
        self.store.get(&Key::new(PROBE, "probe")).await.map(drop)
    }
}

/// One request: who asks, and where the page is mounted.
pub(super) struct Visit {
    pub(super) shared: Arc<Shared>,
    pub(super) operator: Operator,
    /// The path of the page, without a trailing slash.
    pub(super) base: String,
    headers: HeaderMap,
    /// The host of the request.
    host: Option<String>,
}

impl Visit {
    /// Returns whether the request comes from a page of this site, or from no browser.
    pub(super) fn is_same_site(&self) -> bool {
        is_same_site(&self.headers, self.host.as_deref())
    }

    pub(super) fn may_act(&self) -> bool {
        self.shared.allows_actions && self.operator.may_act()
    }
}

impl FromRequestParts<Arc<Shared>> for Visit {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, StatusCode> {
        // Nobody gets here without passing the guard.
        let operator = parts.extensions.get::<Operator>().cloned();
        let operator = operator.ok_or(StatusCode::FORBIDDEN)?;
        // With HTTP/2, only the URI contains the host.
        let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = named.or_else(|| parts.uri.authority().map(Authority::as_str));
        let inner = parts.uri.path();
        let whole = parts.extensions.get::<OriginalUri>();
        let whole = whole.map_or(inner, |whole| whole.path());
        // The root of a nested router is requested without a slash.
        let base = whole.strip_suffix(inner).unwrap_or(whole);
        let base = base.trim_end_matches('/');
        // A link that began with two slashes would lead to another host.
        let base = match base.trim_start_matches('/') {
            "" => String::new(),
            base => format!("/{base}"),
        };
        Ok(Self {
            shared: shared.clone(),
            operator,
            base,
            headers: parts.headers.clone(),
            host: host.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_is_lost_with_the_server_that_takes_the_writes() {
        assert_eq!(PROBE.space(), larder_store::Space::Pinned);
        assert!(PROBE.has_consistent_reads());
    }
}
