use askama::Template;
use axum::response::Response;

use super::poster::Poster;
use super::{Footer, Frame, show, text};
use crate::clock::{DAY_MS, now_ms};
use crate::films::{FilmPage, Showing};

#[derive(Template)]
#[template(path = "film.html")]
struct FilmTemplate<'a> {
    frame: Frame,
    poster: Poster<'a>,
    facts: Vec<(&'static str, String)>,
    overview: Option<&'a str>,
    days: Vec<Day<'a>>,
}

struct Day<'a> {
    name: String,
    tickets: Vec<Ticket<'a>>,
}

struct Ticket<'a> {
    showing: i64,
    time: String,
    iso: String,
    screen: &'a str,
    seats: String,
    price: String,
}

/// Renders the page of one film.
pub(crate) fn film(loaded: &FilmPage) -> Response {
    let film = &loaded.film;
    let facts = [
        ("Directed by", film.director.clone()),
        ("Genre", film.genre.clone()),
        ("Released", film.released.as_deref().map(text::date)),
        (
            "Running time",
            film.running_time_min.map(text::running_time),
        ),
        ("Certificate", film.certificate.clone()),
        ("Distributor", film.distributor.clone()),
    ];
    show(&FilmTemplate {
        frame: Frame::new(Some(Footer::new(loaded.loaded_at_ms, loaded.queries))),
        poster: Poster::new(film),
        facts: facts
            .into_iter()
            .filter_map(|(name, fact)| Some((name, fact?)))
            .collect(),
        overview: film.overview.as_deref(),
        days: days(&loaded.showings, now_ms()),
    })
}

/// Groups the showings that have not started by day.
fn days(showings: &[Showing], now: i64) -> Vec<Day<'_>> {
    let first = showings.partition_point(|showing| showing.starts_at_ms <= now);
    let day = |showing: &Showing| showing.starts_at_ms.div_euclid(DAY_MS);
    let days = showings[first..].chunk_by(|a, b| day(a) == day(b));
    days.map(|showings| Day {
        name: text::day(showings[0].starts_at_ms, now, "%A %-d %B"),
        tickets: showings.iter().map(ticket).collect(),
    })
    .collect()
}

fn ticket(showing: &Showing) -> Ticket<'_> {
    Ticket {
        showing: showing.id,
        time: text::time(showing.starts_at_ms),
        iso: text::iso(showing.starts_at_ms),
        screen: &showing.screen,
        seats: text::counted(showing.seats, "seat", "seats"),
        price: text::price(showing.price_cents),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn showings_that_have_begun_since_are_left_out_and_the_rest_is_told_by_day() {
        let at = |starts_at_ms| Showing {
            id: 1,
            screen: "Snug".to_owned(),
            starts_at_ms,
            price_cents: 750,
            seats: 42,
        };
        let showings = [at(10), at(20), at(DAY_MS), at(DAY_MS + 1)];
        let days = days(&showings, 10);
        let told: Vec<_> = days
            .iter()
            .map(|day| (&*day.name, day.tickets.len()))
            .collect();
        assert_eq!(told, [("Today", 1), ("Tomorrow", 2)]);
    }
}
