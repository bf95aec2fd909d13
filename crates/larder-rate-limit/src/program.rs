//! GCRA as programs: the Lua beside the Rust. Both forms do the same at every moment.

use larder_store::{
    Args, Effect, Inspection, Kind, Program, Record, Result, Script, Slot, Timestamp, Ttl, Wire,
};

use crate::gcra::Change;
use crate::{Decision, Gcra};

/// What is kept for a visitor: the theoretical arrival time. On Redis one string, the integer as
/// text, whose TTL ends when the TAT does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tat(i64);

impl Record for Tat {
    const KIND: Kind = Kind::record("limit");

    type Inspect = InspectTat;
}

impl Program for Gcra {
    type Record = Tat;
    type Reply = Decision;

    const SCRIPT: &'static Script = &Script::new("gcra", Effect::Once, include_str!("gcra.lua"));

    fn args(&self, args: &mut Args) {
        args.int(self.interval);
        args.int(self.tolerance);
        args.int(self.charge);
    }

    fn step(&self, record: &mut Slot<'_, Tat>, now: Timestamp) -> Decision {
        let now = now.as_micros();
        let (decision, change) = self.charge(kept(record), now);
        if let Change::Set(tat) = change {
            record.put(Tat(tat), Ttl::covering_micros(tat - now));
        }
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

    const SCRIPT: &'static Script =
        &Script::new("gcra-peek", Effect::Read, include_str!("peek.lua"));

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

/// Reads `{allowed, remaining, retry after, reset}`.
fn decision(wire: Wire) -> Result<Decision> {
    let [allowed, remaining, retry_after, reset] = wire.array()?;
    Ok(Decision {
        allowed: allowed.int()? == 1,
        remaining: u32::try_from(remaining.int()?)
            .map_err(|_| Wire::unexpected("a number of units"))?,
        retry_after_us: span(&retry_after)?,
        reset_us: span(&reset)?,
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
        assert!(decision(answer(&[1, 4, 0, 100])).unwrap().is_allowed());
        for wrong in [
            answer(&[1, 4, 0]),
            answer(&[1, -1, 0, 100]),
            answer(&[1, 4, -1, 100]),
            answer(&[1, 1 << 33, 0, 100]),
            Wire::Nil,
        ] {
            assert!(decision(wrong).is_err());
        }
    }
}
