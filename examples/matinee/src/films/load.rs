//! Loads the data of a page from the database. These are plain functions that know nothing about
//! HTTP or caches.

use std::sync::Arc;

use sqlx::SqlitePool;

use super::{CataloguePage, CatalogueQuery, FilmPage, PAGE_SIZE};
use crate::clock::now_ms;
use crate::db::Reader;
use crate::errors::Problem;

/// Why a load failed. All callers of one load get the same error, so it is cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("there is no such film")]
    NoSuchFilm,
    #[error("the database did not answer: {0}")]
    Database(Arc<sqlx::Error>),
    /// The load did not finish: it was too slow, there were too many at once, or it has a bug.
    #[error("the page was not loaded: {0}")]
    Unfinished(String),
}

impl From<larder::cache::LoadError<LoadError>> for LoadError {
    fn from(error: larder::cache::LoadError<LoadError>) -> Self {
        match error.loader() {
            Some(error) => LoadError::clone(error),
            None if error.is_not_found() => Self::NoSuchFilm,
            None => Self::Unfinished(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for LoadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        use axum::http::StatusCode;
        match error {
            LoadError::NoSuchFilm => Self::not_found("No film has this number."),
            LoadError::Unfinished(error) => {
                tracing::error!(%error, "a page failed to load");
                Self::of(StatusCode::SERVICE_UNAVAILABLE)
            }
            LoadError::Database(error) => {
                tracing::error!(%error, "a page failed to load");
                match *error {
                    sqlx::Error::PoolTimedOut => Self::of(StatusCode::SERVICE_UNAVAILABLE),
                    _ => Self::of(StatusCode::INTERNAL_SERVER_ERROR),
                }
            }
        }
    }
}

/// Loads the page of a film. Returns `None` if there is no such film.
pub(crate) async fn load_film(db: &SqlitePool, id: i64) -> Result<Option<FilmPage>, LoadError> {
    let now = now_ms();
    let mut db = Reader::new(db);
    let found = db.film(id, now).await?;
    let queries = db.queries();
    Ok(found.map(|(film, showings)| FilmPage {
        film,
        showings,
        loaded_at_ms: now,
        queries,
    }))
}

pub(crate) async fn load_catalogue(
    db: &SqlitePool,
    query: &CatalogueQuery,
) -> Result<CataloguePage, LoadError> {
    let now = now_ms();
    let mut db = Reader::new(db);
    let total = db.count(query).await?;
    let pages = total.div_ceil(PAGE_SIZE).max(1);
    let page = query.page().min(pages);
    let films = db.listings(query, page, now).await?;
    let genres = db.genres().await?;
    let queries = db.queries();
    Ok(CataloguePage {
        films,
        total,
        page,
        pages,
        genres,
        loaded_at_ms: now,
        queries,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::films::query::RawQuery;

    async fn search(db: &SqlitePool, q: &str, more: &str) -> CataloguePage {
        let value = serde_json::json!({ "q": q, "page": more });
        let raw: RawQuery = serde_json::from_value(value).unwrap();
        load_catalogue(db, &raw.parse().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_search_takes_every_character_as_it_is() {
        let db = crate::db::open("sqlite::memory:").await.unwrap();
        assert_eq!(search(&db, "", "").await.total, 3_200);
        assert!(search(&db, "alien³", "").await.total == 1);
        assert!(
            search(&db, "LEON", "")
                .await
                .films
                .iter()
                .any(|f| f.film.title == "Léon")
        );
        assert!(search(&db, "cameron titanic", "").await.total >= 1);
        assert!(search(&db, "%", "").await.total < 20);
        for garbage in [
            "_",
            "\"",
            "' OR 1=1 --",
            "\\",
            "🎬",
            "*",
            "NEAR(",
            "[\"a\"]",
            "\u{fffd}",
        ] {
            assert!(search(&db, garbage, "").await.total < 50, "{garbage:?}");
        }
        assert_eq!(search(&db, "\0", "").await.total, 3_200);
    }

    #[tokio::test]
    async fn a_page_past_the_end_is_the_last_page() {
        let db = crate::db::open("sqlite::memory:").await.unwrap();
        let last = search(&db, "", "99999").await;
        assert_eq!((last.page, last.pages, last.films.len()), (134, 134, 8));
        let none = search(&db, "zzzzz", "5").await;
        assert_eq!((none.page, none.pages, none.total), (1, 1, 0));
    }

    #[tokio::test]
    async fn the_catalogue_begins_with_what_is_shown_next() {
        let db = crate::db::open("sqlite::memory:").await.unwrap();
        let page = search(&db, "", "").await;
        let times: Vec<_> = page.films.iter().map(|f| f.next_at_ms.unwrap()).collect();
        assert!(times.is_sorted() && times[0] > page.loaded_at_ms);
        assert_eq!(page.queries, 3);

        let film = load_film(&db, page.films[0].film.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(film.film, page.films[0].film);
        assert_eq!(film.showings[0].starts_at_ms, times[0]);
        assert_eq!(film.queries, 1);
    }

    #[tokio::test]
    async fn a_film_that_is_not_there_is_no_error() {
        let db = crate::db::open("sqlite::memory:").await.unwrap();
        for id in [0, -1, 3_201, i64::MAX] {
            assert_eq!(load_film(&db, id).await.unwrap(), None);
        }
    }
}
