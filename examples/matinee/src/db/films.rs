//! The queries of pages. Each is a fixed statement that contains no text from outside.

use sqlx::{FromRow, SqlitePool};

use crate::films::{CatalogueQuery, Film, GenreCount, Listing, PAGE_SIZE, Showing};

/// Runs queries, and counts them: each page shows the count in its footer.
pub(crate) struct Reader<'a> {
    pool: &'a SqlitePool,
    queries: u32,
}

/// The films that a search finds. A word is matched literally: `instr` has no wildcards and no
/// operators, so there is nothing to escape. `?1` is a JSON array of folded words, `?2` a genre.
macro_rules! found {
    () => {
        " NOT EXISTS (SELECT 1 FROM json_each(?1) AS word WHERE instr(search_text, word.value) = 0)
          AND (?2 IS NULL OR genre = ?2) "
    };
}

impl<'a> Reader<'a> {
    pub(crate) fn new(pool: &'a SqlitePool) -> Self {
        Self { pool, queries: 0 }
    }

    pub(crate) fn queries(&self) -> u32 {
        self.queries
    }

    /// Returns the pool, and counts one more query.
    fn next(&mut self) -> &'a SqlitePool {
        self.queries += 1;
        self.pool
    }

    /// Returns a film and its showings, the soonest first: in one statement, so that they are
    /// consistent.
    pub(crate) async fn film(
        &mut self,
        id: i64,
        after_ms: i64,
    ) -> Result<Option<(Film, Vec<Showing>)>, sqlx::Error> {
        #[derive(FromRow)]
        struct Row {
            #[sqlx(flatten)]
            film: Film,
            showings: String,
        }
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, title, released, certificate, running_time_min, genre, director, distributor,
                    overview, revision,
                    (SELECT json_group_array(
                         json_object('id', showings.id, 'screen', screens.name,
                             'starts_at_ms', starts_at_ms, 'price_cents', price_cents,
                             'seats', seat_rows * seats_per_row)
                         ORDER BY starts_at_ms)
                     FROM showings JOIN screens ON screens.id = screen_id
                     WHERE film_id = films.id AND starts_at_ms > ?2) AS showings
             FROM films WHERE id = ?1",
        )
        .bind(id)
        .bind(after_ms)
        .fetch_optional(self.next())
        .await?;
        row.map(|row| {
            let showings = serde_json::from_str(&row.showings);
            let showings = showings.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok((row.film, showings))
        })
        .transpose()
    }

    pub(crate) async fn count(&mut self, query: &CatalogueQuery) -> Result<u32, sqlx::Error> {
        sqlx::query_scalar(concat!("SELECT COUNT(*) FROM films WHERE", found!()))
            .bind(words(query))
            .bind(query.genre())
            .fetch_one(self.next())
            .await
    }

    /// Returns one page of the results of a search: first what is shown soonest, then the archive
    /// by title.
    pub(crate) async fn listings(
        &mut self,
        query: &CatalogueQuery,
        page: u32,
        after_ms: i64,
    ) -> Result<Vec<Listing>, sqlx::Error> {
        // With MIN, SQLite takes the other columns from the row that has the minimum.
        sqlx::query_as(concat!(
            "SELECT films.id, title, released, certificate, running_time_min, genre, director,
                    distributor, overview, revision, next_at_ms, screens.name AS next_screen
             FROM films
             LEFT JOIN (SELECT film_id, screen_id, MIN(starts_at_ms) AS next_at_ms FROM showings
                        WHERE starts_at_ms > ?3 GROUP BY film_id) ON film_id = films.id
             LEFT JOIN screens ON screens.id = screen_id
             WHERE",
            found!(),
            "ORDER BY next_at_ms IS NULL, next_at_ms, title COLLATE NOCASE, films.id LIMIT ?4 OFFSET ?5"
        ))
        .bind(words(query))
        .bind(query.genre())
        .bind(after_ms)
        .bind(PAGE_SIZE)
        .bind(i64::from(page.saturating_sub(1)) * i64::from(PAGE_SIZE))
        .fetch_all(self.next())
        .await
    }

    pub(crate) async fn genres(&mut self) -> Result<Vec<GenreCount>, sqlx::Error> {
        sqlx::query_as(
            "SELECT genre AS name, COUNT(*) AS films FROM films WHERE genre IS NOT NULL
             GROUP BY genre ORDER BY genre",
        )
        .fetch_all(self.next())
        .await
    }
}

fn words(query: &CatalogueQuery) -> String {
    serde_json::Value::from_iter(query.words()).to_string()
}
