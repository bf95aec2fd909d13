use std::fmt;
use std::str::FromStr;

use sqlx::FromRow;

/// A seat, as printed on a ticket: `F12` is the twelfth seat of the sixth row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, FromRow)]
pub(crate) struct Seat {
    /// From 1; row 1 is next to the screen.
    #[sqlx(rename = "seat_row")]
    pub(crate) row: u8,
    /// From 1, beginning at the left.
    #[sqlx(rename = "seat_number")]
    pub(crate) number: u8,
}

impl Seat {
    pub(crate) fn row_letter(self) -> char {
        char::from(b'A' + self.row.saturating_sub(1).min(25))
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.row_letter(), self.number)
    }
}

/// The text is not a seat of any screen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSeat;

impl FromStr for Seat {
    type Err = NoSeat;

    /// Parses a seat, only in the form in which it is printed.
    fn from_str(text: &str) -> Result<Self, NoSeat> {
        let (letter, number) = text.split_at_checked(1).ok_or(NoSeat)?;
        let row = match letter.as_bytes() {
            [letter @ b'A'..=b'Z'] => letter - b'A' + 1,
            _ => return Err(NoSeat),
        };
        let is_plain = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        match number.parse() {
            Ok(number @ 1..=99) if is_plain => Ok(Self { row, number }),
            _ => Err(NoSeat),
        }
    }
}

/// A showing, and the screen that it is on.
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

    /// Returns whether it is too late to sell seats.
    pub(crate) fn has_begun(&self, now_ms: i64) -> bool {
        self.starts_at_ms <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_read_as_it_is_printed_and_in_no_other_form() {
        for text in ["A1", "F12", "Z99"] {
            assert_eq!(text.parse::<Seat>().unwrap().to_string(), text);
        }
        for text in [
            "", "A", "A0", "A01", "A100", "a1", "1A", "A-1", "A+1", "A 1", "é1", "AA1",
        ] {
            assert_eq!(text.parse::<Seat>(), Err(NoSeat), "{text:?}");
        }
    }
}
