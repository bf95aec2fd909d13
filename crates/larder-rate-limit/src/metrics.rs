//! The counters and log lines of a limit. None of them names a visitor.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_layer::StoreHealth;
use larder_store::Error;
use metrics::{Counter, Unit, counter, describe_counter};

/// How a request was decided: the `outcome` of `larder_rate_limit_decisions_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Allowed,
    Refused,
    FailedOpen,
    FailedClosed,
    LocalAllowed,
    LocalRefused,
    Exempt,
}

/// The counters of one policy. They are made once, so counting is one atomic addition.
#[derive(Clone)]
pub(crate) struct Metrics {
    policy: Arc<str>,
    allowed: Counter,
    refused: Counter,
    failed_open: Counter,
    failed_closed: Counter,
    local_allowed: Counter,
    local_refused: Counter,
    exempt: Counter,
    refunded: Counter,
    refund_lost: Counter,
    unkeyed: Counter,
    key_timed_out: Counter,
    shared: Counter,
    pub(crate) health: StoreHealth,
    has_logged_unkeyed: Arc<AtomicBool>,
    key_timeout_log: Arc<OncePerMinute>,
    shared_log: Arc<OncePerMinute>,
}

impl Metrics {
    pub(crate) fn new(policy: &str) -> Self {
        let decisions = |outcome: &'static str| {
            counter!(
                "larder_rate_limit_decisions_total",
                "policy" => policy.to_owned(),
                "outcome" => outcome
            )
        };
        let refunds = |outcome: &'static str| {
            counter!(
                "larder_rate_limit_refunds_total",
                "policy" => policy.to_owned(),
                "outcome" => outcome
            )
        };
        Self {
            policy: policy.into(),
            allowed: decisions("allowed"),
            refused: decisions("refused"),
            failed_open: decisions("failed_open"),
            failed_closed: decisions("failed_closed"),
            local_allowed: decisions("local_allowed"),
            local_refused: decisions("local_refused"),
            exempt: decisions("exempt"),
            refunded: refunds("done"),
            refund_lost: refunds("lost"),
            unkeyed: counter!("larder_rate_limit_unkeyed_total", "policy" => policy.to_owned()),
            key_timed_out: counter!(
                "larder_rate_limit_key_timeouts_total",
                "policy" => policy.to_owned()
            ),
            shared: counter!("larder_rate_limit_shared_total", "policy" => policy.to_owned()),
            health: StoreHealth::new(format!("rate limit '{policy}'")),
            has_logged_unkeyed: Arc::default(),
            key_timeout_log: Arc::default(),
            shared_log: Arc::default(),
        }
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Allowed => &self.allowed,
            Outcome::Refused => &self.refused,
            Outcome::FailedOpen => &self.failed_open,
            Outcome::FailedClosed => &self.failed_closed,
            Outcome::LocalAllowed => &self.local_allowed,
            Outcome::LocalRefused => &self.local_refused,
            Outcome::Exempt => &self.exempt,
        };
        counter.increment(1);
    }

    /// Counts a charge that was given back.
    pub(crate) fn refunded(&self) {
        self.refunded.increment(1);
    }

    /// Counts a charge that may not have been given back, because the store failed.
    pub(crate) fn refund_lost(&self, error: &Error) {
        self.refund_lost.increment(1);
        self.health.failed(error);
    }

    /// Counts a request that a shared quota decided. Logged once a minute, since visitors with a
    /// record of their own come in between.
    pub(crate) fn shared(&self) {
        self.shared.increment(1);
        if self.shared_log.is_due() {
            tracing::warn!(
                policy = &*self.policy,
                "the rate limit has no room for new visitors, who share quotas meanwhile: raise its \
                 cap with MokaStore::builder().with_max_keys_of(Tat::KIND, visitors)"
            );
        }
    }

    /// Counts a function that did not find the key within the timeout. Logged once a minute.
    pub(crate) fn key_timed_out(&self) {
        self.key_timed_out.increment(1);
        if self.key_timeout_log.is_due() {
            tracing::warn!(
                policy = &*self.policy,
                "the function that finds whom to charge did not answer within the timeout"
            );
        }
    }

    /// Counts a request without a key. Logged once, since the setup is usually at fault.
    pub(crate) fn unkeyed(&self) {
        self.unkeyed.increment(1);
        if !self.has_logged_unkeyed.load(Ordering::Relaxed)
            && !self.has_logged_unkeyed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                policy = &*self.policy,
                "the rate limit found no key in a request: check that the server passes on the \
                 peer's address, and that the client sends the header"
            );
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Limits a log line to one a minute.
#[derive(Default)]
struct OncePerMinute(Mutex<Option<Instant>>);

impl OncePerMinute {
    const PAUSE: Duration = Duration::from_secs(60);

    fn is_due(&self) -> bool {
        // Another thread logs now, or finds that it is too early.
        let Ok(mut last) = self.0.try_lock() else {
            return false;
        };
        let is_due = last.is_none_or(|last| last.elapsed() >= Self::PAUSE);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}
/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    for (name, text) in [
        (
            "larder_rate_limit_decisions_total",
            "Requests by what a rate limit decided",
        ),
        (
            "larder_rate_limit_refunds_total",
            "Charges that were given back, or were to be",
        ),
        (
            "larder_rate_limit_unkeyed_total",
            "Requests for which no visitor was found",
        ),
        (
            "larder_rate_limit_key_timeouts_total",
            "Functions that did not find the visitor in time",
        ),
        (
            "larder_rate_limit_shared_total",
            "Requests that a quota decided which visitors share",
        ),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
}
