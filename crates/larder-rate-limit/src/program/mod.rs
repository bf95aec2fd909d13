//! GCRA as store programs, in Lua and in Rust. Both forms always do the same.

use larder_store::program::prelude::*;

use crate::decision::Account;
use crate::gcra::Change;
use crate::{Decision, Gcra};

/// The record of a visitor: its theoretical arrival time.
///
/// On Redis it is one string, the integer as text, whose TTL ends at the TAT. Each policy is a
/// [partition](Kind::partitioned) of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tat(i64);

record! {
    Tat, Kind::record("limit").partitioned();
    /// Shows the TAT to people and tools.
    #[derive(PartialEq, Eq)]
    pub InspectTat = "gcra-inspect",
    include_str!("inspect.lua"),
    |held, shown| shown.with("tat_us", held.0),
}

impl Program for Gcra {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new(
        "gcra",
        Effect::Once,
        concat!(include_str!("tat.lua"), include_str!("gcra.lua")),
    );

    arguments!(interval, tolerance, charge);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (decision, change) = self.charge(kept(record), now);
        keep(record, change, now);
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
        concat!(include_str!("tat.lua"), include_str!("peek.lua")),
    );

    arguments!(0);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        self.0.peek(kept(record), now.as_micros())
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

    arguments!(gcra, paid_off);

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (decision, change) = self.gcra.refund(kept(record), self.paid_off, now);
        keep(record, change, now);
        decision
    }
}

/// The limit as three arguments of a program.
impl Arg for Gcra {
    fn write(&self, args: &mut Args) {
        self.args(args);
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
impl FromWire for Decision {
    fn from_wire(wire: Wire) -> Result<Self> {
        let (allowed, remaining, Span(retry_after_us), Span(reset_us), Span(paid_off_us)) =
            wire.read()?;
        Ok(Self {
            allowed,
            remaining,
            retry_after_us,
            reset_us,
            paid_off_us,
            account: Account::Own,
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
            Wire::Nil,
        ] {
            assert!(decision(wrong).is_err());
        }
    }
}
