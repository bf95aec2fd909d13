use std::time::Duration;

use larder_store::Result;

use crate::quota::invalid;
use crate::{Decision, Quota};

/// The generic cell rate algorithm, for one [`Quota`] and one cost: integers in, integers out.
///
/// It is the virtual scheduling form of ITU-T I.371 (annex A) and of the ATM Forum's Traffic
/// Management Specification 4.1 (section 4.4.3). All it keeps for a visitor is the theoretical
/// arrival time (TAT): when everything that was charged so far will have been paid off, at one
/// unit for each interval.
///
/// 1. A TAT in the past, or none, is now: nobody saves up more than the burst.
/// 2. The TAT with this request is the TAT plus one interval for each unit that it costs.
/// 3. The request passes if that is at most `burst` intervals from now. The new TAT is then kept.
/// 4. A request that is refused is not charged, so hammering postpones nothing.
/// 5. A TAT more than `burst` intervals ahead is none that this quota wrote: the clock went back,
///    or the quota was changed. It is cut to `burst` intervals, once, so that nobody waits longer
///    than a visitor who has just used everything.
/// 6. A refund takes the TAT back by what the request was charged, and never before now. What was
///    charged first is paid off first, and what time has paid off is not given back. So at the same
///    moment it is as if the request had not been. One that comes later may fall short; where several
///    do, by a good part of an interval, they may give back some of what was charged in between. In
///    all, no more is given back than was charged.
///
/// As a [`Program`](larder_store::Program) it charges one visitor in one atomic step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gcra {
    /// Microseconds for one unit to come back: at least one.
    pub(crate) interval: i64,
    /// Microseconds for the whole burst to come back.
    pub(crate) tolerance: i64,
    /// Microseconds for the cost of this request to come back: at most the tolerance.
    pub(crate) charge: i64,
}

/// What becomes of the TAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It stays as it is.
    Keep,
    /// It becomes this moment, in microseconds.
    Set(i64),
    /// It is now, which is the same as none.
    Clear,
}

impl Gcra {
    /// The algorithm for requests that cost `cost` units of `quota`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the quota is out of its
    /// [bounds](Quota), or if the cost is 0 or more than the burst: such a request would never pass.
    pub fn new(quota: Quota, cost: u32) -> Result<Self> {
        let interval = quota.interval_micros()?;
        let tolerance = quota.burst_micros()?;
        if cost == 0 || cost > quota.burst() {
            return Err(invalid(
                "the cost of a request must be at least 1 and at most the burst of its quota",
            ));
        }
        Ok(Self {
            interval,
            tolerance,
            // No more than the tolerance, which was multiplied without overflow.
            charge: interval * i64::from(cost),
        })
    }

    /// Charges one request at `now`, where `tat` was kept, and tells what to keep.
    pub(crate) fn charge(&self, tat: Option<i64>, now: i64) -> (Decision, Change) {
        let kept = tat.unwrap_or(now).max(now);
        let tat = kept.min(now + self.tolerance);
        let charged = tat + self.charge;
        let wait = charged - self.tolerance - now;
        if wait > 0 {
            let change = if kept > tat {
                Change::Set(tat)
            } else {
                Change::Keep
            };
            (self.refused(wait, tat - now), change)
        } else {
            let mut decision = self.allowed(charged - now);
            decision.paid_off_us = charged;
            (decision, Change::Set(charged))
        }
    }

    /// Gives back at `now` what was charged until `paid_off`, where `tat` is kept, and tells what to
    /// keep and what the same request would be told.
    pub(crate) fn refund(&self, tat: Option<i64>, paid_off: i64, now: i64) -> (Decision, Change) {
        let kept = tat.unwrap_or(now).max(now);
        let back = (paid_off - now).clamp(0, self.charge);
        let refunded = (kept.min(now + self.tolerance) - back).max(now);
        let change = if refunded == now {
            Change::Clear
        } else if refunded < kept {
            Change::Set(refunded)
        } else {
            Change::Keep
        };
        (self.peek(Some(refunded), now), change)
    }

    /// What [`charge`](Self::charge) would decide, with nothing charged.
    pub(crate) fn peek(&self, tat: Option<i64>, now: i64) -> Decision {
        let tat = tat.unwrap_or(now).clamp(now, now + self.tolerance);
        let wait = tat + self.charge - self.tolerance - now;
        if wait > 0 {
            self.refused(wait, tat - now)
        } else {
            self.allowed(tat - now)
        }
    }

    /// How long until one unit more than what remains may be used: until then, what remains is all
    /// there is. Zero where the whole burst remains.
    pub(crate) fn until_more(&self, decision: &Decision) -> Duration {
        let with_one_more = (i64::from(decision.remaining) + 1) * self.interval;
        let wait = decision.reset_us - (self.tolerance - with_one_more);
        if with_one_more > self.tolerance {
            return Duration::ZERO;
        }
        Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }

    fn allowed(&self, reset_us: i64) -> Decision {
        self.decision(true, 0, reset_us)
    }

    fn refused(&self, retry_after_us: i64, reset_us: i64) -> Decision {
        self.decision(false, retry_after_us, reset_us)
    }

    fn decision(&self, allowed: bool, retry_after_us: i64, reset_us: i64) -> Decision {
        // The reset is between nothing and the tolerance, so this is between nothing and the
        // burst, which is a u32.
        let remaining = ((self.tolerance - reset_us) / self.interval) as u32;
        Decision {
            allowed,
            remaining,
            retry_after_us,
            reset_us,
            paid_off_us: 0,
            is_shared: false,
        }
    }
}

#[cfg(test)]
mod refunds;
#[cfg(test)]
mod tests;
