use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use crate::Decision;
use crate::decision::Account;
use crate::usage::{Answer, RuleArgs};

/// The decision of a limiter about one request, with the decision of each of its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    decision: Decision,
    rules: SmallVec<[Decision; 1]>,
    ban: Duration,
    held: u32,
}

impl Report {
    /// Makes the report of a limiter with one rule.
    pub(crate) fn of_one(decision: Decision) -> Self {
        Self {
            decision,
            rules: smallvec![decision],
            ban: Duration::from_micros(decision.ban_us.unsigned_abs()),
            held: 0,
        }
    }

    pub(crate) fn of(answer: &Answer, rules: &[RuleArgs], cost: u32, account: Account) -> Self {
        Self {
            decision: Decision {
                account,
                ..answer.charged(rules, cost)
            },
            rules: answer.each(rules, cost).collect(),
            ban: Duration::from_micros(answer.ban_us.unsigned_abs()),
            held: answer.holds,
        }
    }

    /// Returns the decision of all rules together.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Returns the decision of each rule, in the order of the policy.
    ///
    /// A request that one rule refuses is charged to none: the decisions of the others show that they
    /// would have allowed it.
    pub fn rules(&self) -> &[Decision] {
        &self.rules
    }

    /// Returns how long the visitor is still banned. None if it is not.
    pub fn ban(&self) -> Option<Duration> {
        (!self.ban.is_zero()).then_some(self.ban)
    }

    /// Returns how many reservations and permits the visitor holds.
    pub fn held(&self) -> u32 {
        self.held
    }
}
