use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::cache::{Cache, Found, Loaded, Source};
use larder::store::{IdWriter, KeyId};
use larder::{Kind, Store, Ttl};
use sqlx::SqlitePool;

use super::load::{LoadError, load_catalogue, load_film};
use super::{CataloguePage, CatalogueQuery, FilmPage};
use crate::caching;

const FILM: Kind = Kind::evictable("film");
const CATALOGUE: Kind = Kind::evictable("catalogue");
const SEARCH: Kind = Kind::evictable("search");

const KEPT: Ttl = Ttl::from_secs(caching::DATA.as_secs());
/// How long this process may use data that another process has removed, if the message about that is lost.
const NEAR: Ttl = Ttl::from_secs(caching::NEAR.as_secs());
/// How much longer data may be shown while the database fails, and how long a visitor waits before that.
const STALE: Ttl = Ttl::from_secs(600);
const SLOW: Duration = Duration::from_millis(300);

/// Increment this when the type of a page changes, so that old and new processes do not share entries.
const SCHEMA: u32 = 3;

/// Loads the data of pages through the caches.
///
/// However many visitors request data that is not cached, in all processes of one store, it is loaded once. An edit
/// removes a film by its key and the whole catalogue by one write, and the result of a load that began before the
/// edit is not stored.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pool: SqlitePool,
    films: Cache<i64, FilmPage>,
    catalogue: Cache<CatalogueQuery, CataloguePage>,
    /// Pages that the catalogue does not list. Their number is unlimited, so they are cached only in this process.
    searches: Cache<CatalogueQuery, CataloguePage>,
}

/// A page's data, and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Served<T> {
    pub(crate) page: Arc<T>,
    pub(crate) source: Source,
    /// The time that it took to get it.
    pub(crate) took: Duration,
}

impl Loader {
    pub(crate) fn new(pool: SqlitePool, store: Arc<dyn Store>) -> larder::Result<Self> {
        let films = Cache::builder(FILM, KEPT)
            .with_schema(SCHEMA)
            .with_far(store.clone())
            .with_near_ttl(caching::NEAR)
            .with_stale_if_error(STALE)
            .with_soft_timeout(SLOW)
            .build()?;
        let catalogue = Cache::builder(CATALOGUE, KEPT)
            .with_schema(SCHEMA)
            .with_max_near_entries(1_000)
            .with_far(store)
            .with_near_ttl(caching::NEAR)
            .with_stale_if_error(STALE)
            .with_soft_timeout(SLOW)
            .with_clear()
            .build()?;
        let searches = Cache::builder(SEARCH, NEAR)
            .with_max_near_entries(1_000)
            .build()?;
        Ok(Self {
            pool,
            films,
            catalogue,
            searches,
        })
    }

    pub(crate) async fn film(&self, id: i64) -> Result<Served<FilmPage>, LoadError> {
        let start = Instant::now();
        let pool = self.pool.clone();
        // A missing film is not an error; otherwise stale data would be served instead.
        let load = move || async move {
            let page = load_film(&pool, id).await?;
            Ok::<Loaded<_>, LoadError>(page.into())
        };
        let found = self.films.find_or_load(&id, load).await?;
        Ok(Served::new(found, start))
    }

    pub(crate) async fn catalogue(
        &self,
        query: &CatalogueQuery,
    ) -> Result<Served<CataloguePage>, LoadError> {
        let start = Instant::now();
        let found = if self.lists(query).await? {
            self.find(&self.catalogue, query).await?
        } else {
            self.find(&self.searches, query).await?
        };
        Ok(Served::new(found, start))
    }

    /// Returns whether the catalogue has this page, judged by its first page, which is usually cached.
    async fn lists(&self, query: &CatalogueQuery) -> Result<bool, LoadError> {
        let first = CatalogueQuery::default();
        if *query == first || !query.search().is_empty() {
            return Ok(query.search().is_empty());
        }
        let first = self.find(&self.catalogue, &first).await?;
        Ok(first.value.lists(query))
    }

    async fn find(
        &self,
        cache: &Cache<CatalogueQuery, CataloguePage>,
        query: &CatalogueQuery,
    ) -> Result<Found<CataloguePage>, LoadError> {
        let (pool, asked) = (self.pool.clone(), query.clone());
        let load = move || async move { load_catalogue(&pool, &asked).await };
        Ok(cache.find_or_load(query, load).await?)
    }

    /// Removes the cached data of a film and of every list, because the film was edited.
    ///
    /// In this process it is gone at once. The other processes are told, and drop it within [`NEAR`] at the latest.
    pub(crate) async fn forget(&self, film: i64) -> larder::Result<()> {
        let (film, catalogue, searches) = tokio::join!(
            self.films.remove(&film),
            self.catalogue.clear(),
            self.searches.clear(),
        );
        film.and(catalogue).and(searches)
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

#[cfg(test)]
mod tests {
    use larder::moka::MokaStore;

    use super::*;

    async fn loader() -> (SqlitePool, Loader) {
        let pool = crate::db::open("sqlite::memory:").await.unwrap();
        let loader = Loader::new(pool.clone(), Arc::new(MokaStore::new())).unwrap();
        (pool, loader)
    }

    #[tokio::test]
    async fn while_the_database_fails_a_film_is_shown_as_it_was() {
        let (pool, loader) = loader().await;
        let before = loader.film(7).await.unwrap();
        loader.films.expire(&7).await.unwrap();
        sqlx::query("ALTER TABLE showings RENAME TO gone")
            .execute(&pool)
            .await
            .unwrap();
        let now = loader.film(7).await.unwrap();
        assert_eq!((now.source, &now.page), (Source::Stale, &before.page));
        // After an edit, what was before is never shown again.
        loader.forget(7).await.unwrap();
        assert!(matches!(loader.film(7).await, Err(LoadError::Database(_))));
    }

    #[tokio::test]
    async fn while_the_database_is_busy_nobody_waits_long_for_a_film_that_was_shown() {
        let (pool, loader) = loader().await;
        loader.film(7).await.unwrap();
        loader.films.expire(&7).await.unwrap();
        // The only connection of a database in memory.
        let busy = pool.acquire().await.unwrap();
        let slow = loader.film(7).await.unwrap();
        assert_eq!(slow.source, Source::Stale);
        drop(busy);
        // The load went on meanwhile.
        while loader.film(7).await.unwrap().source == Source::Stale {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
