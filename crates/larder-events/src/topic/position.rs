use std::fmt;
use std::str::FromStr;

use larder_store::program::MAX_INT;
use larder_store::{Error, ErrorKind};

/// A place in the history of one id of a topic: an epoch and an offset.
///
/// Offsets begin at 1 and rise by 1 with each message. A history that ended and started again has another
/// epoch, so that its positions are never confused with the old ones. It prints and parses as
/// `epoch-offset`, at most 32 digits and a hyphen, as `Last-Event-ID` needs it; text from a browser is
/// checked.
///
/// ```
/// # use larder_events::topic::Position;
/// let position: Position = "17-4".parse()?;
/// assert_eq!((position.offset(), position.to_string().as_str()), (4, "17-4"));
/// assert!("17-4; DROP".parse::<Position>().is_err());
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub(super) epoch: i64,
    pub(super) offset: i64,
}

/// The maximum length of a position's text, in bytes.
pub(super) const MAX_TEXT: usize = 33;

impl Position {
    /// A position in no history, before all others.
    pub(super) const NOWHERE: Self = Self {
        epoch: 0,
        offset: 0,
    };

    /// Returns the offset: the number of messages of the history up to here.
    pub fn offset(self) -> u64 {
        self.offset.unsigned_abs()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = Error;

    /// Parses what [`Display`](fmt::Display) writes, and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`]. Treat it as a position that is too old: start from the beginning.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| {
            let text = "a position is two numbers with a hyphen between them, as in a message";
            Error::new("resume", ErrorKind::Invalid, text)
        })
    }
}

fn parse(text: &str) -> Option<Position> {
    let (epoch, offset) = text.split_once('-').filter(|_| text.len() <= MAX_TEXT)?;
    let number = |text: &str| {
        let is_ours = text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        let number: i64 = text.parse().ok().filter(|_| is_ours)?;
        (number <= MAX_INT).then_some(number)
    };
    Some(Position {
        epoch: number(epoch)?,
        offset: number(offset)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_the_trip_through_a_browser() {
        for (epoch, offset) in [(1, 0), (MAX_INT, MAX_INT), (0, 7)] {
            let position = Position { epoch, offset };
            assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
            assert!(position.to_string().len() <= MAX_TEXT);
        }
    }

    #[test]
    fn no_other_text_is_a_position() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1--1",
            "+1-1",
            "01-1",
            "1-00",
            "1-1 ",
            " 1-1",
            "1-1-1",
            "a-1",
            "1-\u{0661}",
            "9007199254740993-1",
            "1-99999999999999999999",
            &"1".repeat(4_000),
        ] {
            let error = text.parse::<Position>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
    }
}
