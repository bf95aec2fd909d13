use std::collections::BTreeMap;
use std::sync::Arc;

use larder::store::program::{Args, Effect, Inspection, Program, Record, Script, Slot, Wire};
use larder::store::{Result, Timestamp};
use larder::{Kind, Ttl};

use crate::seats::Seat;

/// The seats of one showing that are held, with their holders and deadlines.
///
/// On Redis it is one hash: a field for each seat, named as printed, whose value is the deadline in
/// microseconds, a space, and the holder.
pub(crate) struct HoldsRecord {
    seats: BTreeMap<Seat, Hold>,
}

#[derive(Clone)]
pub(super) struct Hold {
    pub(super) until: i64,
    pub(super) holder: Arc<str>,
}

impl Record for HoldsRecord {
    const KIND: Kind = Kind::record("seat-holds");

    type Inspect = InspectHolds;
}

/// Returns the holds that have not ended at `now`.
pub(super) fn alive(record: &Slot<'_, HoldsRecord>, now: i64) -> BTreeMap<Seat, Hold> {
    let seats = record.get().into_iter().flat_map(|held| &held.seats);
    let alive = seats.filter(|(_, hold)| now < hold.until);
    alive.map(|(&seat, hold)| (seat, hold.clone())).collect()
}

/// Replaces the holds. The record lives until the last hold ends.
pub(super) fn write(record: &mut Slot<'_, HoldsRecord>, seats: BTreeMap<Seat, Hold>, now: i64) {
    match seats.values().map(|hold| hold.until).max() {
        Some(last) => record.put(HoldsRecord { seats }, Ttl::covering_micros(last - now)),
        None => record.remove(),
    }
}

/// Parses a seat from the answer of a script.
pub(super) fn parse_seat(text: &[u8]) -> Result<Seat> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().map_err(|_| Wire::unexpected("a seat"))
}

/// Shows each hold and its deadline in microseconds, for people and tools.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InspectHolds;

impl Program for InspectHolds {
    type Record = HoldsRecord;
    type Reply = Inspection;

    const SCRIPT: &'static Script =
        &Script::new("holds-inspect", Effect::Read, include_str!("inspect.lua"));

    fn args(&self, _: &mut Args) {}

    fn step(&self, record: &mut Slot<'_, HoldsRecord>, _: Timestamp) -> Inspection {
        let seats = record.get().into_iter().flat_map(|held| &held.seats);
        seats.fold(Inspection::new(), |shown, (seat, hold)| {
            shown.with(seat.to_string(), format!("{} {}", hold.until, hold.holder))
        })
    }

    fn reply(&self, wire: Wire) -> Result<Inspection> {
        let shown = Inspection::from_wire(wire)?;
        // A hash is not ordered.
        let mut seats: Vec<_> = shown
            .fields()
            .iter()
            .map(|(seat, hold)| (parse_seat(seat.as_bytes()), seat, hold))
            .map(|(at, seat, hold)| at.map(|at| (at, seat, hold)))
            .collect::<Result<_>>()?;
        seats.sort_unstable();
        let seats = seats.into_iter();
        Ok(seats.fold(Inspection::new(), |shown, (_, seat, hold)| {
            shown.with(seat, hold)
        }))
    }
}
