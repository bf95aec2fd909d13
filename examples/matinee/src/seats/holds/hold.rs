use std::collections::BTreeSet;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder::store::{Result, Timestamp};

use super::record::{Hold, HoldsRecord, alive, parse_seat, write};
use crate::seats::Seat;

/// Holds seats for a visitor, all of them or none. A seat that the visitor already holds keeps its
/// deadline, so that nobody can hold a seat for ever by asking again.
#[derive(Clone, Debug)]
pub(super) struct HoldSeats {
    pub(super) holder: Arc<str>,
    /// The length of the hold, in microseconds.
    pub(super) span: i64,
    /// The most seats that one visitor may hold.
    pub(super) cap: i64,
    pub(super) seats: BTreeSet<Seat>,
}

/// The outcome of a request to hold seats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// The visitor holds all of them, and did not hold these before.
    Yours { new: BTreeSet<Seat> },
    /// Somebody else holds these; nothing changed.
    Taken(Vec<Seat>),
    /// The visitor would hold too many seats; nothing changed.
    TooMany,
}

impl Program for HoldSeats {
    type Record = HoldsRecord;
    type Reply = Held;

    const SCRIPT: &'static Script =
        &Script::new("holds-hold", Effect::Once, include_str!("hold.lua"));

    fn args(&self, args: &mut Args) {
        args.text(&self.holder);
        args.int(self.span);
        args.int(self.cap);
        for seat in &self.seats {
            args.text(&seat.to_string());
        }
    }

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, now: Timestamp) -> Held {
        let now = now.as_micros();
        let mut held = alive(record, now);
        let is_others = |seat: &Seat| held.get(seat).is_some_and(|it| it.holder != self.holder);
        let taken: Vec<_> = self.seats.iter().copied().filter(is_others).collect();
        if !taken.is_empty() {
            return Held::Taken(taken);
        }
        let new = self.seats.iter().copied();
        let new: BTreeSet<_> = new.filter(|seat| !held.contains_key(seat)).collect();
        held.extend(new.iter().map(|&seat| {
            let (until, holder) = (now + self.span, self.holder.clone());
            (seat, Hold { until, holder })
        }));
        let mine = held.values().filter(|hold| hold.holder == self.holder);
        // A screen has far fewer seats than 2^53.
        if mine.count() as i64 > self.cap {
            return Held::TooMany;
        }
        write(record, held, now);
        Held::Yours { new }
    }

    fn reply(&self, wire: Wire) -> Result<Held> {
        let mut list = wire.list()?.into_iter();
        let outcome = list.next().unwrap_or(Wire::Nil).int()?;
        let seats = list.map(|seat| parse_seat(&seat.bytes()?));
        Ok(match outcome {
            0 => Held::Yours {
                new: seats.collect::<Result<_>>()?,
            },
            1 => Held::Taken(seats.collect::<Result<_>>()?),
            2 => Held::TooMany,
            _ => return Err(Wire::unexpected("what became of the seats")),
        })
    }
}
