//! Brings a stored state up to date.

use super::State;
use crate::QuotaChange;
use crate::usage::rule_args::RuleArgs;

/// The moment at which a step runs, and whether it has found outdated state.
pub(in crate::usage) struct Look {
    pub(in crate::usage) at: i64,
    pub(in crate::usage) change: QuotaChange,
    /// Whether the record is outdated, and must be written even if nothing is charged.
    pub(in crate::usage) is_dirty: bool,
}

impl Look {
    /// Returns a count under another limit.
    ///
    /// A share is rounded up to a unit of a smaller limit, and down to one of a larger limit, and a number is not cut
    /// to a smaller limit: so two limits in turn neither add to a count nor lose any of it, and it need not be written
    /// until something is charged.
    fn convert(&self, used: i64, old: i64, new: i64) -> i64 {
        match self.change {
            _ if new == old => used,
            QuotaChange::AsIs => used,
            QuotaChange::Reset => 0,
            QuotaChange::Proportional => {
                // Computed as Lua does, so that both forms round alike.
                let share = used as f64 * new as f64 / old as f64;
                let rounded = match new < old {
                    true => share.ceil(),
                    false => share.floor(),
                };
                (rounded as i64).min(2 * new)
            }
        }
    }

    /// Returns a TAT of other numbers, each an interval and a tolerance.
    ///
    /// It keeps parts of a unit: if it rounded them up, two sets of numbers in turn would add to the used units each
    /// time.
    fn rescale(&mut self, tat: i64, old: [i64; 2], new: [i64; 2]) -> i64 {
        self.is_dirty = true;
        let by = match self.change {
            QuotaChange::Reset => return self.at,
            QuotaChange::AsIs => 0,
            QuotaChange::Proportional => 1,
        };
        // Computed as Lua does. Whole units stay whole.
        let left = (tat - self.at) as f64 / old[by] as f64 * new[by] as f64;
        self.at + ((left + 0.5).floor() as i64).min(2 * new[1])
    }
}

impl State {
    /// Returns the current state of `rule`, given the stored state at its place.
    pub(in crate::usage) fn load(kept: Option<&Self>, rule: &RuleArgs, look: &mut Look) -> Self {
        match *rule {
            RuleArgs::Gcra {
                interval,
                tolerance,
            } => Self::load_gcra(kept, interval, tolerance, look),
            RuleArgs::Sliding { limit, period } => Self::load_sliding(kept, limit, period, look),
            RuleArgs::Log { limit, period } => Self::load_log(kept, limit, period, look),
            RuleArgs::Permits { .. } => Self::Permits,
            RuleArgs::Aligned { .. } | RuleArgs::FromFirst { .. } | RuleArgs::Calendar { .. } => {
                Self::load_window(kept, rule, look)
            }
        }
    }

    fn load_gcra(kept: Option<&Self>, interval: i64, tolerance: i64, look: &mut Look) -> Self {
        let at = look.at;
        let mut now = at;
        if let Some(&Self::Gcra {
            tat,
            interval: old,
            tolerance: reach,
        }) = kept
            && tat > at
        {
            now = tat;
            if (old, reach) != (interval, tolerance) {
                now = look.rescale(tat, [old, reach], [interval, tolerance]);
            } else if tat > at + 2 * tolerance {
                now = at + 2 * tolerance;
                look.is_dirty = true;
            }
        }
        Self::Gcra {
            tat: now,
            interval,
            tolerance,
        }
    }

    fn load_window(kept: Option<&Self>, rule: &RuleArgs, look: &mut Look) -> Self {
        let (at, limit) = (look.at, rule.limit());
        let (new_start, new_ends) = rule.window(at);
        match kept {
            Some(&Self::Window {
                start,
                ends,
                used,
                limit: old,
            }) if ends > at && used > 0 => {
                let is_too_long = ends > rule.latest_end(at);
                look.is_dirty |= is_too_long;
                Self::Window {
                    start: if is_too_long { start.min(at) } else { start },
                    ends: if is_too_long { new_ends } else { ends },
                    used: look.convert(used, old, limit),
                    limit,
                }
            }
            _ => Self::Window {
                start: new_start,
                ends: new_ends,
                used: 0,
                limit,
            },
        }
    }

    fn load_sliding(kept: Option<&Self>, limit: i64, period: i64, look: &mut Look) -> Self {
        let begin = look.at.div_euclid(period) * period;
        match kept {
            Some(&Self::Sliding {
                mut start,
                mut this,
                mut last,
                limit: old,
            }) if this + last > 0 && begin - start < 2 * period => {
                if start > begin + period {
                    start = begin;
                    look.is_dirty = true;
                } else if start < begin {
                    (start, this, last) = (begin, 0, this);
                }
                Self::Sliding {
                    start,
                    this: look.convert(this, old, limit),
                    last: look.convert(last, old, limit),
                    limit,
                }
            }
            _ => Self::Sliding {
                start: begin,
                this: 0,
                last: 0,
                limit,
            },
        }
    }

    fn load_log(kept: Option<&Self>, limit: i64, period: i64, look: &mut Look) -> Self {
        let at = look.at;
        let Some(Self::Log { limit: old, log }) = kept else {
            return Self::Log {
                limit,
                log: Vec::new(),
            };
        };
        let mut gone = log.partition_point(|moment| moment + period <= at);
        let mut ahead = log.len() - log.partition_point(|moment| *moment <= at).max(gone);
        look.is_dirty |= ahead > 0;
        if look.change == QuotaChange::Reset && *old != limit {
            (gone, ahead) = (log.len(), 0);
        }
        let mut log = log[gone..].to_vec();
        let begin = log.len() - ahead;
        log[begin..].fill(at);
        Self::Log { limit, log }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_limits_in_turn_neither_add_to_a_count_nor_lose_any_of_it(
            small in 1_i64..2_000,
            more in 1_i64..2_000,
            used in 0_i64..4_000,
        ) {
            let large = small + more;
            let used = used.min(large);
            let look = Look {
                at: 0,
                change: QuotaChange::Proportional,
                is_dirty: false,
            };
            let of_small = look.convert(used, large, small);
            let of_large = look.convert(of_small, small, large);
            // It is rounded up once, by less than a unit of the smaller limit.
            prop_assert!(of_large >= used && (of_large - used) * small < large);
            prop_assert_eq!(look.convert(of_large, large, small), of_small);
        }
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_kept_is_cut_to_what_can_be_now() {
        let (limit, period) = (5, 100);
        let (sliding, log) = (
            RuleArgs::Sliding { limit, period },
            RuleArgs::Log { limit, period },
        );
        let (interval, tolerance) = (10, 50);
        let gcra = RuleArgs::Gcra {
            interval,
            tolerance,
        };
        let counts = |start| State::Sliding {
            start,
            this: 3,
            last: 2,
            limit,
        };
        let logged = |log: [i64; 3]| State::Log {
            limit,
            log: log.to_vec(),
        };
        let until = |tat, interval| State::Gcra {
            tat,
            interval,
            tolerance: 5 * interval,
        };
        for (rule, kept, shown, is_dirty) in [
            (sliding, counts(900), "1000,0,3,5", false),
            (sliding, counts(1_000), "1000,3,2,5", false),
            (sliding, counts(1_100), "1100,3,2,5", false),
            (sliding, counts(1_200), "1000,3,2,5", true),
            (log, logged([960, 1_000, 1_050]), "5,3,960,1050", false),
            (log, logged([960, 1_000, 1_051]), "5,3,960,1050", true),
            (log, logged([960, 2_000, 3_000]), "5,3,960,1050", true),
            (gcra, until(1_150, 10), "1150,10,50", false),
            (gcra, until(1_151, 10), "1150,10,50", true),
            // What is over has nothing to convert.
            (gcra, until(1_050, 20), "1050,10,50", false),
        ] {
            let mut look = Look {
                at: 1_050,
                change: QuotaChange::AsIs,
                is_dirty: false,
            };
            let state = State::load(Some(&kept), &rule, &mut look);
            assert_eq!(
                (&*state.shown(), look.is_dirty),
                (shown, is_dirty),
                "{kept:?}"
            );
        }
    }
}
