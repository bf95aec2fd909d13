use askama::Template;
use axum::response::Response;
use larder::session::Flash;

use super::{Frame, show, text};
use crate::db::BookedSeat;

#[derive(Template)]
#[template(path = "tickets.html")]
struct TicketsTemplate<'a> {
    frame: Frame,
    to_come: Vec<Booking<'a>>,
    over: Vec<Booking<'a>>,
}

struct Booking<'a> {
    code: &'a str,
    film_id: i64,
    film: &'a str,
    screen: &'a str,
    day: String,
    time: String,
    iso: String,
    seats: String,
    total: String,
}

/// Renders a visitor's bookings in the order of their seats: first upcoming ones, then past ones.
pub(crate) fn tickets(seats: &[BookedSeat], now: i64, flashes: Vec<Flash>) -> Response {
    let bookings = seats.chunk_by(|a, b| a.code == b.code);
    let (to_come, over): (Vec<_>, Vec<_>) =
        bookings.partition(|booking| booking[0].starts_at_ms > now);
    let told = |seats| booking(seats, now);
    show(&TicketsTemplate {
        frame: Frame::telling(flashes),
        to_come: to_come.into_iter().map(told).collect(),
        over: over.into_iter().map(told).collect(),
    })
}

fn booking(seats: &[BookedSeat], now: i64) -> Booking<'_> {
    let first = &seats[0];
    let names: Vec<_> = seats.iter().map(|it| it.seat.to_string()).collect();
    let number = u32::try_from(seats.len()).unwrap_or(u32::MAX);
    Booking {
        code: &first.code,
        film_id: first.film_id,
        film: &first.film,
        screen: &first.screen,
        day: text::day(first.starts_at_ms, now, "%A %-d %B"),
        time: text::time(first.starts_at_ms),
        iso: text::iso(first.starts_at_ms),
        seats: names.join(", "),
        total: text::price(first.price_cents.saturating_mul(number)),
    }
}
