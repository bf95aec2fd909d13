//! GCRA as programs: the Lua beside the Rust. Both forms do the same at every moment.

use larder_store::{
    Args, Effect, Inspection, Kind, Program, Record, Result, Script, Slot, Timestamp, Ttl, Wire,
};

use crate::decision::Account;
use crate::gcra::Change;
use crate::{Decision, Gcra};

/// What is kept for a visitor: the theoretical arrival time. On Redis one string, the integer as
/// text, whose TTL ends when the TAT does. Each policy is a [partition](Kind::partitioned) of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tat(i64);

impl Record for Tat {
    const KIND: Kind = Kind::record("limit").partitioned();

    type Inspect = InspectTat;
}

impl Program for Gcra {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra",
        Effect::Once,
        concat!(include_str!("tat.lua"), include_str!("gcra.lua")),
    );

    fn args(&self, args: &mut Args) {
        args.int(self.interval);
        args.int(self.tolerance);
        args.int(self.charge);
    }

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (decision, change) = self.charge(kept(record), now);
        keep(record, change, now);
        decision
    }

    fn reply(&self, wire: Wire) -> Result<Decision> {
        decision(wire)
    }
}

/// What a [`Gcra`] would decide, with nothing charged and nothing written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peek(pub Gcra);

impl Program for Peek {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra-peek",
        Effect::Read,
        concat!(include_str!("tat.lua"), include_str!("peek.lua")),
    );

    fn args(&self, args: &mut Args) {
        self.0.args(args);
    }

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        self.0.peek(kept(record), now.as_micros())
    }

    fn reply(&self, wire: Wire) -> Result<Decision> {
        decision(wire)
    }
}

/// Gives back what a [`Gcra`] charged, and decides as a [`Peek`] does after it.
///
/// Twice is not the same as once: it is sent once, and lost where its answer says that it did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refund {
    gcra: Gcra,
    paid_off: i64,
}

impl Refund {
    /// The refund of what `gcra` charged by `decision`; nothing where that charged nothing.
    pub fn of(gcra: Gcra, decision: &Decision) -> Option<Self> {
        let paid_off = Timestamp::from_micros(decision.paid_off_us);
        decision.is_charged().then(|| Self::new(gcra, paid_off))
    }

    /// The refund of what `gcra` charged, and what would be paid off by time at `paid_off`.
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
            include_str!("refund.lua"),
            include_str!("peek.lua"),
        ),
    )
    .runs_when_full();

    fn args(&self, args: &mut Args) {
        self.gcra.args(args);
        args.int(self.paid_off);
    }

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (decision, change) = self.gcra.refund(kept(record), self.paid_off, now);
        keep(record, change, now);
        decision
    }

    fn reply(&self, wire: Wire) -> Result<Decision> {
        decision(wire)
    }
}

/// Shows the TAT, for people and tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InspectTat;

impl Program for InspectTat {
    type Record = Tat;
    type Reply = Inspection;

    const SCRIPT: &'static Script =
        &Script::new("gcra-inspect", Effect::Read, include_str!("inspect.lua"));

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, Tat>, _: Timestamp) -> Inspection {
        match kept(record) {
            Some(tat) => Inspection::new().with("tat_us", tat),
            None => Inspection::new(),
        }
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        Inspection::from_wire(wire)
    }
}

fn kept(record: &Slot<'_, Tat>) -> Option<i64> {
    record.get().map(|Tat(tat)| *tat)
}

fn keep(record: &mut Slot<'_, Tat>, change: Change, now: i64) {
    match change {
        Change::Keep => {}
        Change::Set(tat) => record.put(Tat(tat), Ttl::covering_micros(tat - now)),
        Change::Clear => record.remove(),
    }
}

/// Reads `{allowed, remaining, retry after, reset, paid off}`.
fn decision(wire: Wire) -> Result<Decision> {
    let [allowed, remaining, retry_after, reset, paid_off] = wire.array()?;
    Ok(Decision {
        allowed: allowed.int()? == 1,
        remaining: u32::try_from(remaining.int()?)
            .map_err(|_| Wire::unexpected("a number of units"))?,
        retry_after_us: span(&retry_after)?,
        reset_us: span(&reset)?,
        paid_off_us: span(&paid_off)?,
        account: Account::Own,
    })
}

fn span(wire: &Wire) -> Result<i64> {
    match wire.int()? {
        span @ 0.. => Ok(span),
        _ => Err(Wire::unexpected("a span of time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ints: &[i64]) -> Wire {
        Wire::List(ints.iter().map(|int| Wire::Int(*int)).collect())
    }

    #[test]
    fn an_answer_that_no_script_of_ours_gives_is_an_error() {
        assert!(decision(answer(&[1, 4, 0, 100, 7])).unwrap().is_charged());
        for wrong in [
            answer(&[1, 4, 0, 100]),
            answer(&[1, -1, 0, 100, 7]),
            answer(&[1, 4, -1, 100, 7]),
            answer(&[1, 4, 0, 100, -7]),
            answer(&[1, 1 << 33, 0, 100, 7]),
            Wire::Nil,
        ] {
            assert!(decision(wrong).is_err());
        }
    }
}
