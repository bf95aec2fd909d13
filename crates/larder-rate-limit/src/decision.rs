use std::time::Duration;

/// The decision of a limiter about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(crate) allowed: bool,
    pub(crate) remaining: u32,
    pub(crate) retry_after_us: i64,
    pub(crate) reset_us: i64,
    /// When the charge is paid off; 0 if nothing was charged.
    pub(crate) paid_off_us: i64,
    pub(crate) account: Account,
}

/// The record by which a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// The visitor's own.
    Own,
    /// One of many that are shared by visitors, because the store has no room for their own.
    Shared,
    /// A single one, for visitors whose shared record has no room either.
    Last,
}

impl Decision {
    /// Returns whether the request may pass.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Returns whether the visitor was charged.
    ///
    /// A refusal, a peek and a refund charge nothing.
    pub const fn is_charged(&self) -> bool {
        self.paid_off_us != 0
    }

    /// Returns whether a quota decided that the visitor shares with others.
    ///
    /// Visitors share quotas while the store in this process has no room for records of their own.
    pub const fn is_shared(&self) -> bool {
        !matches!(self.account, Account::Own)
    }

    /// Returns how many units are left, after this request.
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Returns how long until the same request passes, if nothing else is charged meanwhile.
    ///
    /// It is exact to the microsecond, and zero if the request passes now.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.retry_after_us.unsigned_abs())
    }

    /// Returns how long until the whole burst is back, if nothing else is charged meanwhile.
    ///
    /// It is exact to the microsecond.
    pub const fn reset(&self) -> Duration {
        Duration::from_micros(self.reset_us.unsigned_abs())
    }
}
