use sqlx::FromRow;

use super::Seat;

/// What is known of a showing, and of the screen that it is on.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Showing {
    pub(crate) id: i64,
    pub(crate) film_id: i64,
    pub(crate) film: String,
    pub(crate) screen: String,
    pub(crate) seat_rows: u8,
    pub(crate) seats_per_row: u8,
    pub(crate) starts_at_ms: i64,
    pub(crate) price_cents: u32,
}

impl Showing {
    pub(crate) fn has(&self, seat: Seat) -> bool {
        (1..=self.seat_rows).contains(&seat.row) && (1..=self.seats_per_row).contains(&seat.number)
    }

    /// Whether it is too late to sell seats.
    pub(crate) fn has_begun(&self, now_ms: i64) -> bool {
        self.starts_at_ms <= now_ms
    }
}
