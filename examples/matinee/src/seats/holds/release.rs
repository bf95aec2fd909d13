use std::collections::BTreeSet;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder::store::{Result, Timestamp};

use super::record::{HoldsRecord, alive, write};
use crate::seats::Seat;

/// Releases seats that a visitor holds, and leaves those of others.
#[derive(Clone, Debug)]
pub(super) struct ReleaseSeats {
    pub(super) holder: Arc<str>,
    pub(super) seats: BTreeSet<Seat>,
}

impl Program for ReleaseSeats {
    type Record = HoldsRecord;
    type Reply = ();

    const SCRIPT: &'static Script =
        &Script::new("holds-release", Effect::Once, include_str!("release.lua")).runs_when_full();

    fn args(&self, args: &mut Args) {
        args.text(&self.holder);
        for seat in &self.seats {
            args.text(&seat.to_string());
        }
    }

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, now: Timestamp) {
        let now = now.as_micros();
        let mut held = alive(record, now);
        held.retain(|seat, hold| hold.holder != self.holder || !self.seats.contains(seat));
        write(record, held, now);
    }

    fn reply(&self, _: Wire) -> Result<()> {
        Ok(())
    }
}
