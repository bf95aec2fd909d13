use std::time::Duration;

/// The decision of a limiter about one request.
///
/// In a policy of several rules one rule decides: the rule that makes a refused request wait longest, or, if the
/// request passes, the rule with the fewest units left. [`Report`](crate::Report) has the decision of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a refused request must not be served"]
pub struct Decision {
    pub(crate) allowed: bool,
    /// None if it is allowed.
    pub(crate) reason: Option<Reason>,
    /// The index of the deciding rule.
    pub(crate) rule: u8,
    pub(crate) account: Account,
    pub(crate) remaining: u32,
    /// Whether any rule of a policy has a fifth of its units left, or less. A [`Gcra`](crate::Gcra) leaves it false.
    pub(crate) is_near_limit: bool,
    /// The requested units.
    pub(crate) cost: u32,
    pub(crate) retry_after_us: i64,
    pub(crate) reset_us: i64,
    /// How long until one more unit comes back, or [`BY_GCRA`](Self::BY_GCRA).
    pub(crate) more_us: i64,
    /// When the charge is paid off; for a [`Usage`](crate::Usage), when it was made. 0 if nothing was charged.
    pub(crate) paid_off_us: i64,
    /// How much longer a ban lasts. 0 if there is none.
    pub(crate) ban_us: i64,
}

/// Why a request was refused.
///
/// The first three come from a [`RateLimiter`](crate::RateLimiter), the others from a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The quota of a rule is used up.
    Quota,
    /// The maximum number of concurrent requests, or of open reservations, is reached.
    Concurrency,
    /// The visitor is banned: by an operator, or after too many refusals.
    Ban,
    /// This process remembers a refusal whose time is not over. The store was not called.
    Remembered,
    /// A list denies the visitor.
    Denied,
    /// The store failed, and the limit refuses without it.
    StoreFailed,
}

impl Reason {
    /// Returns the reason as a label of metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Concurrency => "concurrency",
            Self::Ban => "ban",
            Self::Remembered => "remembered",
            Self::Denied => "denied",
            Self::StoreFailed => "store_failed",
        }
    }
}

/// The record by which a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    /// The visitor's own.
    Own,
    /// One that is shared by visitors, because the store has no room for their own, and a hash of the rules by which
    /// it was charged.
    Shared(Sharing, u32),
}

/// The visitors who share a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sharing {
    /// A few of those with the same rules.
    Few,
    /// All with the same rules. Used if there is no room for the records of few.
    SameRules,
    /// All. Used if there is no room for a record of those with the same rules either.
    All,
}

impl Decision {
    /// Marks a decision by the limiter's own [`Gcra`](crate::Gcra), which computes when one more unit comes back.
    pub(crate) const BY_GCRA: i64 = -1;

    /// Makes the decision of a limit that limits nothing.
    pub(crate) const fn unlimited(cost: u32) -> Self {
        Self {
            allowed: true,
            reason: None,
            rule: 0,
            account: Account::Own,
            remaining: u32::MAX,
            is_near_limit: false,
            cost,
            retry_after_us: 0,
            reset_us: 0,
            more_us: 0,
            paid_off_us: 0,
            ban_us: 0,
        }
    }

    /// Returns the decision of a request for this many units.
    pub(crate) fn costing(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// Returns whether the request is refused for the whole wait, unless something is given back. A place may come
    /// back at any moment.
    pub(crate) fn is_lasting_refusal(&self) -> bool {
        matches!(self.reason, Some(Reason::Quota | Reason::Ban))
    }

    /// Refuses the request because of another one in front of it, which waits for at least this long.
    pub(crate) fn behind(self, reason: Reason, wait: Duration) -> Self {
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Self {
            allowed: false,
            reason: self.reason.or(Some(reason)),
            retry_after_us: self.retry_after_us.max(wait_us),
            ..self
        }
    }

    /// Returns whether the request may pass.
    pub const fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Returns why the request was refused. None if it may pass.
    pub const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// Returns the index of the deciding rule, among the [rules](crate::Policy::rules) of the visitor's policy.
    pub const fn rule(&self) -> usize {
        self.rule as usize
    }

    /// Returns how many units were requested.
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// Returns whether the visitor was charged.
    ///
    /// A refusal, a peek and a refund charge nothing. A reservation is a charge of its estimate.
    pub const fn is_charged(&self) -> bool {
        self.paid_off_us != 0
    }

    /// Returns whether the decision came from a quota that the visitor shares with others.
    ///
    /// Visitors share quotas while an in-process store has no room for records of their own.
    pub const fn is_shared(&self) -> bool {
        !matches!(self.account, Account::Own)
    }

    /// Returns how many units are left, after this request.
    ///
    /// It is `u32::MAX` for a [policy without rules](crate::Policy::unlimited).
    pub const fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Returns how long until the same request passes, if nothing else is charged meanwhile.
    ///
    /// It is exact to the microsecond, and zero if the request passes now. It counts reservations and permits as
    /// held until they end by themselves; one that comes back earlier may let the request pass earlier. For a
    /// banned visitor, it is the time until after the ban.
    pub const fn retry_after(&self) -> Duration {
        Duration::from_micros(self.retry_after_us.unsigned_abs())
    }

    /// Returns how long until the whole burst is available again, if nothing else is charged meanwhile.
    ///
    /// It is exact to the microsecond. During a ban it is the longer of the two times.
    pub const fn reset(&self) -> Duration {
        Duration::from_micros(self.reset_us.unsigned_abs())
    }
}
