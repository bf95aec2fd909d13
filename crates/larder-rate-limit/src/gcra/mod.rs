use std::time::Duration;

use larder_store::Result;

use crate::decision::Account;
use crate::plan::too_much;
use crate::{Decision, Quota, Reason};

/// The generic cell rate algorithm for one [`Quota`] and one cost, in integers.
///
/// It is the virtual scheduling form of ITU-T I.371 (annex A) and of the ATM Forum's Traffic Management
/// Specification 4.1 (section 4.4.3). It keeps one number for each visitor, the theoretical arrival time
/// (TAT): the moment at which everything charged so far is paid off, at one unit for each interval.
///
/// 1. A TAT in the past, or none, counts as now. Nobody saves up more than the burst.
/// 2. A request moves the TAT forward by one interval for each unit that it costs.
/// 3. The request passes if the new TAT is at most `burst` intervals from now. Only then is the new TAT
///    kept.
/// 4. A refused request is not charged, so repeated attempts postpone nothing.
/// 5. This quota never writes a TAT more than `burst` intervals ahead. If a stored TAT is further ahead,
///    after the clock went back or the quota changed, it is cut to `burst` intervals. Nobody waits
///    longer than a visitor who has just used the whole burst.
/// 6. A refund moves the TAT back by the charge of the request, and never before now. Charges are paid
///    off in their order, and what is paid off is not given back. An immediate refund leaves the state
///    as before the request. A later one may give back less. Several that come late by a good part of an
///    interval may give back some of what was charged in between, but in all never more than was
///    charged.
///
/// As a [`Program`](larder_store::program::Program) it charges one visitor in one atomic step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gcra {
    /// Microseconds for one unit to come back: at least one.
    pub(crate) interval: i64,
    /// Microseconds for the whole burst to come back.
    pub(crate) tolerance: i64,
    /// Microseconds for the cost of this request to come back: at most the tolerance.
    pub(crate) charge: i64,
}

/// The change of a record's TAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It stays as it is.
    Keep,
    /// It is set to this moment, in microseconds.
    Set(i64),
    /// It is removed: a TAT of now means the same as no TAT.
    Clear,
}

impl Gcra {
    /// Limits requests that cost `cost` units of `quota` each.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the quota is out of its
    /// [bounds](Quota), or if the cost is 0 or more than the burst: such a request would never pass.
    pub fn new(quota: Quota, cost: u32) -> Result<Self> {
        let interval = quota.interval_micros()?;
        let tolerance = quota.burst_micros()?;
        if cost == 0 || cost > quota.burst() {
            return Err(too_much());
        }
        Ok(Self {
            interval,
            tolerance,
            // This does not exceed the tolerance, which was multiplied without overflow.
            charge: interval * i64::from(cost),
        })
    }

    /// Charges one request at `now` to a record with `tat`.
    #[inline]
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

    /// Refunds at `now`, to a record with `tat`, the charge that is paid off at `paid_off`. The decision
    /// is that of a later [`peek`](Self::peek).
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

    /// Returns what [`charge`](Self::charge) would decide, and charges nothing.
    pub(crate) fn peek(&self, tat: Option<i64>, now: i64) -> Decision {
        let tat = tat.unwrap_or(now).clamp(now, now + self.tolerance);
        let wait = tat + self.charge - self.tolerance - now;
        if wait > 0 {
            self.refused(wait, tat - now)
        } else {
            self.allowed(tat - now)
        }
    }

    /// Returns how long until one more unit comes back. Zero if the whole burst remains.
    #[inline]
    pub(crate) fn until_more(&self, decision: &Decision) -> Duration {
        let with_one_more = (i64::from(decision.remaining) + 1) * self.interval;
        let wait = decision.reset_us - (self.tolerance - with_one_more);
        if with_one_more > self.tolerance {
            return Duration::ZERO;
        }
        Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }

    /// Returns the decision about a visitor with `tat` who is banned until then.
    pub(crate) fn banned(&self, tat: i64, until: i64, now: i64) -> Decision {
        let reset_us = tat.clamp(now, now + self.tolerance) - now;
        let ban_us = until - now;
        let wait = (reset_us + self.charge - self.tolerance).max(ban_us);
        Decision {
            reset_us: reset_us.max(ban_us),
            ban_us,
            ..self.decision(Some(Reason::Ban), wait, reset_us)
        }
    }

    /// Returns the same algorithm for requests that cost `cost` units.
    ///
    /// # Errors
    /// Those of [`new`](Self::new) about the cost.
    pub(crate) fn with_cost(mut self, cost: u32) -> Result<Self> {
        if cost == 0 || cost > self.burst() {
            return Err(too_much());
        }
        self.charge = self.interval * i64::from(cost);
        Ok(self)
    }

    /// Returns the maximum number of units at once.
    pub(crate) fn burst(&self) -> u32 {
        // It was computed from a u32.
        (self.tolerance / self.interval) as u32
    }

    fn allowed(&self, reset_us: i64) -> Decision {
        self.decision(None, 0, reset_us)
    }

    fn refused(&self, retry_after_us: i64, reset_us: i64) -> Decision {
        self.decision(Some(Reason::Quota), retry_after_us, reset_us)
    }

    #[inline]
    fn decision(&self, reason: Option<Reason>, retry_after_us: i64, reset_us: i64) -> Decision {
        // The reset is between 0 and the tolerance, so this is between 0 and the burst, a u32.
        let remaining = ((self.tolerance - reset_us) / self.interval) as u32;
        Decision {
            allowed: reason.is_none(),
            reason,
            rule: 0,
            account: Account::Own,
            remaining,
            is_near_limit: false,
            cost: 0,
            retry_after_us,
            reset_us,
            more_us: Decision::BY_GCRA,
            paid_off_us: 0,
            ban_us: 0,
        }
    }
}

#[cfg(test)]
mod refunds;
#[cfg(test)]
mod tests;
