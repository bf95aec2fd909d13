//! Seats of a showing: held for some minutes in the store, booked permanently in the database.

mod bookings;
mod form;
mod holds;
mod html;
mod live;
mod map;
mod places;
#[cfg(test)]
mod race;
mod seat;
mod seen;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, map_response};
use axum::routing::{get, post};
use larder::rate_limit::ClientAddress;

pub(crate) use self::bookings::Bookings;
pub(crate) use self::holds::SEATS_EACH;
pub(crate) use self::live::SeatsNow;
pub(crate) use self::map::{SeatMap, SeatState};
pub(crate) use self::seat::{Seat, Showing};
pub(crate) use self::seen::Seen;
use crate::headers;
use crate::to_the_end::to_the_end;

/// What the handlers of this feature need.
#[derive(Clone, FromRef)]
struct Seats {
    bookings: Bookings,
    address: ClientAddress,
}

/// `address` finds the clients whose streams are limited.
pub(crate) fn routes(bookings: Bookings, address: ClientAddress) -> Router {
    // If a visitor hangs up, a booking still releases its hold, and the others are still told.
    let changes = Router::new()
        .route("/showings/{id}/hold", post(html::hold))
        .route("/showings/{id}/release", post(html::release))
        .route("/showings/{id}/book", post(html::book))
        .route_layer(from_fn(to_the_end));
    Router::new()
        .route("/showings/{id}", get(html::seat_map))
        .route("/showings/{id}/live", get(html::live))
        .merge(changes)
        .route("/tickets", get(html::tickets))
        .layer(map_response(headers::personal))
        .with_state(Seats { bookings, address })
}
