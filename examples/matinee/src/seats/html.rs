//! The pages of seats and tickets: the map, hold, release and book.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::Session;

use super::bookings::{Bookings, Denied};
use super::form::{self, SeatForm};
use crate::accounts::SignedIn;
use crate::clock;
use crate::errors::Problem;
use crate::pages::{self, Notice};

pub(super) async fn seat_map(
    State(bookings): State<Bookings>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = session.user().await?;
    let user = user.and_then(|user| user.as_str().parse().ok());
    let map = bookings.map(showing_id(&id)?, user).await?;
    Ok(pages::seat_map(&map, user.is_some(), None))
}

pub(super) async fn hold(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    match bookings.hold(showing, user, seats).await {
        Ok(()) => Ok(see(&format!("/showings/{showing}#yours"))),
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn release(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    match bookings.release(showing, user, seats).await {
        Ok(()) => Ok(see(&format!("/showings/{showing}"))),
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn book(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    match bookings.book(showing, user, seats).await {
        Ok(()) => Ok(see("/tickets")),
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn tickets(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
) -> Result<Response, Problem> {
    let seats = bookings.tickets(user).await?;
    Ok(pages::tickets(&seats, clock::now_ms()))
}

/// Shows the current seats with the reason for the refusal, or an error if there is no map to show.
async fn tell(
    bookings: &Bookings,
    showing: i64,
    user: i64,
    denied: Denied,
) -> Result<Response, Problem> {
    let (status, notice) = match denied {
        Denied::Taken(seats) => (StatusCode::CONFLICT, Notice::Taken(seats)),
        Denied::TooMany => (StatusCode::CONFLICT, Notice::TooMany),
        Denied::RanOut => (StatusCode::CONFLICT, Notice::RanOut),
        Denied::NoSeat => (StatusCode::BAD_REQUEST, Notice::NoSeat),
        Denied::Begun => (StatusCode::CONFLICT, Notice::Begun),
        other => return Err(other.into()),
    };
    let map = bookings.map(showing, Some(user)).await?;
    let page = pages::seat_map(&map, true, Some(notice));
    Ok((status, page).into_response())
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoShowing => Self::not_found("No showing has this number."),
            Denied::Store(error) => {
                tracing::error!(%error, "the store failed to hold or read seats");
                Self::unavailable(
                    "The box office cannot see which seats are held at the moment. Nothing was \
                     booked. Please try again soon.",
                )
            }
            Denied::Database(error) => error.into(),
            // Usually shown on the seat map.
            Denied::Begun
            | Denied::NoSeat
            | Denied::Taken(_)
            | Denied::TooMany
            | Denied::RanOut => Self::of(StatusCode::CONFLICT),
        }
    }
}

fn showing_id(text: &str) -> Result<i64, Denied> {
    text.parse().map_err(|_| Denied::NoShowing)
}

fn see(link: &str) -> Response {
    Redirect::to(link).into_response()
}
