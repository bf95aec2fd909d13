use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::cache::{Cache, Found, Source};
use larder::store::{IdWriter, KeyId};
use larder::{Kind, Store, Ttl};
use sqlx::SqlitePool;

use super::load::{LoadError, load_catalogue, load_film};
use super::{CataloguePage, CatalogueQuery, FilmPage};

const FILM: Kind = Kind::evictable("film");
const CATALOGUE: Kind = Kind::evictable("catalogue");

/// Raised when the type of a page changes, so that old and new processes do not read each other's.
const SCHEMA: u32 = 1;

/// Gets what a page shows. Handlers ask here and do not know where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pool: SqlitePool,
    films: Cache<i64, FilmPage>,
    catalogue: Cache<CatalogueQuery, CataloguePage>,
}

/// What a page shows, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Served<T> {
    pub(crate) page: Arc<T>,
    pub(crate) source: Source,
    /// The time it took to get it.
    pub(crate) took: Duration,
}

impl Loader {
    pub(crate) fn new(pool: SqlitePool, store: Arc<dyn Store>) -> larder::Result<Self> {
        let films = Cache::builder(FILM, Ttl::from_secs(300))
            .with_schema(SCHEMA)
            .with_far(store.clone())
            .build()?;
        let catalogue = Cache::builder(CATALOGUE, Ttl::from_secs(60))
            .with_schema(SCHEMA)
            .with_near_capacity(1_000)
            .with_far(store)
            .build()?;
        Ok(Self {
            pool,
            films,
            catalogue,
        })
    }

    pub(crate) async fn film(&self, id: i64) -> Result<Served<FilmPage>, LoadError> {
        let start = Instant::now();
        let pool = self.pool.clone();
        let load = move || async move { load_film(&pool, id).await };
        let found = self.films.find_or_load(&id, load).await?;
        Ok(Served::new(found, start))
    }

    pub(crate) async fn catalogue(
        &self,
        query: &CatalogueQuery,
    ) -> Result<Served<CataloguePage>, LoadError> {
        let start = Instant::now();
        let (pool, asked) = (self.pool.clone(), query.clone());
        let load = move || async move { load_catalogue(&pool, &asked).await };
        let found = self.catalogue.find_or_load(query, load).await?;
        Ok(Served::new(found, start))
    }
}

impl<T> Served<T> {
    fn new(found: Found<T>, start: Instant) -> Self {
        Self {
            page: found.value,
            source: found.source,
            took: start.elapsed(),
        }
    }
}

impl KeyId for CatalogueQuery {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text(self.search());
        // No genre is called by the empty text.
        id.text(self.genre().unwrap_or_default());
        id.number(self.page());
    }
}
