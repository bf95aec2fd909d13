//! Fills an empty database: the films, the screens, and a season of showings from today.

use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::fold;
use super::programme::{self, LONGEST_FILM_MIN, SEASON_DAYS};
use crate::clock::DAY_MS;

const FILMS: &str = include_str!("../../../data/films.csv");

/// Name, rows, and seats per row. With 112 showings on each screen in a season, that makes some
/// 100,000 seats.
const SCREENS: [(&str, i64, i64); 6] = [
    ("Grand Hall", 16, 22),
    ("Orpheum", 12, 16),
    ("Regent", 10, 14),
    ("Studio", 8, 12),
    ("Attic", 7, 10),
    ("Snug", 6, 7),
];

/// The next season is added when less than this is left of the current one.
const AHEAD_MS: i64 = 7 * DAY_MS;
/// SQLite allows 32,766 values in a statement; a film has nine.
const ROWS_AT_ONCE: usize = 1_000;

#[derive(Deserialize)]
struct Row {
    title: String,
    released: Option<String>,
    certificate: Option<String>,
    running_time_min: Option<i64>,
    genre: Option<String>,
    director: Option<String>,
    distributor: Option<String>,
}

/// Adds what is missing. If there are films and enough showings ahead, it changes nothing.
///
/// The caller holds the write lock, so that nobody else adds the same in between.
pub(super) async fn seed(db: &mut SqliteConnection, now_ms: i64) -> Result<(), sqlx::Error> {
    let films: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM films")
        .fetch_one(&mut *db)
        .await?;
    if films == 0 {
        insert_films(db).await?;
        insert_screens(db).await?;
    }
    let last: Option<(i64, i64)> =
        sqlx::query_as("SELECT number, starts_at_ms FROM seasons ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *db)
            .await?;
    let today = now_ms - now_ms.rem_euclid(DAY_MS);
    match last {
        None => insert_season(db, 0, today).await,
        Some((number, start)) => {
            let end = start + SEASON_DAYS * DAY_MS;
            if end < now_ms + AHEAD_MS {
                insert_season(db, number + 1, end.max(today)).await
            } else {
                Ok(())
            }
        }
    }
}

async fn insert_films(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let rows: Vec<Row> = csv::Reader::from_reader(FILMS.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut ids = 1_i64..;
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO films (id, title, released, certificate, running_time_min, genre, \
             director, distributor, search_text) ",
        );
        insert.push_values(rows.iter().zip(&mut ids), |mut values, (row, id)| {
            let known = [
                Some(&row.title),
                row.director.as_ref(),
                row.distributor.as_ref(),
            ];
            let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
            values
                .push_bind(id)
                .push_bind(&row.title)
                .push_bind(&row.released)
                .push_bind(&row.certificate)
                .push_bind(row.running_time_min)
                .push_bind(&row.genre)
                .push_bind(&row.director)
                .push_bind(&row.distributor)
                .push_bind(fold(&known.join(" ")));
        });
        insert.build().execute(&mut *db).await?;
    }
    Ok(())
}

async fn insert_screens(db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut insert =
        QueryBuilder::<Sqlite>::new("INSERT INTO screens (name, seat_rows, seats_per_row) ");
    insert.push_values(SCREENS, |mut values, (name, rows, seats)| {
        values.push_bind(name).push_bind(rows).push_bind(seats);
    });
    insert.build().execute(db).await.map(drop)
}

async fn insert_season(
    db: &mut SqliteConnection,
    number: i64,
    starts_at_ms: i64,
) -> Result<(), sqlx::Error> {
    // Films of which enough is known to print a programme.
    let films = sqlx::query_scalar(
        "SELECT id FROM films WHERE running_time_min <= ? AND certificate IS NOT NULL
         AND genre IS NOT NULL AND director IS NOT NULL AND released IS NOT NULL ORDER BY id",
    )
    .bind(LONGEST_FILM_MIN)
    .fetch_all(&mut *db)
    .await?;
    let screens: Vec<i64> = sqlx::query_scalar("SELECT id FROM screens ORDER BY id")
        .fetch_all(&mut *db)
        .await?;

    sqlx::query("INSERT INTO seasons (number, starts_at_ms) VALUES (?, ?)")
        .bind(number)
        .bind(starts_at_ms)
        .execute(&mut *db)
        .await?;
    for showings in programme::draw(number, starts_at_ms, films, &screens).chunks(ROWS_AT_ONCE) {
        let mut insert = QueryBuilder::<Sqlite>::new(
            "INSERT INTO showings (film_id, screen_id, starts_at_ms, price_cents) ",
        );
        insert.push_values(showings, |mut values, showing| {
            values
                .push_bind(showing.film)
                .push_bind(showing.screen)
                .push_bind(showing.starts_at_ms)
                .push_bind(showing.price_cents);
        });
        insert.build().execute(&mut *db).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
