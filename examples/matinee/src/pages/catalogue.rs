use askama::Template;
use axum::response::Response;

use super::pager::{Pager, Step};
use super::poster::Poster;
use super::{Footer, Frame, show, text};
use crate::clock::now_ms;
use crate::figures::{BookedFilm, FiguresNow};
use crate::films::{CataloguePage, GenreCount, Listing};

#[derive(Template)]
#[template(path = "catalogue.html")]
struct Catalogue<'a> {
    frame: Frame,
    heading: String,
    found: String,
    q: &'a str,
    genre: &'a str,
    genres: &'a [GenreCount],
    cards: Vec<Card<'a>>,
    page: u32,
    pages: u32,
    pager: Pager,
    figures: Option<Figures<'a>>,
}

/// The figures of the cinema on the first page.
struct Figures<'a> {
    /// Id, title and seats of each film; `None` if unknown.
    most_booked: Option<Vec<(i64, &'a str, String)>>,
    visitors: Option<String>,
}

struct Card<'a> {
    poster: Poster<'a>,
    /// When and where it is shown next.
    next: Option<(String, &'a str)>,
}

/// Renders the catalogue, for a request with the words `q` in the genre `genre`.
pub(crate) fn catalogue(
    loaded: &CataloguePage,
    q: &str,
    genre: Option<&str>,
    figures: Option<&FiguresNow>,
) -> Response {
    let now = now_ms();
    let heading = match (q, genre) {
        ("", None) => "What’s on".to_owned(),
        ("", Some(genre)) => genre.to_owned(),
        (q, None) => format!("“{q}”"),
        (q, Some(genre)) => format!("“{q}” in {genre}"),
    };
    show(&Catalogue {
        frame: Frame::new(Some(Footer::new(loaded.loaded_at_ms, loaded.queries))),
        heading,
        found: text::counted(loaded.total, "film", "films"),
        q,
        genre: genre.unwrap_or_default(),
        genres: &loaded.genres,
        cards: loaded
            .films
            .iter()
            .map(|listing| card(listing, now))
            .collect(),
        page: loaded.page,
        pages: loaded.pages,
        pager: Pager::new(loaded.page, loaded.pages, q, genre),
        figures: figures.map(told),
    })
}

fn told(figures: &FiguresNow) -> Figures<'_> {
    let visitors = |number| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        text::counted(number, "visitor", "visitors")
    };
    Figures {
        most_booked: figures
            .most_booked
            .as_ref()
            .map(|films| films.iter().map(booked).collect()),
        visitors: figures.visitors.map(visitors),
    }
}

fn booked(film: &BookedFilm) -> (i64, &str, String) {
    let seats = text::counted(film.seats, "seat", "seats");
    (film.id, &film.title, seats)
}

fn card(listing: &Listing, now: i64) -> Card<'_> {
    // It may have started since this was loaded.
    let next = listing
        .next_at_ms
        .filter(|at| *at > now)
        .zip(listing.next_screen.as_deref());
    let next = next.map(|(at, screen)| {
        (
            format!("{}, {}", text::day(at, now, "%a %-d %b"), text::time(at)),
            screen,
        )
    });
    Card {
        poster: Poster::new(&listing.film),
        next,
    }
}
