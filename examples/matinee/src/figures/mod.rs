//! The cinema's figures: the most booked films of this week, and the number of visitors today.
//!
//! Both are structures in the store, and nothing depends on them: while it fails, pages are shown without them.

mod most_booked;
mod visitors;

use std::sync::Arc;

use larder::Store;
use larder::cache::Source;

pub(crate) use self::most_booked::{BookedFilm, MostBooked};
pub(crate) use self::visitors::{CountVisits, Visitors, note_visit};
use crate::films::Loader;

/// Reads the figures.
#[derive(Clone)]
pub(crate) struct Figures {
    most_booked: MostBooked,
    visitors: Visitors,
    loader: Loader,
}

/// The figures at one moment. A figure that could not be read is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct FiguresNow {
    /// The film with the most seats first.
    pub(crate) most_booked: Option<Vec<BookedFilm>>,
    pub(crate) visitors: Option<u64>,
}

impl FiguresNow {
    /// Returns where the titles of the films came from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Source> {
        self.most_booked.iter().flatten().map(|film| film.source)
    }
}

impl Figures {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        visitors: Visitors,
        loader: Loader,
    ) -> larder::Result<Self> {
        Ok(Self {
            most_booked: MostBooked::new(store)?,
            visitors,
            loader,
        })
    }

    /// Reads both, in two concurrent round trips. The titles are those of the films' own pages.
    pub(crate) async fn now(&self) -> FiguresNow {
        let (most_booked, visitors) = tokio::join!(
            self.most_booked.this_week(&self.loader),
            self.visitors.today(),
        );
        let failed = |error: &larder::Error| tracing::warn!(%error, "a figure could not be read");
        FiguresNow {
            most_booked: most_booked.inspect_err(failed).ok(),
            visitors: visitors.inspect_err(failed).ok(),
        }
    }
}
