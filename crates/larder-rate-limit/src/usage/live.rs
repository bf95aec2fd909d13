use std::cell::OnceCell;

use larder_store::program::prelude::*;
use smallvec::SmallVec;

use super::answer::{Answer, RuleReport, Waits};
use super::rule_args::RuleArgs;
use super::state::{Look, State};
use super::{Hold, MAX_HOLDS, Usage};
use crate::QuotaChange;

/// A record as it is at one moment, under the rules of a program.
pub(super) struct Live<'a> {
    pub(super) usage: Usage,
    rules: &'a [RuleArgs],
    look: Look,
    /// The held units and when all of them are back, and when the first and the last hold end.
    held: i64,
    freed: i64,
    first: i64,
    last: i64,
    /// The first hold of units to end.
    soonest: Option<Hold>,
    /// The holds in the order in which they end, once that was needed.
    order: OnceCell<Vec<Hold>>,
}

impl<'a> Live<'a> {
    pub(super) fn load(
        record: &Slot<'_, Usage>,
        rules: &'a [RuleArgs],
        change: QuotaChange,
        now: Timestamp,
    ) -> Self {
        let at = now.as_micros();
        let kept = record.get();
        let mut look = Look {
            at,
            change,
            is_dirty: false,
        };
        let states = rules.iter().enumerate().map(|(i, rule)| {
            let state = kept.and_then(|kept| kept.states.get(i));
            State::load(state, rule, &mut look)
        });
        let mut usage = Usage {
            states: states.collect(),
            ..Usage::default()
        };
        if let Some(kept) = kept {
            if kept.banned_until > at {
                usage.banned_until = kept.banned_until;
            }
            if kept.counted_until > at {
                (usage.counted_until, usage.refusals) = (kept.counted_until, kept.refusals);
            }
            usage.holds.clone_from(&kept.holds);
            usage.holds.retain(|hold| hold.ends > at);
        }
        let mut live = Self {
            usage,
            rules,
            look,
            held: 0,
            freed: at,
            first: at,
            last: at,
            soonest: None,
            order: OnceCell::new(),
        };
        live.tally();
        live
    }

    pub(super) fn at(&self) -> i64 {
        self.look.at
    }

    fn tally(&mut self) {
        let at = self.at();
        let holds = &self.usage.holds;
        self.held = holds.iter().map(|hold| hold.units).sum();
        self.first = holds.iter().map(|hold| hold.ends).min().unwrap_or(at);
        self.last = holds.iter().map(|hold| hold.ends).fold(at, i64::max);
        let with_units = holds.iter().filter(|hold| hold.units > 0);
        self.freed = with_units.clone().map(|hold| hold.ends).fold(at, i64::max);
        self.soonest = with_units.min_by_key(|hold| hold.ends).copied();
        self.order = OnceCell::new();
    }

    /// Returns the holds in the order in which they end.
    ///
    /// There may be many, so they are sorted once, and only for refusals.
    fn ending(&self) -> &[Hold] {
        self.order.get_or_init(|| {
            let mut holds = self.usage.holds.clone();
            holds.sort_unstable_by_key(|hold| hold.ends);
            holds
        })
    }

    /// Returns how long until each rule lets this many units pass.
    pub(super) fn waits(&self, units: i64) -> Waits {
        let states = self.rules.iter().zip(&self.usage.states);
        states
            .map(|(rule, state)| self.wait(rule, state, units))
            .collect()
    }

    fn wait(&self, rule: &RuleArgs, state: &State, units: i64) -> i64 {
        let RuleArgs::Permits { limit } = rule else {
            return self.wait_beside_holds(rule, state, units);
        };
        match usize::try_from(self.usage.holds.len() as i64 - limit) {
            Err(_) => 0,
            Ok(0) => self.first - self.at(),
            // The limit has been lowered since.
            Ok(over) => self.ending()[over].ends - self.at(),
        }
    }

    /// Returns how long until this many units pass beside the held ones, if the holds end one after the other.
    fn wait_beside_holds(&self, rule: &RuleArgs, state: &State, units: i64) -> i64 {
        let at = self.at();
        let wait = |held: i64| {
            let units = held + units;
            (units <= rule.limit()).then(|| state.wait(rule, units, at).max(0))
        };
        let mut held = self.held;
        let mut best = wait(held);
        if held == 0 || best.is_some_and(|best| best <= self.first - at) {
            return best.unwrap_or(1);
        }
        // Often the request passes once the first units are back.
        if let Some(soonest) = self.soonest {
            let soon = soonest.ends - at;
            if wait(held - soonest.units).is_some_and(|wait| wait <= soon) {
                return best.map_or(soon, |best| best.min(soon));
            }
        }
        let mut after = 0;
        for hold in self.ending() {
            (after, held) = (hold.ends - at, held - hold.units);
            if best.is_some_and(|best| best <= after) {
                break;
            }
            best = wait(held).map(|wait| wait.max(after)).or(best);
        }
        best.unwrap_or(after)
    }

    /// Returns how long until there is room for another hold.
    pub(super) fn until_room(&self) -> i64 {
        match self.usage.holds.len() >= MAX_HOLDS {
            true => self.first - self.at(),
            false => 0,
        }
    }

    pub(super) fn passes(&self, waits: &Waits, until_room: i64) -> bool {
        self.usage.banned_until <= self.at() && until_room == 0 && waits.iter().all(|it| *it == 0)
    }

    /// Charges `units` to each rule, even past its limit.
    pub(super) fn charge(&mut self, units: i64) {
        let at = self.at();
        for state in &mut self.usage.states {
            state.charge(units, at);
        }
    }

    pub(super) fn set(&mut self, units: i64) {
        let at = self.at();
        for state in &mut self.usage.states {
            state.set(units, at);
        }
    }

    pub(super) fn give_back(&mut self, units: i64, moment: i64) {
        let at = self.at();
        for (rule, state) in self.rules.iter().zip(&mut self.usage.states) {
            state.give_back(rule, units, moment, at);
        }
    }

    pub(super) fn hold(&mut self, id: i64, hold_us: i64, units: i64) {
        let ends = self.at() + hold_us;
        self.usage.holds.push(Hold { id, ends, units });
        self.tally();
    }

    /// Ends a hold, or holds it for this long from now on. Returns whether it was there.
    pub(super) fn settle(&mut self, id: i64, hold_us: i64) -> bool {
        let ends = self.at() + hold_us;
        let holds = &mut self.usage.holds;
        let is_there = holds.iter().any(|hold| hold.id == id);
        match hold_us {
            0 => holds.retain(|hold| hold.id != id),
            _ => holds
                .iter_mut()
                .filter(|hold| hold.id == id)
                .for_each(|hold| hold.ends = ends),
        }
        self.tally();
        is_there
    }

    /// Counts a refusal, and bans after `most` of them.
    pub(super) fn count_refusal(&mut self, most: i64, within_us: i64, lasts_us: i64) {
        let at = self.at();
        self.look.is_dirty = true;
        let usage = &mut self.usage;
        if usage.refusals == 0 {
            usage.counted_until = at + within_us;
        }
        usage.refusals += 1;
        if usage.refusals >= most {
            usage.banned_until = at + lasts_us;
            (usage.counted_until, usage.refusals) = (0, 0);
        }
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.look.is_dirty
    }

    /// Writes the record, with a TTL until all of it is over.
    pub(super) fn keep(self, record: &mut Slot<'_, Usage>) {
        let at = self.at();
        let usage = &self.usage;
        let latest = usage.banned_until.max(usage.counted_until).max(self.last);
        let resets = self.rules.iter().zip(&usage.states);
        let latest = resets.fold(latest, |latest, (rule, state)| {
            latest.max(at + state.reset(rule, at))
        });
        if latest <= at {
            record.remove();
        } else {
            record.put(self.usage, Ttl::covering_micros(latest - at));
        }
    }

    pub(super) fn report(&self, passes: bool, until_room: i64, waits: &Waits, says: i64) -> Answer {
        let at = self.at();
        let rules = self.rules.iter().zip(&self.usage.states).zip(waits);
        let rules: SmallVec<_> = rules
            .map(|((rule, state), wait)| self.rule_report(rule, state, *wait))
            .collect();
        Answer {
            passes,
            ban_us: (self.usage.banned_until - at).max(0),
            until_room_us: until_room,
            holds: self.usage.holds.len() as u32,
            says,
            rules,
        }
    }

    fn rule_report(&self, rule: &RuleArgs, state: &State, wait_us: i64) -> RuleReport {
        let (at, limit) = (self.at(), rule.limit());
        if let RuleArgs::Permits { limit } = rule {
            return RuleReport {
                wait_us,
                remaining: (limit - self.usage.holds.len() as i64).max(0) as u32,
                reset_us: self.last - at,
                more_us: self.first - at,
            };
        }
        let remaining = (limit - state.used(rule, at) - self.held).max(0);
        RuleReport {
            wait_us,
            // No limit exceeds a u32.
            remaining: remaining as u32,
            reset_us: state.reset(rule, at).max(self.freed - at),
            more_us: match remaining < limit {
                true => self.wait_beside_holds(rule, state, remaining + 1),
                false => 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 100_000;

    /// A record with 1,000 holds, in the order in which they end last.
    fn live(rules: &[RuleArgs], used: i64) -> Live<'_> {
        let mut look = Look {
            at: NOW,
            change: QuotaChange::AsIs,
            is_dirty: false,
        };
        let states = rules.iter().map(|rule| State::load(None, rule, &mut look));
        let holds = (1..=1_000).rev().map(|i| Hold {
            id: i,
            ends: NOW + 10 * i,
            units: i % 2,
        });
        let usage = Usage {
            holds: holds.collect(),
            states: states.collect(),
            ..Usage::default()
        };
        let mut live = Live {
            usage,
            rules,
            look,
            held: 0,
            freed: 0,
            first: 0,
            last: 0,
            soonest: None,
            order: OnceCell::new(),
        };
        live.charge(used);
        live.tally();
        live
    }

    #[test]
    fn a_full_record_has_room_when_its_first_hold_ends() {
        let rules = [RuleArgs::Permits { limit: 5_000 }];
        let mut live = live(&rules, 0);
        assert_eq!(live.until_room(), 10);
        assert!(live.settle(1, 0));
        assert_eq!(live.until_room(), 0);
    }

    #[test]
    fn a_place_is_free_when_all_holds_that_are_too_many_have_ended() {
        for (limit, wait) in [(1_001, 0), (1_000, 10), (999, 20), (990, 110)] {
            let rules = [RuleArgs::Permits { limit }];
            assert_eq!(live(&rules, 0).waits(1)[..], [wait], "{limit}");
        }
    }

    #[test]
    fn a_request_that_passes_sorts_no_holds() {
        let (limit, period) = (1_000, 50_000);
        for rule in [
            RuleArgs::Gcra {
                interval: 5_000,
                tolerance: 5_000_000,
            },
            RuleArgs::FromFirst { limit, period },
            RuleArgs::Sliding { limit, period },
            RuleArgs::Log { limit, period },
        ] {
            // 500 units are held. The first of them, which are all that the second case leaves, are back at 10.
            for (used, cost, passes, more) in
                [(0, 1, true, 10), (499, 1, true, 10), (499, 2, false, 10)]
            {
                let mut live = live(std::slice::from_ref(&rule), used);
                let waits = live.waits(cost);
                assert_eq!(live.passes(&waits, 0), passes, "{rule:?}");
                if passes {
                    live.charge(cost);
                }
                let report = live.report(passes, 0, &waits, 0);
                assert_eq!(report.rules[0].more_us, more, "{rule:?}");
                assert!(live.order.get().is_none(), "{rule:?}");
            }
            // As many units as ten holds have are back when the last of those ends.
            let live = live(std::slice::from_ref(&rule), 490);
            let wait = live.waits(20)[0];
            assert_eq!((wait, live.order.get().is_some()), (190, true), "{rule:?}");
        }
    }
}
