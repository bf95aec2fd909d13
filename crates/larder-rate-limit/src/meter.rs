//! What an operator sees of a limit: counters and two lines of log, none of which names a visitor.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder_store::Error;
use metrics::{Counter, counter};

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
pub(crate) struct Meter {
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
    key_too_late: Counter,
    shared: Counter,
    is_failing: Arc<AtomicBool>,
    has_told_of_unkeyed: Arc<AtomicBool>,
    told_of_late_keys: Arc<Seldom>,
    told_of_no_room: Arc<Seldom>,
}

impl Meter {
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
            key_too_late: counter!(
                "larder_rate_limit_key_timeouts_total",
                "policy" => policy.to_owned()
            ),
            shared: counter!("larder_rate_limit_shared_total", "policy" => policy.to_owned()),
            is_failing: Arc::default(),
            has_told_of_unkeyed: Arc::default(),
            told_of_late_keys: Arc::default(),
            told_of_no_room: Arc::default(),
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

    /// A charge was given back.
    pub(crate) fn refunded(&self) {
        self.refunded.increment(1);
    }

    /// A charge was to be given back, and the store does not say that it was.
    pub(crate) fn refund_lost(&self, error: &Error) {
        self.refund_lost.increment(1);
        self.store_fails(error);
    }

    /// The store answered.
    pub(crate) fn store_works(&self) {
        if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!(
                policy = &*self.policy,
                "the store of a rate limit works again"
            );
        }
    }

    /// The store gave no answer: told once, until it works again.
    pub(crate) fn store_fails(&self, error: &Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(policy = &*self.policy, %error, "the store of a rate limit fails");
        }
    }

    /// A visitor was charged by a quota that it shares: told once a minute, since visitors with a record
    /// of their own come in between.
    pub(crate) fn shares_a_quota(&self) {
        self.shared.increment(1);
        if self.told_of_no_room.is_time() {
            tracing::warn!(
                policy = &*self.policy,
                "a rate limit has no room for new visitors, who share quotas meanwhile: raise it with \
                 MokaStore::builder().with_cap_of(Tat::KIND, visitors)"
            );
        }
    }

    /// A function did not tell in time who is charged: told once a minute.
    pub(crate) fn key_too_late(&self) {
        self.key_too_late.increment(1);
        if self.told_of_late_keys.is_time() {
            tracing::warn!(
                policy = &*self.policy,
                "a rate limit was not told in time who sent a request"
            );
        }
    }

    /// A request had no key: told once, since it is most often a mistake of the setup.
    pub(crate) fn no_key(&self) {
        self.unkeyed.increment(1);
        if !self.has_told_of_unkeyed.load(Ordering::Relaxed)
            && !self.has_told_of_unkeyed.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                policy = &*self.policy,
                "a rate limit cannot tell who sent a request: does the server give the peer's \
                 address, and the visitor the header?"
            );
        }
    }
}

/// What is told once a minute at most, however often it happens.
#[derive(Default)]
struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    const PAUSE: Duration = Duration::from_secs(60);

    fn is_time(&self) -> bool {
        // Somebody else is telling, or finds that it is too early.
        let Ok(mut last) = self.0.try_lock() else {
            return false;
        };
        let is_time = last.is_none_or(|last| last.elapsed() >= Self::PAUSE);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}
