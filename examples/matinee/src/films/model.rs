//! Films and showings, in the form in which they are loaded, cached, and sent as JSON.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{CatalogueQuery, PAGE_SIZE};

/// A film; an unknown fact is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub(crate) struct Film {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// ISO 8601.
    pub(crate) released: Option<String>,
    pub(crate) certificate: Option<String>,
    pub(crate) running_time_min: Option<u32>,
    pub(crate) genre: Option<String>,
    pub(crate) director: Option<String>,
    pub(crate) distributor: Option<String>,
    /// A summary in a few sentences.
    pub(crate) overview: Option<String>,
    /// How many times it was edited.
    pub(crate) revision: i64,
}

/// A film in the catalogue, with its next showing if it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub(crate) struct Listing {
    #[sqlx(flatten)]
    pub(crate) film: Film,
    pub(crate) next_at_ms: Option<i64>,
    pub(crate) next_screen: Option<String>,
}

/// One showing of a film.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub(crate) struct Showing {
    pub(crate) id: i64,
    pub(crate) screen: String,
    pub(crate) starts_at_ms: i64,
    pub(crate) price_cents: u32,
    /// The number of all seats of the screen.
    pub(crate) seats: u32,
}

/// A genre, and the number of its films.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub(crate) struct GenreCount {
    pub(crate) name: String,
    pub(crate) films: u32,
}

/// Everything that the page of a film shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilmPage {
    pub(crate) film: Film,
    /// Showings that had not started when this was loaded, the soonest first.
    pub(crate) showings: Vec<Showing>,
    pub(crate) loaded_at_ms: i64,
    pub(crate) queries: u32,
}

/// Everything that one page of the catalogue shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CataloguePage {
    pub(crate) films: Vec<Listing>,
    /// The number of films that the search found, on all pages.
    pub(crate) total: u32,
    /// This page, from 1. If a later one than the last was requested, it is the last one.
    pub(crate) page: u32,
    /// At least 1.
    pub(crate) pages: u32,
    pub(crate) genres: Vec<GenreCount>,
    pub(crate) loaded_at_ms: i64,
    pub(crate) queries: u32,
}

impl CataloguePage {
    /// Returns whether the catalogue has this page and it is the requested one.
    ///
    /// There are few such pages. Searches, unknown genres and pages past the last one are unlimited in
    /// number, so they are not cached for everybody.
    pub(crate) fn is_listed_as(&self, query: &CatalogueQuery) -> bool {
        query.search().is_empty() && self.total > 0 && self.page == query.page()
    }

    /// Returns, on the first page of all films, whether the catalogue has another page.
    pub(crate) fn lists(&self, query: &CatalogueQuery) -> bool {
        let films = match query.genre() {
            None => self.total,
            Some(genre) => {
                let known = self.genres.iter().find(|it| it.name == genre);
                known.map_or(0, |it| it.films)
            }
        };
        query.search().is_empty() && query.page() <= films.div_ceil(PAGE_SIZE)
    }
}
