//! The stored state of one rule, and how each algorithm uses it. A charge makes a count at most twice its limit,
//! which limits debt. More than that has been counted under a larger limit, and stays. `lua/rules.lua` does the
//! same.

mod load;

use super::rule_args::RuleArgs;

pub(super) use load::Look;

/// The state of one rule. Moments are in microseconds.
#[derive(Clone, Debug)]
pub(super) enum State {
    Gcra {
        tat: i64,
        interval: i64,
        tolerance: i64,
    },
    Window {
        start: i64,
        ends: i64,
        used: i64,
        limit: i64,
    },
    Sliding {
        start: i64,
        this: i64,
        last: i64,
        limit: i64,
    },
    /// The moment of each unit, oldest first.
    Log { limit: i64, log: Vec<i64> },
    /// They are in the holds.
    Permits,
}

impl State {
    pub(super) fn tag(&self) -> char {
        match self {
            Self::Gcra { .. } => 'g',
            Self::Window { .. } => 'w',
            Self::Sliding { .. } => 's',
            Self::Log { .. } => 'l',
            Self::Permits => 'k',
        }
    }

    /// Returns the numbers as people see them. A log shows its length and its ends.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Gcra {
                tat,
                interval,
                tolerance,
            } => format!("{tat},{interval},{tolerance}"),
            Self::Window {
                start,
                ends,
                used,
                limit,
            } => format!("{start},{ends},{used},{limit}"),
            Self::Sliding {
                start,
                this,
                last,
                limit,
            } => format!("{start},{this},{last},{limit}"),
            Self::Log { limit, log } => {
                let end = |moment: Option<&i64>| moment.map_or(String::new(), i64::to_string);
                let (first, last) = (end(log.first()), end(log.last()));
                format!("{limit},{},{first},{last}", log.len())
            }
            Self::Permits => String::new(),
        }
    }

    /// Returns the units that count now. Permits are counted by their holds.
    pub(super) fn used(&self, rule: &RuleArgs, at: i64) -> i64 {
        match *self {
            Self::Gcra { tat, interval, .. } => div_up(tat - at, interval),
            Self::Window { used, .. } => used,
            Self::Sliding {
                start, this, last, ..
            } => {
                let (slice, slices) = slices(rule.period());
                let gone = ((at - start).max(0) / slice).min(slices);
                this + div_up(last * (slices - gone), slices)
            }
            Self::Log { ref log, .. } => log.len() as i64,
            Self::Permits => 0,
        }
    }

    /// Returns how long until `units`, at most the limit, pass. Zero or less if they pass now.
    pub(super) fn wait(&self, rule: &RuleArgs, units: i64, at: i64) -> i64 {
        let limit = rule.limit();
        match *self {
            Self::Gcra {
                tat,
                interval,
                tolerance,
            } => tat + units * interval - tolerance - at,
            Self::Window { used, ends, .. } if used + units > limit => ends - at,
            Self::Sliding {
                start, this, last, ..
            } if self.used(rule, at) + units > limit => {
                let (room, period) = (limit - units - this, rule.period());
                match room {
                    0.. => left_at(period, start, last, room) - at,
                    _ => left_at(period, start + period, this, limit - units) - at,
                }
            }
            Self::Log { ref log, .. } => match log.len() as i64 + units - limit {
                i @ 1.. => log[i as usize - 1] + rule.period() - at,
                _ => 0,
            },
            Self::Window { .. } | Self::Sliding { .. } | Self::Permits => 0,
        }
    }

    /// Returns how long until nothing counts any more.
    pub(super) fn reset(&self, rule: &RuleArgs, at: i64) -> i64 {
        match *self {
            Self::Gcra { tat, .. } => tat - at,
            Self::Window {
                used: 1.., ends, ..
            } => ends - at,
            Self::Sliding {
                this: 1.., start, ..
            } => start + 2 * rule.period() - at,
            Self::Sliding {
                last: 1.., start, ..
            } => start + rule.period() - at,
            Self::Log { ref log, .. } => log.last().map_or(0, |last| last + rule.period() - at),
            Self::Window { .. } | Self::Sliding { .. } | Self::Permits => 0,
        }
    }

    /// Charges `units`, even past the limit.
    pub(super) fn charge(&mut self, units: i64, at: i64) {
        match self {
            Self::Gcra {
                tat,
                interval,
                tolerance,
            } => *tat = (*tat + span(units, *interval, *tolerance)).min(at + 2 * *tolerance),
            Self::Window { used, limit, .. } => *used = (*used + units).min(2 * *limit).max(*used),
            Self::Sliding { this, limit, .. } => *this = (*this + units).min(2 * *limit).max(*this),
            Self::Log { limit, log } => {
                let units = units.min(2 * *limit - log.len() as i64).max(0);
                log.extend(std::iter::repeat_n(at, units as usize));
            }
            Self::Permits => {}
        }
    }

    /// Sets the used units.
    pub(super) fn set(&mut self, units: i64, at: i64) {
        match self {
            Self::Gcra {
                tat,
                interval,
                tolerance,
            } => *tat = at + span(units, *interval, *tolerance),
            Self::Window { used, limit, .. } => *used = units.min(2 * *limit),
            Self::Sliding {
                this, last, limit, ..
            } => (*this, *last) = (units.min(2 * *limit), 0),
            Self::Log { log, limit } => *log = vec![at; units.min(2 * *limit).max(0) as usize],
            Self::Permits => {}
        }
    }

    /// Gives back what was charged at `moment`, unless it has come back by itself.
    pub(super) fn give_back(&mut self, rule: &RuleArgs, units: i64, moment: i64, at: i64) {
        match self {
            Self::Gcra {
                tat,
                interval,
                tolerance,
            } => {
                let charge = span(units, *interval, *tolerance);
                let back = (moment + charge - at).clamp(0, charge);
                *tat = (*tat - back).max(at);
            }
            Self::Window {
                start, ends, used, ..
            } => {
                if (*start..*ends).contains(&moment) {
                    *used = (*used - units).max(0);
                }
            }
            Self::Sliding {
                start, this, last, ..
            } => {
                if moment >= *start {
                    *this = (*this - units).max(0);
                } else if moment >= *start - rule.period() {
                    *last = (*last - units).max(0);
                }
            }
            Self::Log { log, .. } => {
                let end = log.partition_point(|it| *it <= moment);
                let begin = log.partition_point(|it| *it < moment);
                log.drain(begin.max(end.saturating_sub(units as usize))..end);
            }
            Self::Permits => {}
        }
    }
}

/// Cuts a period into slices, so that all products stay below 2^53. Returns their length and their number.
fn slices(period: i64) -> (i64, i64) {
    let slice = div_up(period, 1 << 19);
    (slice, div_up(period, slice))
}

/// Returns when a count that begins to leave at `start` is at most `room`.
fn left_at(period: i64, start: i64, count: i64, room: i64) -> i64 {
    let (slice, slices) = slices(period);
    start + ((slices - room * slices / count) * slice).min(period)
}

/// Returns how long this many units take to come back, at most for twice the burst.
fn span(units: i64, interval: i64, tolerance: i64) -> i64 {
    units.min(2 * (tolerance / interval)) * interval
}

/// Divides numbers that are not negative, and rounds up.
fn div_up(dividend: i64, divisor: i64) -> i64 {
    (dividend + divisor - 1) / divisor
}
