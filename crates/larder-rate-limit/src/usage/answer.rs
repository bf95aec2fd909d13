use larder_store::program::prelude::*;
use smallvec::SmallVec;

use super::rule_args::RuleArgs;
use crate::decision::Account;
use crate::{Decision, Reason};

/// How long until each rule lets a request pass, in microseconds.
pub(super) type Waits = SmallVec<[i64; 2]>;

/// The answer of a program on a visitor's usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) passes: bool,
    pub(crate) ban_us: i64,
    pub(super) until_room_us: i64,
    pub(crate) holds: u32,
    /// The additional answer of a program: the moment of a charge, or whether a hold was there.
    pub(crate) says: i64,
    pub(crate) rules: SmallVec<[RuleReport; 2]>,
}

/// The report of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RuleReport {
    pub(crate) wait_us: i64,
    pub(crate) remaining: u32,
    pub(crate) reset_us: i64,
    pub(crate) more_us: i64,
}

impl Answer {
    /// Returns the decision of each rule.
    pub(crate) fn each<'a>(
        &'a self,
        rules: &'a [RuleArgs],
        cost: u32,
    ) -> impl Iterator<Item = Decision> + 'a {
        self.rules
            .iter()
            .zip(rules)
            .enumerate()
            .map(move |(i, (rule, args))| Decision {
                allowed: rule.wait_us == 0,
                reason: (rule.wait_us > 0).then(|| reason_of(rules, i)),
                rule: i as u8,
                account: Account::Own,
                remaining: rule.remaining,
                is_near_limit: rule.is_near_limit(args),
                cost,
                retry_after_us: rule.wait_us,
                reset_us: rule.reset_us,
                more_us: rule.more_us,
                paid_off_us: 0,
                ban_us: 0,
            })
    }

    /// Returns the decision of all rules together about a request for `cost` units.
    pub(crate) fn decision(&self, rules: &[RuleArgs], cost: u32) -> Decision {
        let tightest = self.rules.iter().enumerate();
        let tightest = match self.passes {
            true => tightest.min_by_key(|(_, rule)| rule.remaining),
            // The first of those that make it wait longest.
            false => tightest.rev().max_by_key(|(_, rule)| rule.wait_us),
        };
        let Some((i, rule)) = tightest else {
            return Decision::unlimited(cost);
        };
        let refused = |reason, wait_us: i64| (Some(reason), wait_us);
        let (reason, retry_after_us) = if self.passes {
            (None, 0)
        } else if self.ban_us > 0 {
            // The used up quota may last longer than the ban.
            let quota_us = rule.wait_us.max(self.until_room_us);
            refused(Reason::Ban, quota_us.max(self.ban_us))
        } else if self.until_room_us > rule.wait_us {
            refused(Reason::Concurrency, self.until_room_us)
        } else {
            refused(reason_of(rules, i), rule.wait_us)
        };
        Decision {
            allowed: self.passes,
            reason,
            rule: i as u8,
            account: Account::Own,
            remaining: rule.remaining,
            is_near_limit: self
                .rules
                .iter()
                .zip(rules)
                .any(|(rule, args)| rule.is_near_limit(args)),
            cost,
            retry_after_us,
            reset_us: rule.reset_us.max(self.ban_us),
            more_us: rule.more_us,
            paid_off_us: 0,
            ban_us: self.ban_us,
        }
    }

    /// Returns the decision about a request, with its charge.
    pub(crate) fn charged(&self, rules: &[RuleArgs], cost: u32) -> Decision {
        Decision {
            paid_off_us: self.says,
            ..self.decision(rules, cost)
        }
    }
}

impl RuleReport {
    /// Returns whether a fifth of the units or less is left.
    fn is_near_limit(&self, args: &RuleArgs) -> bool {
        i64::from(self.remaining) <= args.limit() / 5
    }
}

/// Returns why the rule at this index refuses a request.
fn reason_of(rules: &[RuleArgs], index: usize) -> Reason {
    match rules.get(index) {
        Some(RuleArgs::Permits { .. }) => Reason::Concurrency,
        _ => Reason::Quota,
    }
}

/// Reads `{passes, ban, until room, holds, says, wait, remaining, reset, more, ...}`.
impl FromWire for Answer {
    fn from_wire(wire: Wire) -> Result<Self> {
        let list = wire.list()?;
        if list.len() < 5 || list.len() % 4 != 1 {
            return Err(Wire::unexpected("a report of a limit"));
        }
        let span = |wire: &Wire| match wire.int()? {
            span @ 0.. => Ok(span),
            _ => Err(Wire::unexpected("a span of time")),
        };
        let number = |wire: &Wire| {
            u32::try_from(wire.int()?).map_err(|_| Wire::unexpected("a number below 2^32"))
        };
        let rules = list[5..].chunks_exact(4).map(|rule| {
            Ok(RuleReport {
                wait_us: span(&rule[0])?,
                remaining: number(&rule[1])?,
                reset_us: span(&rule[2])?,
                more_us: span(&rule[3])?,
            })
        });
        Ok(Self {
            rules: rules.collect::<Result<_>>()?,
            passes: span(&list[0])? == 1,
            ban_us: span(&list[1])?,
            until_room_us: span(&list[2])?,
            holds: number(&list[3])?,
            says: span(&list[4])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_lasts_as_long_as_its_longest_cause_and_a_ban_names_it() {
        let (log, permits) = (
            [RuleArgs::Log {
                limit: 1,
                period: 1,
            }],
            [RuleArgs::Permits { limit: 1 }],
        );
        for (rules, ban_us, until_room_us, wait_us, reason, retry_after_us) in [
            (&log, 0, 0, 7, Reason::Quota, 7),
            (&log, 0, 7, 7, Reason::Quota, 7),
            (&log, 0, 9, 7, Reason::Concurrency, 9),
            (&permits, 0, 0, 7, Reason::Concurrency, 7),
            (&log, 5, 0, 7, Reason::Ban, 7),
            (&log, 5, 9, 7, Reason::Ban, 9),
            (&log, 11, 9, 7, Reason::Ban, 11),
        ] {
            let rule = RuleReport {
                wait_us,
                remaining: 0,
                reset_us: 7,
                more_us: 7,
            };
            let answer = Answer {
                passes: false,
                ban_us,
                until_room_us,
                holds: 0,
                says: 3,
                rules: [rule].into_iter().collect(),
            };
            let decision = answer.charged(rules, 1);
            assert_eq!((decision.allowed, decision.reason), (false, Some(reason)));
            let times = (
                decision.retry_after_us,
                decision.ban_us,
                decision.paid_off_us,
            );
            assert_eq!(times, (retry_after_us, ban_us, 3));
        }
    }

    #[test]
    fn an_answer_is_near_the_limit_if_a_fifth_of_any_rule_is_left() {
        let rules = [10, 100].map(|limit| RuleArgs::Log { limit, period: 1 });
        for (left, each_is_near) in [
            ([3, 21], [false, false]),
            ([2, 21], [true, false]),
            ([3, 20], [false, true]),
            ([0, 0], [true, true]),
        ] {
            let reports = left.map(|remaining| RuleReport {
                wait_us: 0,
                remaining,
                reset_us: 7,
                more_us: 7,
            });
            let answer = Answer {
                passes: true,
                ban_us: 0,
                until_room_us: 0,
                holds: 0,
                says: 3,
                rules: reports.into_iter().collect(),
            };
            let each = answer.each(&rules, 1).map(|rule| rule.is_near_limit);
            assert!(each.eq(each_is_near), "{left:?}");
            let is_near = answer.charged(&rules, 1).is_near_limit;
            assert_eq!(is_near, each_is_near.contains(&true), "{left:?}");
        }
    }

    #[test]
    fn a_reply_of_another_form_is_an_error() {
        let read = |list: &[i64]| {
            let list = list.iter().copied().map(Wire::Int).collect();
            Wire::List(list).read::<Answer>()
        };
        let whole = [1, 0, 0, 4, 3, 7, 6, 5, 2];
        let answer = read(&whole).unwrap();
        assert_eq!((answer.passes, answer.holds, answer.says), (true, 4, 3));
        assert_eq!(answer.rules.len(), 1);
        assert_eq!(read(&whole[..5]).unwrap().rules.len(), 0);
        for length in [0, 1, 4, 6, 8] {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            let mut negative = whole;
            negative[at] = -1;
            assert!(read(&negative).is_err(), "{at}");
        }
    }
}
