//! The programs on a visitor's usage, in Lua and in Rust. Both forms always do the same.

use larder_store::program::prelude::*;
use smallvec::SmallVec;

use super::Usage;
use super::answer::Answer;
use super::live::Live;
use super::rule_args::RuleArgs;
use crate::QuotaChange;

/// The rules that a program counts by, as they are at the caller's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) rules: SmallVec<[RuleArgs; 2]>,
    pub(crate) change: QuotaChange,
}

/// The rules, and what happens to units used under other rules.
impl Arg for Rules {
    fn write(&self, args: &mut Args) {
        args.int(match self.change {
            QuotaChange::AsIs => 0,
            QuotaChange::Proportional => 1,
            QuotaChange::Reset => 2,
        });
        args.int(self.rules.len() as i64);
        for rule in &self.rules {
            rule.write(args);
        }
    }
}

impl Rules {
    fn load(&self, record: &Slot<'_, Usage>, now: Timestamp) -> Live<'_> {
        Live::load(record, &self.rules, self.change, now)
    }
}

/// What a charge holds in addition: nothing, a permit, or a reservation of this many units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HoldArgs {
    /// A random number below 2^53.
    pub(crate) id: i64,
    /// For how long, in microseconds. 0 if nothing is held.
    pub(crate) hold_us: i64,
    pub(crate) units: i64,
}

/// A ban after this many refusals. 0 means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BanArgs {
    pub(crate) refusals: i64,
    pub(crate) within_us: i64,
    pub(crate) lasts_us: i64,
}

/// Charges `cost` units to all rules, or to none.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) rules: Rules,
    pub(crate) cost: i64,
    pub(crate) hold: HoldArgs,
    pub(crate) ban: BanArgs,
}

impl Arg for HoldArgs {
    fn write(&self, args: &mut Args) {
        args.int(self.id);
        args.int(self.hold_us);
        args.int(self.units);
    }
}

impl Arg for BanArgs {
    fn write(&self, args: &mut Args) {
        args.int(self.refusals);
        args.int(self.within_us);
        args.int(self.lasts_us);
    }
}

macro_rules! lua {
    ($file:literal) => {
        concat!(include_str!("lua/rules.lua"), include_str!($file))
    };
}

impl Program for Charge {
    type Record = Usage;
    type Reply = Answer;

    const SCRIPT: &'static Script =
        &Script::new("limit-charge", Effect::Once, lua!("lua/charge.lua"));

    arguments!(rules, cost, hold, ban);

    fn step(&self, record: &mut Slot<'_, Usage>, now: Timestamp) -> Answer {
        let mut live = self.rules.load(record, now);
        let waits = live.waits(self.cost + self.hold.units);
        let until_room = match self.hold.hold_us {
            0 => 0,
            _ => live.until_room(),
        };
        let passes = live.passes(&waits, until_room);
        let at = live.at();
        if passes {
            live.charge(self.cost);
            if self.hold.hold_us > 0 {
                live.hold(self.hold.id, self.hold.hold_us, self.hold.units);
            }
        } else if live.usage.banned_until <= at && self.ban.refusals > 0 {
            live.count_refusal(self.ban.refusals, self.ban.within_us, self.ban.lasts_us);
        }
        let report = live.report(passes, until_room, &waits, if passes { at } else { 0 });
        if passes || live.is_dirty() {
            live.keep(record);
        }
        report
    }
}

/// Returns what a [`Charge`] would decide. It charges and writes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Peek {
    pub(crate) rules: Rules,
    pub(crate) cost: i64,
    /// Whether something would be held.
    pub(crate) holds: bool,
}

impl Program for Peek {
    type Record = Usage;
    type Reply = Answer;

    const SCRIPT: &'static Script = &Script::new("limit-peek", Effect::Read, lua!("lua/peek.lua"));

    arguments!(rules, cost, holds);

    fn step(&self, record: &mut Slot<'_, Usage>, now: Timestamp) -> Answer {
        let live = self.rules.load(record, now);
        let waits = live.waits(self.cost);
        let until_room = if self.holds { live.until_room() } else { 0 };
        live.report(live.passes(&waits, until_room), until_room, &waits, 0)
    }
}

/// Ends a hold or renews it, charges used units, even past the limit, and gives back unused ones.
///
/// It is not idempotent, so a store sends it once and never retries it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SettleArgs {
    /// The id of the hold. 0 is that of none.
    pub(crate) id: i64,
    /// For how long it is held from now on. 0 ends it.
    pub(crate) hold_us: i64,
    pub(crate) actual: i64,
    /// When the units to be given back were charged.
    pub(crate) moment: i64,
    pub(crate) back: i64,
}

impl Arg for SettleArgs {
    fn write(&self, args: &mut Args) {
        for int in [self.id, self.hold_us, self.actual, self.moment, self.back] {
            args.int(int);
        }
    }
}

/// A [`SettleArgs`] under some rules.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) rules: Rules,
    pub(crate) settlement: SettleArgs,
}

impl Program for Settle {
    type Record = Usage;
    type Reply = Answer;

    const SCRIPT: &'static Script =
        &Script::new("limit-settle", Effect::Once, lua!("lua/settle.lua")).runs_when_full();

    arguments!(rules, settlement);

    fn step(&self, record: &mut Slot<'_, Usage>, now: Timestamp) -> Answer {
        let SettleArgs {
            id,
            hold_us,
            actual,
            moment,
            back,
        } = self.settlement;
        let mut live = self.rules.load(record, now);
        let was_held = live.settle(id, hold_us);
        if actual > 0 {
            live.charge(actual);
        }
        if back > 0 {
            live.give_back(back, moment);
        }
        let waits = live.waits(1);
        let report = live.report(live.passes(&waits, 0), 0, &waits, i64::from(was_held));
        live.keep(record);
        report
    }
}

/// An operation of the support desk on a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Sets the used units of each rule.
    Set(i64),
    /// Forgets what was used, refusals and bans. Holds stay.
    Reset,
    /// Bans for this many microseconds.
    Ban(i64),
    /// Ends a ban, and forgets refusals.
    Forgive,
}

impl Arg for Task {
    fn write(&self, args: &mut Args) {
        let (name, by) = match *self {
            Self::Set(units) => ("set", units),
            Self::Reset => ("reset", 0),
            Self::Ban(micros) => ("ban", micros),
            Self::Forgive => ("forgive", 0),
        };
        args.text(name);
        args.int(by);
    }
}

/// Does a [`Task`] of the support desk.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) rules: Rules,
    pub(crate) task: Task,
}

impl Program for Desk {
    type Record = Usage;
    type Reply = Answer;

    const SCRIPT: &'static Script = &Script::new("limit-desk", Effect::Once, lua!("lua/desk.lua"));

    arguments!(rules, task);

    fn step(&self, record: &mut Slot<'_, Usage>, now: Timestamp) -> Answer {
        let mut live = self.rules.load(record, now);
        match self.task {
            Task::Set(units) => live.set(units),
            Task::Reset => live.set(0),
            Task::Ban(micros) => live.usage.banned_until = live.at() + micros,
            Task::Forgive => {}
        }
        if matches!(self.task, Task::Reset | Task::Forgive) {
            let usage = &mut live.usage;
            (usage.banned_until, usage.counted_until, usage.refusals) = (0, 0, 0);
        }
        let waits = live.waits(1);
        let report = live.report(live.passes(&waits, 0), 0, &waits, 0);
        live.keep(record);
        report
    }
}
