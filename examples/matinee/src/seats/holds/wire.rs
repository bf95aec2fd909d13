//! Reads what the scripts answer.

use larder::store::{Result, Wire};

use crate::seats::Seat;

pub(super) fn seat(text: &[u8]) -> Result<Seat> {
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().map_err(|_| Wire::unexpected("a seat"))
}
