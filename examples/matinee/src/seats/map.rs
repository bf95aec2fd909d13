use std::collections::BTreeMap;
use std::time::Duration;

use super::holds::HeldSeat;
use super::{Seat, Showing};
use crate::clock::now_ms;

/// All seats of a showing as one visitor sees them at this moment.
#[derive(Clone, Debug)]
pub(crate) struct SeatMap {
    pub(crate) showing: Showing,
    /// How long a hold lasts.
    pub(crate) hold_for: Duration,
    taken: BTreeMap<Seat, SeatState>,
}

/// The state of a seat, for one visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeatState {
    Free,
    /// Somebody else holds it, for this much longer at most.
    Held(Duration),
    /// Somebody has booked it.
    Booked,
    /// The visitor holds it for this much longer.
    Yours(Duration),
    /// The visitor has booked it.
    YourTicket,
}

impl SeatMap {
    /// Combines held and booked seats into the map that `user` sees.
    pub(super) fn new(
        showing: Showing,
        hold_for: Duration,
        user: Option<i64>,
        held: BTreeMap<Seat, HeldSeat>,
        booked: BTreeMap<Seat, i64>,
    ) -> Self {
        let holder = user.map(|user| user.to_string());
        let of_hold = |hold: HeldSeat| {
            let left = Duration::from_micros(hold.left.unsigned_abs());
            if holder.as_deref() == Some(&*hold.holder) {
                SeatState::Yours(left)
            } else {
                SeatState::Held(left)
            }
        };
        let of_user = |owner| {
            if user == Some(owner) {
                SeatState::YourTicket
            } else {
                SeatState::Booked
            }
        };
        let mut taken: BTreeMap<_, _> = held
            .into_iter()
            .map(|(seat, hold)| (seat, of_hold(hold)))
            .collect();
        // A booking takes precedence over a hold.
        taken.extend(
            booked
                .into_iter()
                .map(|(seat, owner)| (seat, of_user(owner))),
        );
        Self {
            showing,
            hold_for,
            taken,
        }
    }

    pub(crate) fn state(&self, seat: Seat) -> SeatState {
        self.taken.get(&seat).copied().unwrap_or(SeatState::Free)
    }

    /// Returns the seats that are not free.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (Seat, SeatState)> {
        self.taken.iter().map(|(&seat, &state)| (seat, state))
    }

    /// Returns when the first hold ends, if there is any.
    pub(super) fn hold_ends_ms(&self) -> Option<i64> {
        let left = self.taken.values().filter_map(|state| match state {
            SeatState::Held(left) | SeatState::Yours(left) => Some(*left),
            _ => None,
        });
        let left = i64::try_from(left.min()?.as_millis()).unwrap_or(i64::MAX);
        Some(now_ms().saturating_add(left))
    }

    /// Returns the seats that the visitor holds, with the time left.
    pub(crate) fn yours(&self) -> impl Iterator<Item = (Seat, Duration)> {
        self.taken.iter().filter_map(|(&seat, state)| match state {
            SeatState::Yours(left) => Some((seat, *left)),
            _ => None,
        })
    }
}
