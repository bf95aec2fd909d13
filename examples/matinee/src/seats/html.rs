//! The pages of seats and tickets: the map, hold, release and book.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::pending;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::StreamExt as _;
use larder::rate_limit::Network;
use larder::session::{FlashLevel, Session};
use serde::Deserialize;

use super::Seat;
use super::bookings::{Bookings, Denied};
use super::form::{self, SeatForm};
use crate::accounts::SignedIn;
use crate::errors::Problem;
use crate::limits::Client;
use crate::pages::{self, Notice};
use crate::{clock, flash};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx and others would otherwise keep events until there are some kilobytes of them.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

pub(super) async fn seat_map(
    State(bookings): State<Bookings>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let user = user(&session).await?;
    let (map, seen) = bookings.page(showing_id(&id)?, user).await?;
    let flashes = flash::take(&session).await;
    Ok(pages::seat_map(&map, seen, user.is_some(), None, flashes))
}

#[derive(Deserialize)]
pub(super) struct After {
    /// What the page shows, for its first stream.
    after: Option<String>,
}

/// Streams the changes of the seats, as server-sent events.
pub(super) async fn live(
    State(bookings): State<Bookings>,
    session: Session,
    Client(from): Client,
    Path(id): Path<String>,
    Query(page): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let user = user(&session).await?;
    // A browser that reconnects sends the id of the last event.
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let last = last.or(page.after.as_deref());
    // A malformed id counts as one that is too old.
    let last = last.and_then(|last| last.parse().ok());
    let network = Network::of(from);
    let seats = bookings
        .watch(showing_id(&id)?, user, network, last)
        .await?;
    let seats = seats.take_until(signed_out(session, user));
    let events = seats.map(|now| Ok::<_, Infallible>(pages::seats_event(&now)));
    let stream = Sse::new(events).keep_alive(KeepAlive::default());
    Ok(([UNBUFFERED], stream).into_response())
}

/// Resolves when the user is signed out. Until then a stream says which seats are theirs; the browser reconnects
/// as a stranger.
async fn signed_out(session: Session, user: Option<i64>) {
    match user {
        Some(_) => {
            let _ = session.revoked().await;
        }
        None => pending().await,
    }
}

pub(super) async fn hold(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    match bookings.hold(showing, user, seats).await {
        // The map shows which seats are held, and until when.
        Ok(()) => Ok(Redirect::to(&format!("/showings/{showing}#yours")).into_response()),
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn release(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    session: Session,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    match bookings.release(showing, user, seats).await {
        Ok(released) => {
            let (level, told) = match released.is_empty() {
                false => (
                    FlashLevel::Success,
                    format!("You gave back {}.", named(&released)),
                ),
                true => (
                    FlashLevel::Warning,
                    "You did not hold these seats.".to_owned(),
                ),
            };
            let map = format!("/showings/{showing}");
            Ok(flash::tell(&session, level, told, &map).await)
        }
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn book(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    session: Session,
    Path(id): Path<String>,
    typed: SeatForm,
) -> Result<Response, Problem> {
    let (showing, seats) = (showing_id(&id)?, form::seats(typed)?);
    let booked = format!(
        "You have booked {}. We have emailed you a confirmation.",
        named(&seats)
    );
    match bookings.book(showing, user, seats).await {
        Ok(()) => Ok(flash::tell(&session, FlashLevel::Success, booked, "/tickets").await),
        Err(denied) => tell(&bookings, showing, user, denied).await,
    }
}

pub(super) async fn tickets(
    State(bookings): State<Bookings>,
    SignedIn(user): SignedIn,
    session: Session,
) -> Result<Response, Problem> {
    let now = clock::now_ms();
    let seats = bookings.tickets(user, now).await?;
    let flashes = flash::take(&session).await;
    Ok(pages::tickets(&seats, now, flashes))
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
    let (map, seen) = bookings.page(showing, Some(user)).await?;
    let page = pages::seat_map(&map, seen, true, Some(notice), Vec::new());
    Ok((status, page).into_response())
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NoShowing => Self::not_found("No showing has this number."),
            Denied::Store(error) => {
                tracing::error!(%error, "the store failed to hold or read seats");
                Self::unavailable(
                    "The box office cannot see which seats are held at the moment. Please look at your tickets \
                     before you try again.",
                )
            }
            Denied::Database(error) => error.into(),
            Denied::TooManyWatch => Self::of(StatusCode::SERVICE_UNAVAILABLE),
            Denied::TooManyWatchThere => Self::of(StatusCode::TOO_MANY_REQUESTS),
            // Usually shown on the seat map.
            Denied::Begun
            | Denied::NoSeat
            | Denied::Taken(_)
            | Denied::TooMany
            | Denied::RanOut => Self::of(StatusCode::CONFLICT),
        }
    }
}

async fn user(session: &Session) -> Result<Option<i64>, Problem> {
    let user = session.user().await?;
    Ok(user.and_then(|user| user.as_str().parse().ok()))
}

fn showing_id(text: &str) -> Result<i64, Denied> {
    text.parse().map_err(|_| Denied::NoShowing)
}

/// `C3, C4`.
fn named(seats: &BTreeSet<Seat>) -> String {
    let names: Vec<_> = seats.iter().map(Seat::to_string).collect();
    names.join(", ")
}
