//! GCRA as store programs, in Lua and in Rust. Both forms always do the same.

#[cfg(test)]
mod traces;

use larder_store::program::prelude::*;

use crate::decision::Account;
use crate::gcra::Change;
use crate::usage::Task;
use crate::{Decision, Gcra, Reason};

/// The record of a visitor: its theoretical arrival time, and the end of a ban.
///
/// On Redis it is one string, the TAT as text, whose TTL ends at the TAT; for a banned visitor the end of the
/// ban follows it. Each policy is a [partition](Kind::partitioned) of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tat {
    tat: i64,
    /// 0 if the visitor is not banned.
    banned_until: i64,
}

record! {
    Tat, Kind::record("limit").partitioned(),
    numbers |held| [held.tat, held.banned_until], |[tat, banned_until]| Tat { tat, banned_until };
    /// Shows the TAT to people and tools.
    #[derive(PartialEq, Eq)]
    pub InspectTat = "gcra-inspect",
    include_str!("inspect.lua"),
    |held, shown| {
        let shown = shown.with("tat_us", held.tat);
        match held.banned_until {
            0 => shown,
            until => shown.with("banned_until_us", until),
        }
    },
}

impl Program for Gcra {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra",
        Effect::Once,
        concat!(
            include_str!("tat.lua"),
            include_str!("banned.lua"),
            include_str!("gcra.lua"),
        ),
    );

    arguments!(interval, tolerance, charge);

    #[inline]
    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let (held, now) = (record.get().copied(), now.as_micros());
        if let Some(banned) = banned(self, held, now) {
            return banned;
        }
        let (decision, change) = self.charge(held.map(|held| held.tat), now);
        change.keep(record, 0, now);
        decision
    }
}

/// Returns what a [`Gcra`] would decide. It charges and writes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peek(pub Gcra);

impl Program for Peek {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra-peek",
        Effect::Read,
        concat!(
            include_str!("tat.lua"),
            include_str!("banned.lua"),
            include_str!("peek.lua"),
        ),
    );

    arguments!(0);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        peek(&self.0, record, now.as_micros())
    }
}

/// Gives back what a [`Gcra`] charged, and then decides like a [`Peek`].
///
/// It is not idempotent, so a store sends it once and never retries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refund {
    gcra: Gcra,
    paid_off: i64,
}

impl Refund {
    /// Makes the refund of what `gcra` charged by `decision`. None if that charged nothing.
    pub fn of(gcra: Gcra, decision: &Decision) -> Option<Self> {
        let paid_off = Timestamp::from_micros(decision.paid_off_us);
        decision.is_charged().then(|| Self::new(gcra, paid_off))
    }

    /// Makes the refund of a charge of `gcra` that is paid off at `paid_off`.
    pub fn new(gcra: Gcra, paid_off: Timestamp) -> Self {
        let paid_off = paid_off.as_micros();
        Self { gcra, paid_off }
    }
}

impl Program for Refund {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra-refund",
        Effect::Once,
        concat!(
            include_str!("tat.lua"),
            include_str!("keep.lua"),
            include_str!("refund.lua"),
            include_str!("banned.lua"),
            include_str!("peek.lua"),
        ),
    )
    .runs_when_full();

    arguments!(gcra, paid_off);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let (held, now) = (record.get().copied(), now.as_micros());
        let tat = held.map(|held| held.tat);
        let (decision, change) = self.gcra.refund(tat, self.paid_off, now);
        let banned_until = held.map_or(0, |held| held.banned_until);
        change.keep(record, banned_until, now);
        banned(&self.gcra, record.get().copied(), now).unwrap_or(decision)
    }
}

/// The limit as three arguments of a program.
impl Arg for Gcra {
    fn write(&self, args: &mut Args) {
        self.args(args);
    }
}

/// Does a [`Task`] of the support desk, and then decides like a [`Peek`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeskTat {
    pub(crate) gcra: Gcra,
    pub(crate) task: Task,
}

impl Program for DeskTat {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra-desk",
        Effect::Once,
        concat!(
            include_str!("tat.lua"),
            include_str!("keep.lua"),
            include_str!("desk.lua"),
            include_str!("banned.lua"),
            include_str!("peek.lua"),
        ),
    );

    arguments!(gcra, task);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (tolerance, interval) = (self.gcra.tolerance, self.gcra.interval);
        let held = record.get().copied();
        let tat = held.map_or(now, |held| held.tat);
        let tat = tat.clamp(now, now + tolerance);
        let ban = held.map_or(0, |held| held.banned_until);
        let (tat, banned_until) = match self.task {
            Task::Set(units) => (now + units.min(tolerance / interval) * interval, ban),
            Task::Reset => (now, 0),
            Task::Ban(micros) => (tat, now + micros),
            Task::Forgive => (tat, 0),
        };
        Change::Set(tat).keep(record, banned_until, now);
        peek(&self.gcra, record, now)
    }
}

fn peek(gcra: &Gcra, record: &Slot<'_, Tat>, now: i64) -> Decision {
    let held = record.get().copied();
    banned(gcra, held, now).unwrap_or_else(|| gcra.peek(held.map(|held| held.tat), now))
}

/// Returns the refusal of a visitor who is banned.
fn banned(gcra: &Gcra, held: Option<Tat>, now: i64) -> Option<Decision> {
    let held = held.filter(|held| held.banned_until > now)?;
    Some(gcra.banned(held.tat, held.banned_until, now))
}

impl Change {
    /// Makes the change, and keeps a ban that has not ended.
    #[inline]
    fn keep(self, record: &mut Slot<'_, Tat>, banned_until: i64, now: i64) {
        let tat = match self {
            Self::Keep => return,
            Self::Set(tat) => tat,
            Self::Clear => now,
        };
        let banned_until = if banned_until > now { banned_until } else { 0 };
        let latest = tat.max(banned_until);
        if latest > now {
            let held = Tat { tat, banned_until };
            record.put(held, Ttl::covering_micros(latest - now));
        } else {
            record.remove();
        }
    }
}

/// Reads `{0: refused, 1: allowed, 2: banned, remaining, retry after, reset, paid off}`. For a ban, the last is
/// how long it lasts.
impl FromWire for Decision {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (outcome, remaining, Span(retry_after_us), Span(reset_us), Span(last)) = wire.read()?;
        let (reason, paid_off_us, ban_us) = match outcome {
            0_i64 => (Some(Reason::Quota), last, 0),
            1 => (None, last, 0),
            2 => (Some(Reason::Ban), 0, last),
            _ => return Err(Wire::unexpected("0, 1 or 2")),
        };
        Ok(Self {
            allowed: reason.is_none(),
            reason,
            rule: 0,
            account: Account::Own,
            remaining,
            is_near_limit: false,
            cost: 0,
            retry_after_us,
            reset_us,
            more_us: Self::BY_GCRA,
            paid_off_us,
            ban_us,
        })
    }
}

/// A span of time, in microseconds.
struct Span(i64);

impl FromWire for Span {
    fn from_wire(wire: Wire) -> Result<Self> {
        match wire.int()? {
            span @ 0.. => Ok(Self(span)),
            _ => Err(Wire::unexpected("a span of time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ints: &[i64]) -> Wire {
        Wire::List(ints.iter().map(|int| Wire::Int(*int)).collect())
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error() {
        let decision = |wire: Wire| wire.read::<Decision>();
        assert!(decision(answer(&[1, 4, 0, 100, 7])).unwrap().is_charged());
        for wrong in [
            answer(&[1, 4, 0, 100]),
            answer(&[1, -1, 0, 100, 7]),
            answer(&[1, 4, -1, 100, 7]),
            answer(&[1, 4, 0, 100, -7]),
            answer(&[1, 1 << 33, 0, 100, 7]),
            answer(&[3, 4, 0, 100, 7]),
            Wire::Nil,
        ] {
            assert!(decision(wrong).is_err());
        }
    }
}
