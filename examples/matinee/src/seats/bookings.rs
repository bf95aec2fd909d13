use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use larder::{Store, Ttl};
use sqlx::SqlitePool;

use super::holds::{Held, Holds};
use super::map::SeatMap;
use super::{Seat, Showing, code};
use crate::clock::now_ms;
use crate::db::{self, Booked, NewBooking};

/// Where seats are held and booked.
///
/// A hold keeps others from choosing the same seat; it is in the store, which may lose it. A booking
/// is a row in the database, whose primary key lets a seat be booked once. So the worst that a lost
/// hold can do is that somebody is told at the till that a seat has gone.
#[derive(Clone)]
pub(crate) struct BoxOffice {
    pool: SqlitePool,
    holds: Holds,
}

/// Why there is no seat map, no hold or no booking.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    #[error("there is no such showing")]
    NoShowing,
    #[error("the showing has begun")]
    Begun,
    #[error("the screen has no such seat, or none was chosen")]
    NoSeat,
    /// Somebody else holds or has booked these.
    #[error("the seats are taken")]
    Taken(Vec<Seat>),
    #[error("nobody may hold so many seats")]
    TooMany,
    /// The visitor does not hold these any more.
    #[error("the hold has run out")]
    RanOut,
    #[error("the store did not answer: {0}")]
    Store(#[from] larder::Error),
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
}

impl BoxOffice {
    pub(crate) fn new(
        pool: SqlitePool,
        store: Arc<dyn Store>,
        hold_for: Ttl,
    ) -> larder::Result<Self> {
        let holds = Holds::new(store, hold_for)?;
        Ok(Self { pool, holds })
    }

    /// The seats as they are now: two queries, and one round trip to the store.
    pub(crate) async fn map(&self, showing: i64, user: Option<i64>) -> Result<SeatMap, Denied> {
        let showing = self.showing(showing).await?;
        // In this order: a seat that is booked in between is still held, not free.
        let held = self.holds.read(showing.id).await?;
        let booked = db::booked_seats(&self.pool, showing.id).await?;
        let hold_for = self.holds.hold_for().into();
        Ok(SeatMap::new(showing, hold_for, user, held, booked))
    }

    /// Holds seats for a user, all of them or none.
    pub(crate) async fn hold(
        &self,
        showing: i64,
        user: i64,
        seats: BTreeSet<Seat>,
    ) -> Result<(), Denied> {
        let showing = self.on_sale(showing, &seats).await?;
        let holder = user.to_string();
        match self.holds.hold(showing.id, &holder, seats.clone()).await? {
            Held::Yours => {}
            Held::Taken(taken) => return Err(Denied::Taken(taken)),
            Held::TooMany => return Err(Denied::TooMany),
        }
        // After the hold: from here on nobody else can book them, so what is seen is so.
        let sold = self.sold(&showing, &seats).await?;
        if sold.is_empty() {
            return Ok(());
        }
        self.holds.release(showing.id, &holder, seats).await?;
        Err(Denied::Taken(sold.into_keys().collect()))
    }

    /// Gives seats back that a user holds.
    pub(crate) async fn release(
        &self,
        showing: i64,
        user: i64,
        seats: BTreeSet<Seat>,
    ) -> Result<(), Denied> {
        let holder = user.to_string();
        Ok(self.holds.release(showing, &holder, seats).await?)
    }

    /// Books seats that a user holds, all of them or none. Those who ask again are told again that
    /// the seats are theirs.
    pub(crate) async fn book(
        &self,
        showing: i64,
        user: i64,
        seats: BTreeSet<Seat>,
    ) -> Result<(), Denied> {
        let showing = self.on_sale(showing, &seats).await?;
        let holder = user.to_string();
        if !self
            .holds
            .secure(showing.id, &holder, seats.clone())
            .await?
        {
            let sold = self.sold(&showing, &seats).await?;
            let is_theirs = |seat| sold.get(seat) == Some(&user);
            return if seats.iter().all(is_theirs) {
                Ok(())
            } else {
                Err(Denied::RanOut)
            };
        }
        let code = code::draw();
        let booking = NewBooking {
            code: &code,
            user,
            showing: showing.id,
            price_cents: showing.price_cents,
            now_ms: now_ms(),
        };
        let booked = db::book(&self.pool, &booking, &seats).await?;
        let sold = match booked {
            Booked::Yours => seats.iter().map(|seat| (*seat, user)).collect(),
            Booked::Taken => self.sold(&showing, &seats).await?,
        };
        // Those that are free yet stay held.
        let over = sold.keys().copied().collect();
        if let Err(error) = self.holds.release(showing.id, &holder, over).await {
            // It ends by itself, and nobody sees it beside the booking.
            tracing::warn!(%error, "a hold outlives its booking");
        }
        if seats.iter().all(|seat| sold.get(seat) == Some(&user)) {
            Ok(())
        } else {
            Err(Denied::Taken(sold.into_keys().collect()))
        }
    }

    /// Which of these seats are booked, and by whom.
    async fn sold(
        &self,
        showing: &Showing,
        seats: &BTreeSet<Seat>,
    ) -> Result<BTreeMap<Seat, i64>, Denied> {
        let mut booked = db::booked_seats(&self.pool, showing.id).await?;
        booked.retain(|seat, _| seats.contains(seat));
        Ok(booked)
    }

    async fn showing(&self, id: i64) -> Result<Showing, Denied> {
        let showing = db::showing(&self.pool, id).await?;
        showing.ok_or(Denied::NoShowing)
    }

    /// A showing that has these seats, and has not begun.
    async fn on_sale(&self, showing: i64, seats: &BTreeSet<Seat>) -> Result<Showing, Denied> {
        let showing = self.showing(showing).await?;
        if showing.has_begun(now_ms()) {
            return Err(Denied::Begun);
        }
        if seats.is_empty() || !seats.iter().all(|seat| showing.has(*seat)) {
            return Err(Denied::NoSeat);
        }
        Ok(showing)
    }
}
