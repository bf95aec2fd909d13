use askama::Template;
use axum::response::Response;
use axum::response::sse::Event;
use larder::session::Flash;
use serde_json::{Map, json};

use super::{Frame, show, text};
use crate::assets;
use crate::clock::now_ms;
use crate::seats::{SEATS_EACH, Seat, SeatMap, SeatState, SeatsNow, Seen};

#[derive(Template)]
#[template(path = "seat_map.html")]
struct SeatMapTemplate<'a> {
    frame: Frame,
    id: i64,
    film_id: i64,
    film: &'a str,
    screen: &'a str,
    day: String,
    time: String,
    iso: String,
    price: String,
    seen_at: String,
    notice: String,
    is_signed_in: bool,
    has_begun: bool,
    most: usize,
    hold_for: String,
    free: String,
    rows: Vec<Row>,
    yours: Yours,
    /// What the page shows. If it is empty, the stream begins with all seats.
    after: String,
    script: &'static str,
}

struct Row {
    letter: char,
    seats: Vec<Place>,
}

struct Place {
    seat: Seat,
    number: u8,
    state: SeatState,
}

/// The seats that the visitor holds.
struct Yours {
    seats: Vec<Seat>,
    until: String,
    until_iso: String,
    total: String,
}

/// Why a seat was not held or booked.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    Taken(Vec<Seat>),
    TooMany,
    RanOut,
    NoSeat,
    Begun,
}

/// Renders the seats of a showing, to choose from.
pub(crate) fn seat_map(
    map: &SeatMap,
    seen: Option<Seen>,
    is_signed_in: bool,
    notice: Option<Notice>,
    flashes: Vec<Flash>,
) -> Response {
    let (now, showing) = (now_ms(), &map.showing);
    let rows: Vec<Row> = (1..=showing.seat_rows)
        .map(|row| Row {
            letter: Seat { row, number: 1 }.row_letter(),
            seats: (1..=showing.seats_per_row)
                .map(|number| Seat { row, number })
                .map(|seat| Place {
                    seat,
                    number: seat.number,
                    state: map.state(seat),
                })
                .collect(),
        })
        .collect();
    let free = rows.iter().flat_map(|row| &row.seats);
    let free = free.filter(|place| place.state == SeatState::Free).count();
    show(&SeatMapTemplate {
        frame: Frame::telling(flashes),
        id: showing.id,
        film_id: showing.film_id,
        film: &showing.film,
        screen: &showing.screen,
        day: text::day(showing.starts_at_ms, now, "%A %-d %B"),
        time: text::time(showing.starts_at_ms),
        iso: text::iso(showing.starts_at_ms),
        price: text::price(showing.price_cents),
        seen_at: text::utc(now, "%H:%M:%S"),
        notice: notice.map(words).unwrap_or_default(),
        is_signed_in,
        has_begun: showing.has_begun(now),
        most: SEATS_EACH,
        hold_for: text::whole_span(map.hold_for),
        free: text::counted(
            u32::try_from(free).unwrap_or(u32::MAX),
            "seat is",
            "seats are",
        ),
        rows,
        yours: yours(map, now),
        after: seen.map(|seen| seen.to_string()).unwrap_or_default(),
        script: assets::seats_script_path(),
    })
}

/// Makes an event for an open page of this showing: each changed seat, with its state.
pub(crate) fn seats_event(now: &SeatsNow) -> Event {
    let told = |(seat, state): (Seat, SeatState)| {
        let word = match state {
            SeatState::Free => "free",
            SeatState::Held(_) => "held",
            SeatState::Booked => "booked",
            SeatState::Yours(_) => "yours",
            SeatState::YourTicket => "ticket",
        };
        (seat.to_string(), json!(word))
    };
    let seats: Map<_, _> = match &now.changed {
        Some(changed) => {
            let states = changed.iter().map(|seat| (*seat, now.map.state(*seat)));
            states.map(told).collect()
        }
        None => now.map.taken().map(told).collect(),
    };
    // If all seats may have changed, those that are not named are free.
    let data = json!({ "all": now.changed.is_none(), "seats": seats });
    let event = Event::default().event("seats").data(data.to_string());
    match now.seen {
        Some(seen) => event.id(seen.to_string()),
        None => event,
    }
}

fn yours(map: &SeatMap, now: i64) -> Yours {
    let seats: Vec<_> = map.yours().map(|(seat, _)| seat).collect();
    let first = map.yours().map(|(_, left)| left).min().unwrap_or_default();
    // Rounded down: at the next second, the hold has certainly ended.
    let until = now.saturating_add(i64::try_from(first.as_millis()).unwrap_or(0));
    let number = u32::try_from(seats.len()).unwrap_or(u32::MAX);
    let total = text::price(map.showing.price_cents.saturating_mul(number));
    Yours {
        until: text::utc(until, "%H:%M:%S"),
        until_iso: text::utc(until, "%Y-%m-%dT%H:%M:%SZ"),
        total: format!("{} for {total}", text::counted(number, "seat", "seats")),
        seats,
    }
}

fn words(notice: Notice) -> String {
    match notice {
        Notice::Taken(seats) => {
            let one = seats.len() == 1;
            let names: Vec<_> = seats.iter().map(Seat::to_string).collect();
            let (is, other) = if one {
                ("is", "another seat")
            } else {
                ("are", "other seats")
            };
            format!(
                "Someone else was faster: {} {is} taken. Please choose {other}.",
                names.join(", ")
            )
        }
        Notice::TooMany => format!("You can hold up to {SEATS_EACH} seats for a showing."),
        Notice::RanOut => {
            "Your hold on these seats has expired, and nothing was booked. Please choose again."
                .to_owned()
        }
        Notice::NoSeat => "Please choose at least one seat on this plan.".to_owned(),
        Notice::Begun => "This showing has started, so its seats are no longer on sale.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_told_which_seats_have_gone() {
        let seats = |texts: &[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        assert_eq!(
            words(Notice::Taken(seats(&["F12"]))),
            "Someone else was faster: F12 is taken. Please choose another seat."
        );
        assert_eq!(
            words(Notice::Taken(seats(&["F12", "F13"]))),
            "Someone else was faster: F12, F13 are taken. Please choose other seats."
        );
    }
}
