use std::collections::BTreeMap;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Program, Script, Slot, Wire};
use larder::store::{Result, Timestamp};

use super::record::{HoldsRecord, alive, parse_seat};
use crate::seats::Seat;

/// Reads which seats are held. It changes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadHolds;

/// A seat that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldSeat {
    pub(crate) holder: Arc<str>,
    /// The time left, in microseconds.
    pub(crate) left: i64,
}

impl Program for ReadHolds {
    type Record = HoldsRecord;
    type Reply = BTreeMap<Seat, HeldSeat>;

    const SCRIPT: &'static Script =
        &Script::new("holds-read", Effect::Read, include_str!("read.lua"));

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, now: Timestamp) -> Self::Reply {
        let now = now.as_micros();
        let held = alive(record, now).into_iter();
        held.map(|(seat, hold)| {
            let (holder, left) = (hold.holder, hold.until - now);
            (seat, HeldSeat { holder, left })
        })
        .collect()
    }

    fn reply(&self, wire: Wire) -> Result<Self::Reply> {
        let mut held = BTreeMap::new();
        for hold in wire.list()? {
            let [seat, left, holder] = hold.array()?;
            let holder = String::from_utf8(holder.bytes()?.into());
            let holder = holder.map_err(|_| Wire::unexpected("a holder"))?.into();
            let left = left.int()?;
            held.insert(parse_seat(&seat.bytes()?)?, HeldSeat { holder, left });
        }
        Ok(held)
    }
}
