//! One limit of a policy: an algorithm with its numbers.

use std::time::Duration;

use larder_store::Result;

use crate::Quota;
use crate::quota::invalid;
use crate::window::Window;

/// An algorithm that limits.
///
/// `limit` is the number of units, and `window` the time for which they are counted:
///
/// | algorithm | maximum that passes in any `window` | stored state |
/// |---|---|---|
/// | GCRA, token bucket | `burst + limit` | one moment |
/// | fixed window | `2 * limit`, across an edge | one count |
/// | sliding window | `2 * limit - 1`, if each comes at its worst moment | two counts |
/// | sliding log | `limit` | a moment for each unit |
/// | concurrency | `limit` at once | a lease for each request |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// The generic cell rate algorithm: units come back one by one.
    Gcra,
    /// A bucket of tokens that is refilled steadily. Its arithmetic is GCRA's.
    TokenBucket,
    /// A count that starts again with each window.
    FixedWindow,
    /// The count of this window, and the part of the last window's count that is still within reach.
    SlidingWindow,
    /// The moment of each unit, so that no window at all exceeds the limit.
    SlidingLog,
    /// The requests that are being served.
    Concurrency,
}

/// One limit of a [`Policy`](crate::Policy): an algorithm with its numbers.
///
/// ```
/// use std::time::Duration;
/// use larder_rate_limit::{Quota, Rule, Window};
///
/// let pages = Rule::gcra(Quota::per_minute(100).with_burst(20));
/// let tokens = Rule::token_bucket(Quota::per_second(50).with_burst(1_000));
/// let daily = Rule::fixed_window(5_000, Window::every(Duration::from_secs(86_400)));
/// let codes = Rule::sliding_log(5, Duration::from_secs(900));
/// let reports = Rule::concurrency(3, Duration::from_secs(60));
/// # let _ = (pages, tokens, daily, codes, reports);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub(crate) algorithm: Algorithm,
    pub(crate) quota: Quota,
    /// The window of a fixed window.
    pub(crate) window: Option<Window>,
}

impl Rule {
    /// The maximum number of units of a [`sliding_log`](Self::sliding_log): 1,000. Each takes 16 bytes.
    pub const MAX_LOG: u32 = 1_000;

    /// The maximum number of requests of a [`concurrency`](Self::concurrency) rule: 1,000. Each takes some
    /// 40 bytes.
    pub const MAX_CONCURRENCY: u32 = 1_000;

    /// Lets units come back one by one, by GCRA: the default, and the cheapest.
    ///
    /// In any time `t` at most `burst + t / interval` units pass.
    pub const fn gcra(quota: Quota) -> Self {
        Self::new(Algorithm::Gcra, quota)
    }

    /// Takes tokens from a bucket that holds `burst` and gets `limit` more each `period`, steadily.
    ///
    /// GCRA counts the same in time instead of tokens, so both decide alike.
    pub const fn token_bucket(quota: Quota) -> Self {
        Self::new(Algorithm::TokenBucket, quota)
    }

    /// Allows `limit` units in each `window`.
    ///
    /// Up to `2 * limit` pass within a moment, at the edge between two windows.
    pub fn fixed_window(limit: u32, window: Window) -> Self {
        Self {
            window: Some(window.clone()),
            ..Self::new(Algorithm::FixedWindow, Quota::new(limit, window.period()))
        }
    }

    /// Allows `limit` units in a sliding window, estimated from two counts.
    ///
    /// The last window's count is weighted by the part of it that lies within `period`, rounded up. That is
    /// exact if its units came evenly; if they came at its end, up to `2 * limit - 1` pass within `period`.
    pub const fn sliding_window(limit: u32, period: Duration) -> Self {
        Self::new(Algorithm::SlidingWindow, Quota::new(limit, period))
    }

    /// Allows `limit` units within any `period`, exactly.
    ///
    /// It keeps a moment for each unit, so the limit is at most [`MAX_LOG`](Self::MAX_LOG). Use it for few
    /// and expensive units, such as codes by SMS.
    pub const fn sliding_log(limit: u32, period: Duration) -> Self {
        Self::new(Algorithm::SlidingLog, Quota::new(limit, period))
    }

    /// Allows `limit` requests at once, across all processes.
    ///
    /// Each request holds a [`Permit`](crate::Permit), which comes back when it is dropped, or after `lease`
    /// if its process has died. Choose a lease that is longer than any request takes, or
    /// [renew](crate::Permit::renew) the permit.
    pub const fn concurrency(limit: u32, lease: Duration) -> Self {
        Self::new(Algorithm::Concurrency, Quota::new(limit, lease))
    }

    const fn new(algorithm: Algorithm, quota: Quota) -> Self {
        Self {
            algorithm,
            quota,
            window: None,
        }
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the limit, the period and the burst.
    ///
    /// For a fixed window the period is its maximum length, and for a concurrency rule the lease.
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Returns the window of a fixed window.
    pub const fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Refuses numbers that no store can count with.
    pub(crate) fn validate(&self) -> Result<()> {
        self.quota.burst_micros_within(MAX_PERIOD_US)?;
        let most = match self.algorithm {
            Algorithm::SlidingLog => Self::MAX_LOG,
            Algorithm::Concurrency => Self::MAX_CONCURRENCY,
            _ => u32::MAX,
        };
        if self.quota.limit() > most {
            return Err(invalid(
                "a sliding log or a concurrency rule allows at most 1,000 units: use another algorithm",
            ));
        }
        Ok(())
    }
}

/// The longest period of a rule in a policy: ten years of 366 days.
pub(crate) const MAX_PERIOD_US: i64 = 10 * 366 * 86_400 * 1_000_000;

impl From<Quota> for Rule {
    fn from(quota: Quota) -> Self {
        Self::gcra(quota)
    }
}
