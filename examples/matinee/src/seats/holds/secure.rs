use std::collections::BTreeSet;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder::store::{Result, Timestamp};

use super::record::{HoldsRecord, alive, write};
use crate::seats::Seat;

/// Makes sure that a visitor holds these seats and will hold them for another moment, long enough
/// to write a booking. It answers whether that is so.
#[derive(Clone, Debug)]
pub(super) struct SecureSeats {
    pub(super) holder: Arc<str>,
    /// The shortest time to hold them, in microseconds.
    pub(super) span: i64,
    pub(super) seats: BTreeSet<Seat>,
}

impl Program for SecureSeats {
    type Record = HoldsRecord;
    type Reply = bool;

    const SCRIPT: &'static Script =
        &Script::new("holds-secure", Effect::Once, include_str!("secure.lua"));

    fn args(&self, args: &mut Args) {
        args.text(&self.holder);
        args.int(self.span);
        for seat in &self.seats {
            args.text(&seat.to_string());
        }
    }

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, now: Timestamp) -> bool {
        let now = now.as_micros();
        let mut held = alive(record, now);
        for seat in &self.seats {
            match held.get_mut(seat) {
                Some(hold) if hold.holder == self.holder => {
                    hold.until = hold.until.max(now + self.span);
                }
                _ => return false,
            }
        }
        write(record, held, now);
        true
    }

    fn reply(&self, wire: Wire) -> Result<bool> {
        Ok(wire.int()? == 1)
    }
}
