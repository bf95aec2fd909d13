use std::time::Duration;

/// What a limiter says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decision {
    pub(crate) allowed: bool,
    pub(crate) remaining: u32,
    pub(crate) retry_after_us: i64,
    pub(crate) reset_us: i64,
    /// When what was charged is paid off; 0 where nothing was charged.
    pub(crate) paid_off_us: i64,
    pub(crate) account: Account,
}

/// Whose record decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// The visitor's own.
    Own,
    /// One of the many that visitors share for whom there is no room.
    Shared,
    /// The one that those share for whom there is no room among the many.
    Last,
}

impl Decision {
    /// Whether the request may pass.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whether the visitor was charged: not by a refusal, and not by a peek or a refund.
    pub const fn is_charged(&self) -> bool {
        self.paid_off_us != 0
    }

    /// Whether it was decided by a quota that the visitor shares with others, since the store in this
    /// process has no room for a record of its own.
    pub const fn is_shared(&self) -> bool {
        !matches!(self.account, Account::Own)
    }

    /// How many units may be used at once from here on, this request's own already taken off.
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// How long until the same request passes, in whole microseconds, if nothing else is charged
    /// meanwhile; zero where it passes now. One microsecond earlier it does not.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.retry_after_us.unsigned_abs())
    }

    /// How long until the whole burst is back, if nothing else is charged meanwhile, in whole
    /// microseconds.
    pub const fn reset(&self) -> Duration {
        Duration::from_micros(self.reset_us.unsigned_abs())
    }
}
