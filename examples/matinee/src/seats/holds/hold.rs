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
    /// The visitor holds all of them.
    Yours,
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
        for &seat in &self.seats {
            held.entry(seat).or_insert_with(|| Hold {
                until: now + self.span,
                holder: self.holder.clone(),
            });
        }
        let mine = held.values().filter(|hold| hold.holder == self.holder);
        // A screen has far fewer seats than 2^53.
        if mine.count() as i64 > self.cap {
            return Held::TooMany;
        }
        write(record, held, now);
        Held::Yours
    }

    fn reply(&self, wire: Wire) -> Result<Held> {
        let mut list = wire.list()?.into_iter();
        Ok(match list.next().unwrap_or(Wire::Nil).int()? {
            0 => Held::Yours,
            1 => Held::Taken(
                list.map(|seat| parse_seat(&seat.bytes()?))
                    .collect::<Result<_>>()?,
            ),
            2 => Held::TooMany,
            _ => return Err(Wire::unexpected("what became of the seats")),
        })
    }
}
