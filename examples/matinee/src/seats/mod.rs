//! Seats of a showing: held for some minutes in the store, booked permanently in the database.

mod bookings;
mod form;
mod holds;
mod html;
mod live;
mod map;
#[cfg(test)]
mod race;
mod seat;

use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};

pub(crate) use self::bookings::Bookings;
pub(crate) use self::holds::SEATS_EACH;
pub(crate) use self::live::SeatsNow;
pub(crate) use self::map::{SeatMap, SeatState};
pub(crate) use self::seat::{Seat, Showing};
use crate::headers;

pub(crate) fn routes(bookings: Bookings) -> Router {
    Router::new()
        .route("/showings/{id}", get(html::seat_map))
        .route("/showings/{id}/live", get(html::live))
        .route("/showings/{id}/hold", post(html::hold))
        .route("/showings/{id}/release", post(html::release))
        .route("/showings/{id}/book", post(html::book))
        .route("/tickets", get(html::tickets))
        .layer(map_response(headers::personal))
        .with_state(bookings)
}
