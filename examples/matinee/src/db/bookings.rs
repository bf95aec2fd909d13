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
    let _turn = writers::turn().await;
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

/// Returns the seats that a user has booked, those of the latest showing first, at most `limit`.
pub(crate) async fn tickets(
    pool: &SqlitePool,
    user: i64,
    limit: u32,
) -> Result<Vec<BookedSeat>, sqlx::Error> {
    sqlx::query_as(
        "SELECT code, film_id, films.title AS film, screens.name AS screen,
                starts_at_ms, bookings.price_cents, seat_row, seat_number
         FROM bookings JOIN booked_seats ON booking_id = bookings.id
         JOIN showings ON showings.id = bookings.showing_id
         JOIN screens ON screens.id = screen_id JOIN films ON films.id = film_id
         WHERE user_id = ?
         ORDER BY starts_at_ms DESC, bookings.id, seat_row, seat_number LIMIT ?",
    )
    .bind(user)
    .bind(limit)
    .fetch_all(pool)
    .await
}
