//! GCRA as store programs, in Lua and in Rust. Both forms always do the same.

use larder_store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder_store::{Kind, Result, Timestamp, Ttl};

use crate::decision::Account;
use crate::gcra::Change;
use crate::{Decision, Gcra};

/// The record of a visitor: its theoretical arrival time.
///
/// On Redis it is one string, the integer as text, whose TTL ends at the TAT. Each policy is a
/// [partition](Kind::partitioned) of the kind.
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

/// Returns what a [`Gcra`] would decide. It charges and writes nothing.
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

/// Gives back what a [`Gcra`] charged, and then decides like a [`Peek`].
///
/// It is not idempotent, so a store sends it once and never retries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Refund {
    gcra: Gcra,
    paid_off: i64,
}

impl Refund {
    /// Refunds what `gcra` charged by `decision`. None if that charged nothing.
    pub fn of(gcra: Gcra, decision: &Decision) -> Option<Self> {
        let paid_off = Timestamp::from_micros(decision.paid_off_us);
        decision.is_charged().then(|| Self::new(gcra, paid_off))
    }

    /// Refunds a charge of `gcra` that is paid off at `paid_off`.
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

/// Shows the TAT to people and tools.
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
    fn an_answer_of_another_shape_is_an_error() {
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
