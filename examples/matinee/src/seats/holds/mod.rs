//! Holds: seats that are reserved for a visitor for some minutes, and are free again after that.
//!
//! The holds of a showing are one record of the store, and each operation on them is a custom
//! program, in Lua for Redis and in Rust for the store in this process. So a seat map is one round
//! trip, several seats are held together or not at all, and nobody can hold more than the limit. A
//! hold is not a booking: bookings are in the database, which alone decides who owns a seat.

mod hold;
mod read;
mod record;
mod release;
mod secure;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use larder::store::program::{Programs, Record};
use larder::store::{Result, StoreExt};
use larder::{Key, Store, Ttl};

pub(crate) use self::hold::Held;
pub(crate) use self::read::HeldSeat;

use self::hold::HoldSeats;
use self::read::ReadHolds;
use self::record::HoldsRecord;
use self::release::ReleaseSeats;
use self::secure::SecureSeats;
use super::Seat;
use crate::db;

/// The most seats of one showing that a visitor may hold.
pub(crate) const SEATS_EACH: usize = 8;
/// Longer than a booking waits before it is written or given up.
const MOMENT: Ttl = Ttl::from_secs(30);
const _: () = assert!(MOMENT.as_millis() as u128 > db::WRITER_WAITS.as_millis());

/// The holds of all showings. Each method is one round trip to the store. The kind of an error of
/// the store says whether the change may have happened.
#[derive(Clone)]
pub(crate) struct Holds {
    programs: Arc<dyn Programs>,
    hold_for: Ttl,
}

impl Holds {
    pub(crate) fn new(store: Arc<dyn Store>, hold_for: Ttl) -> Result<Self> {
        let programs = store.require_programs("holding seats")?;
        Ok(Self { programs, hold_for })
    }

    /// Returns how long a hold lasts.
    pub(crate) fn hold_for(&self) -> Ttl {
        self.hold_for
    }

    /// Returns the seats that are held now.
    pub(crate) async fn read(&self, showing: i64) -> Result<BTreeMap<Seat, HeldSeat>> {
        self.programs.run(&key(showing), &ReadHolds).await
    }

    /// Holds seats, all of them or none.
    pub(crate) async fn hold(
        &self,
        showing: i64,
        holder: &str,
        seats: BTreeSet<Seat>,
    ) -> Result<Held> {
        let step = HoldSeats {
            holder: holder.into(),
            span: self.hold_for.as_micros(),
            // It is 8.
            cap: SEATS_EACH as i64,
            seats,
        };
        self.programs.run(&key(showing), &step).await
    }

    /// Releases seats, and returns those that the visitor held until now.
    pub(crate) async fn release(
        &self,
        showing: i64,
        holder: &str,
        seats: BTreeSet<Seat>,
    ) -> Result<BTreeSet<Seat>> {
        let holder = holder.into();
        let step = ReleaseSeats { holder, seats };
        self.programs.run(&key(showing), &step).await
    }

    /// Extends the visitor's holds until the booking is written. Returns whether the visitor still
    /// had all of them.
    pub(crate) async fn secure(
        &self,
        showing: i64,
        holder: &str,
        seats: BTreeSet<Seat>,
    ) -> Result<bool> {
        let step = SecureSeats {
            holder: holder.into(),
            span: MOMENT.as_micros(),
            seats,
        };
        self.programs.run(&key(showing), &step).await
    }
}

fn key(showing: i64) -> Key {
    Key::new(HoldsRecord::KIND, showing)
}
