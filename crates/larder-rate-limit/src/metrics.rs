//! The counters and log lines of a limit. None of them names a visitor.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_layer::StoreHealth;
use larder_store::{Error, ErrorKind};
use metrics::{Counter, Unit, counter, describe_counter};

use crate::{Decision, Reason};

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
    /// The caller decides, because the store failed and there is no layer.
    Failed,
}

const OUTCOMES: [&str; 8] = [
    "allowed",
    "refused",
    "failed_open",
    "failed_closed",
    "local_allowed",
    "local_refused",
    "exempt",
    "failed",
];

/// What a limit in shadow mode would have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shadow {
    Allowed,
    Refused,
    Failed,
}

const SHADOWS: [&str; 3] = ["allowed", "refused", "failed"];

/// Every reason for which a layer refuses.
const REASONS: [Reason; 6] = [
    Reason::Quota,
    Reason::Concurrency,
    Reason::Ban,
    Reason::Remembered,
    Reason::Denied,
    Reason::StoreFailed,
];

const DECISIONS: &str = "larder_rate_limit_decisions_total";
const REFUSALS: &str = "larder_rate_limit_refusals_total";
const SHADOW: &str = "larder_rate_limit_shadow_total";
const NEAR_LIMIT: &str = "larder_rate_limit_near_limit_total";
const REFUNDS: &str = "larder_rate_limit_refunds_total";
const SETTLEMENTS: &str = "larder_rate_limit_settlements_total";
const UNKEYED: &str = "larder_rate_limit_unkeyed_total";
const KEY_TIMEOUTS: &str = "larder_rate_limit_key_timeouts_total";
const SHARED: &str = "larder_rate_limit_shared_total";

/// The counters of one limit. They are made once, so that counting is one atomic addition.
#[derive(Clone)]
pub(crate) struct Metrics {
    policy: Arc<str>,
    decisions: [Counter; OUTCOMES.len()],
    refusals: [Counter; REASONS.len()],
    shadow: [Counter; SHADOWS.len()],
    near_limit: Counter,
    refunded: Counter,
    refund_lost: Counter,
    settled: Counter,
    settlement_lost: Counter,
    unkeyed: Counter,
    key_timed_out: Counter,
    shared: Counter,
    pub(crate) health: StoreHealth,
    logs: Arc<Logs>,
}

#[derive(Default)]
struct Logs {
    has_logged_unkeyed: AtomicBool,
    has_logged_invalid: AtomicBool,
    key_timeout: OncePerMinute,
    shared: OncePerMinute,
}

impl Metrics {
    pub(crate) fn new(policy: &str) -> Self {
        describe_metrics();
        let of = |name: &'static str| counter!(name, "policy" => policy.to_owned());
        let by = |name: &'static str, label: &'static str, value: &'static str| counter!(name, "policy" => policy.to_owned(), label => value);
        Self {
            policy: policy.into(),
            decisions: OUTCOMES.map(|outcome| by(DECISIONS, "outcome", outcome)),
            refusals: REASONS.map(|reason| by(REFUSALS, "reason", reason.as_str())),
            shadow: SHADOWS.map(|outcome| by(SHADOW, "outcome", outcome)),
            near_limit: of(NEAR_LIMIT),
            refunded: by(REFUNDS, "outcome", "done"),
            refund_lost: by(REFUNDS, "outcome", "lost"),
            settled: by(SETTLEMENTS, "outcome", "done"),
            settlement_lost: by(SETTLEMENTS, "outcome", "lost"),
            unkeyed: of(UNKEYED),
            key_timed_out: of(KEY_TIMEOUTS),
            shared: of(SHARED),
            health: StoreHealth::new(format!("rate limit '{policy}'")),
            logs: Arc::default(),
        }
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.decisions[outcome as usize].increment(1);
    }

    /// Counts a request that a limit lets pass.
    #[inline]
    pub(crate) fn passed(&self, outcome: Outcome, decision: &Decision, is_near_limit: bool) {
        self.count(outcome);
        if decision.is_shared() {
            self.shared();
        }
        if is_near_limit {
            self.near_limit.increment(1);
        }
    }

    /// Counts a limiter's refusal, also by its reason.
    pub(crate) fn refusal(&self, decision: &Decision, reason: Reason) {
        self.count(Outcome::Refused);
        self.refused(decision, reason);
    }

    /// Counts a refusal by its reason.
    pub(crate) fn refused(&self, decision: &Decision, reason: Reason) {
        if decision.is_shared() {
            self.shared();
        }
        if let Some(at) = REASONS.iter().position(|other| *other == reason) {
            self.refusals[at].increment(1);
        }
    }

    /// Counts what a limit in shadow mode would have done.
    pub(crate) fn shadow(&self, would: Shadow) {
        self.shadow[would as usize].increment(1);
    }

    /// Logs that a request was not decided. A mistake of the caller is not the store's, and is logged once.
    pub(crate) fn failed(&self, error: &Error) {
        if error.kind() != ErrorKind::Invalid {
            self.health.failed(error);
        } else if !self.logs.has_logged_invalid.swap(true, Ordering::Relaxed) {
            let policy = &*self.policy;
            tracing::warn!(policy, ?error, "the rate limit cannot charge a request");
        }
    }

    /// Counts a charge or a reservation that was given back, or may not have been because the store failed.
    pub(crate) fn refunded(&self, is_done: bool) {
        match is_done {
            true => self.refunded.increment(1),
            false => self.refund_lost.increment(1),
        }
    }

    /// Counts a reservation whose units were charged, or may not have been because the store failed.
    pub(crate) fn settled(&self, is_done: bool) {
        match is_done {
            true => self.settled.increment(1),
            false => self.settlement_lost.increment(1),
        }
    }

    /// Counts a decision of a shared quota. Logged once a minute, since visitors with records of
    /// their own are decided in between.
    fn shared(&self) {
        self.shared.increment(1);
        if self.logs.shared.is_due() {
            tracing::warn!(
                policy = &*self.policy,
                "the rate limit has no room for new visitors, so for now they share quotas: raise its \
                 cap with MokaStore::builder().with_max_keys_of(Tat::KIND, visitors), or with Usage::KIND \
                 if the policy is more than a single quota or visitors have plans"
            );
        }
    }

    /// Counts a function that did not find the key within the timeout. Logged once a minute.
    pub(crate) fn key_timed_out(&self) {
        self.key_timed_out.increment(1);
        if self.logs.key_timeout.is_due() {
            tracing::warn!(
                policy = &*self.policy,
                "the function that finds the visitor did not answer within the timeout"
            );
        }
    }

    /// Counts a request without a key. Logged once, since usually the setup is at fault.
    pub(crate) fn unkeyed(&self, lacks_address: bool) {
        self.unkeyed.increment(1);
        let has_logged = &self.logs.has_logged_unkeyed;
        if has_logged.load(Ordering::Relaxed) || has_logged.swap(true, Ordering::Relaxed) {
            return;
        }
        let policy = &*self.policy;
        match lacks_address {
            true => tracing::warn!(
                policy,
                "the rate limit found no peer address in a request: with axum, enable larder's feature \
                 `axum` and serve `app.into_make_service_with_connect_info::<SocketAddr>()`; with \
                 another server, insert a `PeerAddr` into each request"
            ),
            false => tracing::warn!(
                policy,
                "the rate limit found no key in a request: check that the client sends the header, and \
                 that the function finds what it looks for"
            ),
        }
    }
}

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    for (name, text) in [
        (DECISIONS, "Requests, by what a rate limit decided."),
        (REFUSALS, "Requests that a rate limit refused, by reason."),
        (
            SHADOW,
            "Requests, by what a rate limit in shadow mode would have decided.",
        ),
        (
            NEAR_LIMIT,
            "Requests that passed and left a fifth of the quota or less.",
        ),
        (
            REFUNDS,
            "Refunded charges, cancelled reservations, and refunds that failed.",
        ),
        (
            SETTLEMENTS,
            "Settled reservations, and settlements that failed.",
        ),
        (UNKEYED, "Requests for which no visitor was found."),
        (
            KEY_TIMEOUTS,
            "Functions that did not find the visitor in time.",
        ),
        (SHARED, "Requests decided by a quota that visitors share."),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Limits a log line to one a minute.
#[derive(Default)]
pub(crate) struct OncePerMinute(Mutex<Option<Instant>>);

impl OncePerMinute {
    const PAUSE: Duration = Duration::from_secs(60);

    pub(crate) fn is_due(&self) -> bool {
        // Another thread is logging, or has found that it is too early.
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
