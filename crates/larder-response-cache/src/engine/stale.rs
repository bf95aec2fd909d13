use std::time::Duration;

use http::StatusCode;
use larder_store::Timestamp;

use super::reuse::{RequestDirectives, ReuseRules};
use super::status::is_failure;

/// How the origin failed. It decides which stale responses may be served instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// It answered with 500, 502, 503 or 504.
    ErrorStatus,
    /// It did not answer.
    Disconnected,
}

impl OriginFailure {
    /// Returns the failure that this status means, if it means one.
    pub fn of(status: StatusCode) -> Option<Self> {
        is_failure(status).then_some(Self::ErrorStatus)
    }
}

impl ReuseRules {
    /// Returns whether the response may be served while it is validated in the background (RFC 5861, 3).
    pub fn may_serve_while_revalidating(&self, now: Timestamp) -> bool {
        self.freshness.staleness(now) < self.stale_while_revalidate
    }

    /// Returns whether the response may be served in place of a failure.
    ///
    /// It may within `stale-if-error` of the response or of the request (RFC 5861, 4). If the origin did not
    /// answer, it may also for `limit` past its freshness (RFC 9111, 4.2.4). The response can forbid both, and
    /// so can `no-cache` of the request.
    pub fn may_serve_on_failure(
        &self,
        request: &RequestDirectives,
        failure: OriginFailure,
        limit: Duration,
        now: Timestamp,
    ) -> bool {
        if self.forbids_stale || request.no_cache {
            return false;
        }
        let asked = self.stale_if_error.max(request.stale_if_error);
        let window = match failure {
            OriginFailure::ErrorStatus => asked,
            OriginFailure::Disconnected => asked.max(limit.as_secs()),
        };
        self.freshness.staleness(now) < window
    }
}
