use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::cache::{Cache, Found, Source};
use larder::store::{IdWriter, KeyId};
use larder::{Kind, Store, Ttl};
use sqlx::SqlitePool;

use crate::db;

use super::load::{LoadError, load_catalogue, load_film};
use super::{CataloguePage, CatalogueQuery, FilmPage};

const FILM: Kind = Kind::evictable("film");
const CATALOGUE: Kind = Kind::evictable("catalogue");
const SEARCH: Kind = Kind::evictable("search");
const EDITION: Kind = Kind::evictable("edition");

/// How long this process may use an edition that another process has replaced.
const EDITION_TTL: Ttl = Ttl::from_secs(1);

/// Raise this when the type of a page changes, so that old and new processes do not share entries.
const SCHEMA: u32 = 2;

/// Loads the data of pages through the caches.
///
/// Each key contains the edition of the films, a number in the database that an edit changes in the same
/// transaction. So one edit replaces a film and every list that contains it; data loaded earlier, even by
/// a load still in progress, stays under a key that is never read again.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pool: SqlitePool,
    edition: Cache<Programme, i64>,
    films: Cache<(i64, i64), FilmPage>,
    catalogue: Cache<(i64, CatalogueQuery), CataloguePage>,
    /// Pages that the catalogue does not list. They are unlimited in number, so they are kept in this process only.
    searches: Cache<(i64, CatalogueQuery), CataloguePage>,
}

/// The key of the programme's current edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Programme;

/// A page's data, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Served<T> {
    pub(crate) page: Arc<T>,
    pub(crate) source: Source,
    /// The time it took to get it.
    pub(crate) took: Duration,
}

impl Loader {
    pub(crate) fn new(pool: SqlitePool, store: Arc<dyn Store>) -> larder::Result<Self> {
        let edition = Cache::builder(EDITION, EDITION_TTL).build()?;
        let films = Cache::builder(FILM, Ttl::from_secs(300))
            .with_schema(SCHEMA)
            .with_far(store.clone())
            .build()?;
        let catalogue = Cache::builder(CATALOGUE, Ttl::from_secs(60))
            .with_schema(SCHEMA)
            .with_max_near_entries(1_000)
            .with_far(store)
            .build()?;
        let searches = Cache::builder(SEARCH, Ttl::from_secs(60))
            .with_max_near_entries(1_000)
            .build()?;
        Ok(Self {
            pool,
            edition,
            films,
            catalogue,
            searches,
        })
    }

    pub(crate) async fn film(&self, id: i64) -> Result<Served<FilmPage>, LoadError> {
        let start = Instant::now();
        let key = (self.edition().await?, id);
        let pool = self.pool.clone();
        let load = move || async move { load_film(&pool, id).await };
        let found = self.films.find_or_load(&key, load).await?;
        Ok(Served::new(found, start))
    }

    pub(crate) async fn catalogue(
        &self,
        query: &CatalogueQuery,
    ) -> Result<Served<CataloguePage>, LoadError> {
        let start = Instant::now();
        let edition = self.edition().await?;
        let found = if self.lists(edition, query).await? {
            self.find(&self.catalogue, edition, query).await?
        } else {
            self.find(&self.searches, edition, query).await?
        };
        Ok(Served::new(found, start))
    }

    /// Returns whether the catalogue has this page, judged by its first page, which is usually cached.
    async fn lists(&self, edition: i64, query: &CatalogueQuery) -> Result<bool, LoadError> {
        let first = CatalogueQuery::default();
        if *query == first || !query.search().is_empty() {
            return Ok(query.search().is_empty());
        }
        let first = self.find(&self.catalogue, edition, &first).await?;
        Ok(first.value.lists(query))
    }

    async fn find(
        &self,
        cache: &Cache<(i64, CatalogueQuery), CataloguePage>,
        edition: i64,
        query: &CatalogueQuery,
    ) -> Result<Found<CataloguePage>, LoadError> {
        let (pool, asked) = (self.pool.clone(), query.clone());
        let load = move || async move { load_catalogue(&pool, &asked).await };
        Ok(cache.find_or_load(&(edition, query.clone()), load).await?)
    }

    /// Makes an edit visible: at once in this process, within [`EDITION_TTL`] in every other.
    pub(crate) async fn renew(&self) -> larder::Result<()> {
        self.edition.remove(&Programme).await.map(drop)
    }

    async fn edition(&self) -> Result<i64, LoadError> {
        let pool = self.pool.clone();
        let load = move || async move { db::edition(&pool).await.map_err(LoadError::from) };
        Ok(*self.edition.get_or_load(&Programme, load).await?)
    }
}

impl KeyId for Programme {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        id.text("films");
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
        // No genre has an empty name.
        id.text(self.genre().unwrap_or_default());
        id.number(self.page());
    }
}
