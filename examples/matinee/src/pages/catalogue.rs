use askama::Template;
use axum::response::Response;

use super::pager::{Pager, Step};
use super::poster::Poster;
use super::{Footer, Frame, show, text};
use crate::clock::now_ms;
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
}

struct Card<'a> {
    poster: Poster<'a>,
    /// When and where it is shown next.
    next: Option<(String, &'a str)>,
}

/// The catalogue, as it was asked for with the words `q` in the genre `genre`.
pub(crate) fn catalogue(loaded: &CataloguePage, q: &str, genre: Option<&str>) -> Response {
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
    })
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
