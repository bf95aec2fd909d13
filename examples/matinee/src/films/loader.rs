use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::SqlitePool;

use super::load::{LoadError, load_catalogue, load_film};
use super::{CataloguePage, CatalogueQuery, FilmPage};

/// Gets what a page shows. Handlers ask here and do not know where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pool: SqlitePool,
}

/// What a page shows, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Served<T> {
    pub(crate) page: Arc<T>,
    pub(crate) origin: Origin,
    /// The time it took to get it.
    pub(crate) took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Loaded from the database for this request.
    Miss,
}

impl Loader {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self { pool }
    }

    pub(crate) async fn film(&self, id: i64) -> Result<Served<FilmPage>, LoadError> {
        let start = Instant::now();
        let page = Arc::new(load_film(&self.pool, id).await?);
        Ok(Served {
            page,
            origin: Origin::Miss,
            took: start.elapsed(),
        })
    }

    pub(crate) async fn catalogue(
        &self,
        query: &CatalogueQuery,
    ) -> Result<Served<CataloguePage>, LoadError> {
        let start = Instant::now();
        let page = Arc::new(load_catalogue(&self.pool, query).await?);
        Ok(Served {
            page,
            origin: Origin::Miss,
            took: start.elapsed(),
        })
    }
}
