//! The outbox: letters that are not sent yet. Each is written in the transaction of the event that it
//! reports.

use sqlx::{FromRow, SqliteConnection, SqlitePool};

use super::writers;

/// What a letter is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub(crate) enum LetterKind {
    Confirmation,
    Reminder,
}

/// A letter that is not sent yet, with all its contents.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Letter {
    pub(crate) id: i64,
    #[sqlx(rename = "letter")]
    pub(crate) kind: LetterKind,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) film: String,
    pub(crate) screen: String,
    pub(crate) starts_at_ms: i64,
    pub(crate) written_at_ms: i64,
    /// How many seats were booked.
    pub(crate) seats: u32,
}

/// A letter that is not in the queue yet.
#[derive(Clone, Copy, Debug, FromRow)]
pub(crate) struct WaitingLetter {
    pub(crate) id: i64,
    pub(crate) written_at_ms: i64,
}

/// Writes the confirmation of a booking, in the transaction that books.
pub(super) async fn write_confirmation(
    transaction: &mut SqliteConnection,
    booking: i64,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO outbox (letter, booking_id, written_at_ms) VALUES ('confirmation', ?, ?)",
    )
    .bind(booking)
    .bind(now_ms)
    .execute(transaction)
    .await
    .map(drop)
}

/// Writes a reminder of each showing that begins within `ahead_ms`, and returns how many are new.
///
/// A booking that was made within that time needs no reminder.
pub(crate) async fn write_reminders(
    pool: &SqlitePool,
    now_ms: i64,
    ahead_ms: i64,
) -> Result<u64, sqlx::Error> {
    let _turn = writers::turn().await?;
    let written = sqlx::query(
        "INSERT INTO outbox (letter, booking_id, written_at_ms)
         SELECT 'reminder', bookings.id, ?1
         FROM showings JOIN bookings ON showing_id = showings.id
         WHERE starts_at_ms > ?1 AND starts_at_ms <= ?1 + ?2 AND booked_at_ms < starts_at_ms - ?2
         ON CONFLICT DO NOTHING",
    )
    .bind(now_ms)
    .bind(ahead_ms)
    .execute(pool)
    .await?;
    Ok(written.rows_affected())
}

/// Deletes the reminders of showings that have begun before they could be sent, and returns how many there were.
pub(crate) async fn delete_late_reminders(
    pool: &SqlitePool,
    now_ms: i64,
) -> Result<u64, sqlx::Error> {
    let _turn = writers::turn().await?;
    let deleted = sqlx::query(
        "DELETE FROM outbox WHERE sent_at_ms IS NULL AND letter = 'reminder' AND
             (SELECT starts_at_ms FROM bookings JOIN showings ON showings.id = showing_id
              WHERE bookings.id = booking_id) <= ?",
    )
    .bind(now_ms)
    .execute(pool)
    .await?;
    Ok(deleted.rows_affected())
}

/// Returns the letters that are to be sent and have not been handed to the queue since `before_ms`, the
/// oldest first. A reminder of a showing that has begun is left out.
pub(crate) async fn letters_to_hand(
    pool: &SqlitePool,
    before_ms: i64,
    now_ms: i64,
    limit: u32,
) -> Result<Vec<WaitingLetter>, sqlx::Error> {
    sqlx::query_as(
        "SELECT outbox.id, written_at_ms
         FROM outbox JOIN bookings ON bookings.id = booking_id JOIN showings ON showings.id = showing_id
         WHERE sent_at_ms IS NULL AND (handed_at_ms IS NULL OR handed_at_ms < ?)
               AND (letter <> 'reminder' OR starts_at_ms > ?)
         ORDER BY outbox.id LIMIT ?",
    )
    .bind(before_ms)
    .bind(now_ms)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Records that these letters are in the queue.
pub(crate) async fn note_handed(
    pool: &SqlitePool,
    letters: &[i64],
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query("UPDATE outbox SET handed_at_ms = ? WHERE id IN (SELECT value FROM json_each(?))")
        .bind(now_ms)
        .bind(serde_json::Value::from(letters).to_string())
        .execute(pool)
        .await
        .map(drop)
}

/// Returns a letter that is not sent yet, unless it is a reminder of a showing that has begun.
pub(crate) async fn letter(
    pool: &SqlitePool,
    id: i64,
    now_ms: i64,
) -> Result<Option<Letter>, sqlx::Error> {
    sqlx::query_as(
        "SELECT outbox.id, letter, email, users.name, code, films.title AS film, screens.name AS screen,
                starts_at_ms, written_at_ms,
                (SELECT COUNT(*) FROM booked_seats WHERE booking_id = bookings.id) AS seats
         FROM outbox JOIN bookings ON bookings.id = booking_id JOIN users ON users.id = user_id
         JOIN showings ON showings.id = showing_id
         JOIN screens ON screens.id = screen_id JOIN films ON films.id = film_id
         WHERE outbox.id = ? AND sent_at_ms IS NULL AND (letter <> 'reminder' OR starts_at_ms > ?)",
    )
    .bind(id)
    .bind(now_ms)
    .fetch_optional(pool)
    .await
}

/// Records that a letter is sent. If it was deleted meanwhile, another letter may have its id, but not its time.
pub(crate) async fn note_sent(
    pool: &SqlitePool,
    letter: &Letter,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    let _turn = writers::turn().await?;
    sqlx::query("UPDATE outbox SET sent_at_ms = ? WHERE id = ? AND written_at_ms = ?")
        .bind(now_ms)
        .bind(letter.id)
        .bind(letter.written_at_ms)
        .execute(pool)
        .await
        .map(drop)
}
