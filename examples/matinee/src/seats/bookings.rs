use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::Stream;
use larder::rate_limit::Network;
use larder::{ErrorKind, Store, Ttl};
use rand::Rng as _;
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;

use super::holds::{Held, Holds};
use super::live::{Live, SeatsNow};
use super::map::SeatMap;
use super::{Seat, Seen, Showing};
use crate::clock::now_ms;
use crate::db::{self, Booked, BookedSeat, NewBooking};
use crate::figures::MostBooked;
use crate::mail::Outbox;

/// Holds and books seats.
///
/// A hold keeps others from choosing the same seat; it is in the store, which may lose it. A booking is
/// a row in the database, whose primary key ensures that a seat is booked once. So if a hold is lost,
/// the worst outcome is a visitor who learns at the time of booking that the seat is gone.
#[derive(Clone)]
pub(crate) struct Bookings {
    pool: SqlitePool,
    holds: Holds,
    most_booked: MostBooked,
    live: Live,
    outbox: Outbox,
}

/// Letters and digits that do not look alike, because people read the code out at the door.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// The most bookings that the tickets page lists.
const TICKETS: u32 = 200;

/// Why a seat map, a hold or a booking was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Denied {
    #[error("there is no such showing")]
    NoShowing,
    #[error("the showing has started")]
    Begun,
    #[error("the screen has no such seat, or none was chosen")]
    NoSeat,
    /// Somebody else holds or has booked these.
    #[error("the seats are taken")]
    Taken(Vec<Seat>),
    #[error("too many seats for one visitor")]
    TooMany,
    #[error("as many visitors watch seats as may")]
    TooManyWatch,
    #[error("as many visitors of one network watch seats as may")]
    TooManyWatchThere,
    /// The visitor's hold on these has ended.
    #[error("the hold has expired")]
    RanOut,
    #[error("the store did not answer: {0}")]
    Store(#[from] larder::Error),
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
}

impl Bookings {
    /// `outbox` is told of each confirmation, and `stop` ends the streams.
    pub(crate) fn new(
        pool: SqlitePool,
        store: Arc<dyn Store>,
        hold_for: Ttl,
        outbox: Outbox,
        stop: CancellationToken,
    ) -> larder::Result<Self> {
        let holds = Holds::new(store.clone(), hold_for)?;
        let most_booked = MostBooked::new(store.clone())?;
        let live = Live::new(store, stop)?;
        Ok(Self {
            pool,
            holds,
            most_booked,
            live,
            outbox,
        })
    }

    /// Reads the current seats, and returns with them what its reader has seen then.
    ///
    /// The position comes first, so a change in between is announced after it.
    ///
    /// A store that takes no writes, because it is full or a replica, gives no position. Its seats are still
    /// shown, and the page's stream begins with all of them.
    pub(crate) async fn page(
        &self,
        showing: i64,
        user: Option<i64>,
    ) -> Result<(SeatMap, Option<Seen>), Denied> {
        // Only a showing that exists has a history.
        let showing = self.showing(showing).await?;
        let position = match self.live.position(showing.id).await {
            Err(error) if matches!(error.kind(), ErrorKind::Refused(_)) => {
                tracing::warn!(%error, "a seat map is shown without a position");
                None
            }
            position => Some(position?),
        };
        let map = self.map_of(showing, user).await?;
        let seen = position.map(|position| Seen {
            position,
            hold_ends_ms: map.hold_ends_ms(),
        });
        Ok((map, seen))
    }

    /// Lets a visitor watch the seats of a showing. `from` is what they have been shown, if that is known.
    pub(crate) async fn watch(
        &self,
        showing: i64,
        user: Option<i64>,
        network: Network,
        from: Option<Seen>,
    ) -> Result<impl Stream<Item = SeatsNow> + Send + use<>, Denied> {
        let showing = self.showing(showing).await?.id;
        let bookings = self.clone();
        self.live
            .watch(bookings, showing, user, network, from)
            .await
    }

    /// Reads the current seats, with two queries and one round trip to the store.
    pub(crate) async fn map(&self, showing: i64, user: Option<i64>) -> Result<SeatMap, Denied> {
        self.map_of(self.showing(showing).await?, user).await
    }

    async fn map_of(&self, showing: Showing, user: Option<i64>) -> Result<SeatMap, Denied> {
        // In this order, a seat that is booked in between is still held, not free.
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
        let new = match self.holds.hold(showing.id, &holder, seats.clone()).await? {
            Held::Yours { new } => new,
            Held::Taken(taken) => return Err(Denied::Taken(taken)),
            Held::TooMany => return Err(Denied::TooMany),
        };
        // While this visitor holds them nobody else can book them, so the result stays true.
        let sold = self.sold(&showing, &seats).await?;
        if sold.is_empty() {
            self.live.announce(showing.id, &seats);
            return Ok(());
        }
        // The visitor keeps the seats of earlier requests, except those that are sold.
        let released: BTreeSet<_> = new.into_iter().chain(sold.keys().copied()).collect();
        let releasing = self.holds.release(showing.id, &holder, released);
        let released = releasing.await?;
        self.live.announce(showing.id, &released);
        Err(Denied::Taken(sold.into_keys().collect()))
    }

    /// Releases seats that a user holds, and returns those that were held until now.
    pub(crate) async fn release(
        &self,
        showing: i64,
        user: i64,
        seats: BTreeSet<Seat>,
    ) -> Result<BTreeSet<Seat>, Denied> {
        let showing = self.showing(showing).await?.id;
        let holder = user.to_string();
        let released = self.holds.release(showing, &holder, seats).await?;
        self.live.announce(showing, &released);
        Ok(released)
    }

    /// Books seats that a user holds, all of them or none. A repeated request succeeds again.
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
        let code = draw_code();
        let booking = NewBooking {
            code: &code,
            user,
            showing: showing.id,
            price_cents: showing.price_cents,
            now_ms: now_ms(),
        };
        let booked = db::book(&self.pool, &booking, &seats).await?;
        let sold = match &booked {
            Booked::Yours => {
                self.outbox.has_mail();
                seats.iter().map(|seat| (*seat, user)).collect()
            }
            Booked::Taken => self.sold(&showing, &seats).await?,
        };
        // Seats that are still free stay held.
        let over: BTreeSet<_> = sold.keys().copied().collect();
        let released = self.holds.release(showing.id, &holder, over.clone());
        if let Err(error) = released.await {
            // The hold expires by itself, and the booking takes precedence over it.
            tracing::warn!(%error, "a hold was not released after its booking");
        }
        self.live.announce(showing.id, &over);
        if booked == Booked::Yours {
            // Last, because nothing depends on it.
            self.most_booked.count(showing.film_id, seats.len()).await;
        }
        if seats.iter().all(|seat| sold.get(seat) == Some(&user)) {
            Ok(())
        } else {
            Err(Denied::Taken(sold.into_keys().collect()))
        }
    }

    /// Returns the seats that a user has booked: first those of showings that begin after `now_ms`, the next
    /// one first, then the others, the latest first.
    pub(crate) async fn tickets(
        &self,
        user: i64,
        now_ms: i64,
    ) -> Result<Vec<BookedSeat>, sqlx::Error> {
        db::tickets(&self.pool, user, now_ms, TICKETS).await
    }

    /// Returns the booked seats among these, with their owners.
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

    /// Returns the showing if it has these seats and has not started.
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

/// Draws the code of a booking: 60 random bits, so that nobody can guess one.
fn draw_code() -> String {
    let mut rng = rand::rng();
    let letter = |_| char::from(ALPHABET[rng.random_range(..ALPHABET.len())]);
    (0..12).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_twelve_plain_characters_and_no_two_are_alike() {
        let codes: std::collections::HashSet<_> = (0..1_000).map(|_| draw_code()).collect();
        assert_eq!(codes.len(), 1_000);
        for code in codes {
            assert!(
                code.len() == 12 && code.bytes().all(|b| ALPHABET.contains(&b)),
                "{code}"
            );
        }
    }
}
