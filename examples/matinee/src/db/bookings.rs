//! Bookings: the database alone decides who owns a seat.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{FromRow, SqlitePool};

use super::{outbox, writers};
use crate::seats::{Seat, Showing};

/// A booking to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewBooking<'a> {
    pub(crate) code: &'a str,
    pub(crate) user: i64,
    pub(crate) showing: i64,
    /// The price of each seat.
    pub(crate) price_cents: u32,
    pub(crate) now_ms: i64,
}

/// The outcome of a booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Booked {
    Yours,
    /// One of the seats is already booked; nothing was written.
    Taken,
}

/// A booked seat, with what is printed beside it.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct BookedSeat {
    pub(crate) code: String,
    pub(crate) film_id: i64,
    pub(crate) film: String,
    pub(crate) screen: String,
    pub(crate) starts_at_ms: i64,
    pub(crate) price_cents: u32,
    #[sqlx(flatten)]
    pub(crate) seat: Seat,
}

pub(crate) async fn showing(pool: &SqlitePool, id: i64) -> Result<Option<Showing>, sqlx::Error> {
    sqlx::query_as(
        "SELECT showings.id, film_id, films.title AS film, screens.name AS screen, seat_rows,
                seats_per_row, starts_at_ms, price_cents
         FROM showings JOIN screens ON screens.id = screen_id JOIN films ON films.id = film_id
         WHERE showings.id = ?",
    )
    .bind(id)
    .fetch_optional(pool)
    .await
}

/// Returns the booked seats of a showing, each with its owner.
pub(crate) async fn booked_seats(
    pool: &SqlitePool,
    showing: i64,
) -> Result<BTreeMap<Seat, i64>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        #[sqlx(flatten)]
        seat: Seat,
        user_id: i64,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT seat_row, seat_number, user_id
         FROM booked_seats JOIN bookings ON bookings.id = booking_id
         WHERE booked_seats.showing_id = ?",
    )
    .bind(showing)
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.seat, row.user_id))
        .collect())
}

/// Books seats for a user, all of them or none, and writes the confirmation, in one transaction.
pub(crate) async fn book(
    pool: &SqlitePool,
    booking: &NewBooking<'_>,
    seats: &BTreeSet<Seat>,
) -> Result<Booked, sqlx::Error> {
    let _turn = writers::turn().await?;
    // Take the write lock first: a transaction that begins with a read could not wait for it.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO bookings (code, user_id, showing_id, price_cents, booked_at_ms)
         VALUES (?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(booking.code)
    .bind(booking.user)
    .bind(booking.showing)
    .bind(booking.price_cents)
    .bind(booking.now_ms)
    .fetch_one(&mut *transaction)
    .await?;
    for seat in seats {
        let inserted = sqlx::query(
            "INSERT INTO booked_seats (showing_id, seat_row, seat_number, booking_id)
             VALUES (?, ?, ?, ?)",
        )
        .bind(booking.showing)
        .bind(seat.row)
        .bind(seat.number)
        .bind(id)
        .execute(&mut *transaction)
        .await;
        match inserted {
            Ok(_) => {}
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                transaction.rollback().await?;
                return Ok(Booked::Taken);
            }
            Err(error) => return Err(error),
        }
    }
    outbox::write_confirmation(&mut transaction, id, booking.now_ms).await?;
    transaction.commit().await?;
    Ok(Booked::Yours)
}

/// Returns the seats of at most `limit` bookings of a user: first those of upcoming showings, the next one
/// first, then those of past showings, the latest first. A booking is whole.
pub(crate) async fn tickets(
    pool: &SqlitePool,
    user: i64,
    now_ms: i64,
    limit: u32,
) -> Result<Vec<BookedSeat>, sqlx::Error> {
    sqlx::query_as(
        "WITH listed AS (
             SELECT bookings.id, code, film_id, screen_id, starts_at_ms, bookings.price_cents,
                    row_number() OVER (
                        ORDER BY starts_at_ms <= ?2, abs(starts_at_ms - ?2), bookings.id
                    ) AS place
             FROM bookings JOIN showings ON showings.id = showing_id
             WHERE user_id = ?1 ORDER BY place LIMIT ?3
         )
         SELECT code, film_id, films.title AS film, screens.name AS screen,
                starts_at_ms, price_cents, seat_row, seat_number
         FROM listed JOIN booked_seats ON booking_id = listed.id
         JOIN screens ON screens.id = screen_id JOIN films ON films.id = film_id
         ORDER BY place, seat_row, seat_number",
    )
    .bind(user)
    .bind(now_ms)
    .bind(limit)
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db;

    #[tokio::test]
    async fn tickets_are_whole_bookings_and_the_next_showings_come_first() {
        let pool = db::open("sqlite::memory:").await.unwrap();
        sqlx::query(
            "INSERT INTO users (id, email, name, password_hash) VALUES (1, 'a@b', 'A', '')",
        )
        .execute(&pool)
        .await
        .unwrap();
        let times = "SELECT MIN(id), starts_at_ms FROM showings
                     GROUP BY starts_at_ms ORDER BY starts_at_ms LIMIT 5";
        let showings: Vec<(i64, i64)> = sqlx::query_as(times).fetch_all(&pool).await.unwrap();
        let seats: BTreeSet<_> = (1..=3).map(|number| Seat { row: 1, number }).collect();
        for (code, (showing, _)) in ["first", "second", "third", "fourth", "fifth"]
            .iter()
            .zip(&showings)
        {
            let booking = NewBooking {
                code,
                user: 1,
                showing: *showing,
                price_cents: 750,
                now_ms: 0,
            };
            assert_eq!(book(&pool, &booking, &seats).await.unwrap(), Booked::Yours);
        }
        // The third has just begun.
        let now = showings[2].1;
        let listed = async |limit| {
            let tickets = tickets(&pool, 1, now, limit).await.unwrap();
            tickets
                .chunk_by(|a, b| a.code == b.code)
                .map(|booking| (booking[0].code.clone(), booking.len()))
                .collect::<Vec<_>>()
        };
        let expected = ["fourth", "fifth", "third", "second", "first"];
        let expected = expected.map(|code| (code.to_owned(), 3));
        for limit in 1..=5_u32 {
            assert_eq!(listed(limit).await, expected[..limit as usize]);
        }
        assert_eq!(listed(99).await, expected);
    }
}
