use std::collections::BTreeSet;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder::store::{Result, Timestamp};

use super::record::{Hold, HoldsRecord, alive, parse_seat, write};
use crate::seats::Seat;

/// Releases seats that a visitor holds, and leaves those of others. Returns those that it released.
#[derive(Clone, Debug)]
pub(super) struct ReleaseSeats {
    pub(super) holder: Arc<str>,
    pub(super) seats: BTreeSet<Seat>,
}

impl Program for ReleaseSeats {
    type Record = HoldsRecord;
    type Reply = BTreeSet<Seat>;

    const SCRIPT: &'static Script =
        &Script::new("holds-release", Effect::Once, include_str!("release.lua")).runs_when_full();

    fn args(&self, args: &mut Args) {
        args.text(&self.holder);
        for seat in &self.seats {
            args.text(&seat.to_string());
        }
    }

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, now: Timestamp) -> BTreeSet<Seat> {
        let now = now.as_micros();
        let mut held = alive(record, now);
        let is_asked =
            |seat: &Seat, hold: &Hold| hold.holder == self.holder && self.seats.contains(seat);
        let released = held.extract_if(.., |seat, hold| is_asked(seat, hold));
        let released = released.map(|(seat, _)| seat).collect();
        write(record, held, now);
        released
    }

    fn reply(&self, wire: Wire) -> Result<BTreeSet<Seat>> {
        let seats = wire.list()?.into_iter();
        seats.map(|seat| parse_seat(&seat.bytes()?)).collect()
    }
}
