use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;
use larder::cache::Source;
use larder::structures::leaderboard::{Leaderboard, Window};
use larder::{Store, Ttl};

use crate::films::Loader;

/// How many films are shown.
const PLACES: u32 = 5;
/// A week's leaderboard is shown for a week; each booking extends its lifetime.
const KEPT: Ttl = Ttl::from_secs(8 * 24 * 60 * 60);

/// The films by the number of seats that were booked this week, from Monday, UTC.
#[derive(Clone)]
pub(crate) struct MostBooked(Leaderboard);

/// A film, and how many seats were booked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BookedFilm {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) seats: u32,
    /// Where the title came from.
    pub(crate) source: Source,
}

impl MostBooked {
    pub(crate) fn new(store: Arc<dyn Store>) -> larder::Result<Self> {
        Leaderboard::new(store, "most-booked", KEPT).map(Self)
    }

    /// Counts booked seats.
    ///
    /// A failed call is not repeated, because the seats may have been counted: these are no sales figures.
    pub(crate) async fn count(&self, film: i64, seats: usize) {
        let week = Window::Week.at(SystemTime::now());
        let seats = i64::try_from(seats).unwrap_or(0);
        if let Err(error) = self.0.add(week, &film.to_string(), seats).await {
            tracing::warn!(%error, "booked seats were not counted for the week");
        }
    }

    pub(super) async fn this_week(&self, loader: &Loader) -> larder::Result<Vec<BookedFilm>> {
        let week = Window::Week.at(SystemTime::now());
        let rows = self.0.top(week, PLACES).await?;
        let films = rows.into_iter().map(|row| async move {
            // Anything else is not an id of a film, and is left out.
            let id = row.member.parse().ok()?;
            let film = loader.film(id).await.ok()?;
            Some(BookedFilm {
                id,
                title: film.page.film.title.clone(),
                seats: u32::try_from(row.score).unwrap_or(0),
                source: film.source,
            })
        });
        Ok(join_all(films).await.into_iter().flatten().collect())
    }
}
