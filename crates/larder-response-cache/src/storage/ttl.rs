use larder_store::Ttl;

use super::{Storage, StoredResponse};
use crate::engine::{OriginFailure, RequestDirectives, Validators};

/// The longest time that a response stays in the store, in seconds: 30 days.
const MAX_STORED: u64 = 30 * 24 * 60 * 60;

/// How long a stale response with a validator stays in the store, in seconds: minimum and maximum.
const VALIDATABLE: (u64, u64) = (30, 60 * 60);

impl Storage {
    /// Returns how long the store keeps a response: for as long as it may be served.
    ///
    /// With a validator it is kept past its freshness for at least as long as it was fresh, from 30 s to an
    /// hour. No response is kept for longer than 30 days.
    pub(super) fn ttl(&self, response: &StoredResponse) -> Ttl {
        let (rules, now) = (&response.rules, self.now());
        let (least, most) = VALIDATABLE;
        let validatable = match Validators::of(&response.headers).is_empty() {
            true => 0,
            false => rules.freshness.lifetime().clamp(least, most),
        };
        let (failure, limit) = (OriginFailure::Disconnected, self.stale_while_disconnected);
        let request = RequestDirectives::default();
        let disconnected = match rules.may_serve_on_failure(&request, failure, limit, now) {
            true => limit.as_secs(),
            false => 0,
        };
        let remaining = rules.freshness.remaining(now);
        let stale = remaining.saturating_add(validatable.max(disconnected));
        let kept = rules.usable(now).max(stale).min(MAX_STORED);
        Ttl::covering_micros(i64::try_from(kept).unwrap_or(0).saturating_mul(1_000_000))
    }
}
