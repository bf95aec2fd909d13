use std::fmt;
use std::str::FromStr;

use larder_store::program::MAX_INT;
use larder_store::program::{Arg, Args, FromWire, Wire};
use larder_store::{Error, ErrorKind, Result};

/// The id of an event of a log: the millisecond of its append by the store's clock, and a number within it.
///
/// Ids rise with each append, even when the clock steps back. It prints and parses as `ms-seq`, like the ids
/// of Redis Streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    ms: i64,
    seq: i64,
}

impl EventId {
    /// The id before all others. No event has it.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// Returns the position before all events of a millisecond since 1970, by the store's clock.
    pub fn before_millis(ms: u64) -> Self {
        let ms = i64::try_from(ms).unwrap_or(MAX_INT).clamp(1, MAX_INT);
        Self {
            ms: ms - 1,
            seq: MAX_INT,
        }
    }

    /// Returns when the event was appended, in milliseconds since 1970 by the store's clock.
    pub fn as_millis(self) -> u64 {
        self.ms.unsigned_abs()
    }

    /// Returns the id of the next event at a moment.
    pub(super) fn next(self, now_ms: i64) -> Self {
        match now_ms > self.ms {
            true => Self { ms: now_ms, seq: 0 },
            false => Self {
                ms: self.ms,
                seq: self.seq + 1,
            },
        }
    }

    pub(super) fn ms(self) -> i64 {
        self.ms
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EventId {
    type Err = Error;

    /// Parses what [`Display`](fmt::Display) writes, and nothing else.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`].
    fn from_str(text: &str) -> Result<Self> {
        let parse = |text: &str| {
            let (ms, seq) = text.split_once('-')?;
            let number = |text: &str| {
                let number: i64 = text.parse().ok()?;
                let is_ours = (0..=MAX_INT).contains(&number) && number.to_string() == text;
                is_ours.then_some(number)
            };
            Some(Self {
                ms: number(ms)?,
                seq: number(seq)?,
            })
        };
        parse(text).ok_or_else(|| {
            let text = "the id of an event is two numbers with a hyphen between them, as an append returned it";
            Error::new("parse", ErrorKind::Invalid, text)
        })
    }
}

impl Arg for EventId {
    fn write(&self, args: &mut Args) {
        args.text(&self.to_string());
    }
}

impl FromWire for EventId {
    fn from_wire(wire: Wire) -> Result<Self> {
        let text: String = wire.read()?;
        text.parse()
            .map_err(|_| Wire::unexpected("the id of an event"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written_and_no_other_text_is_one() {
        let id = EventId::ZERO.next(1_700_000_000_000).next(5);
        assert_eq!(id.to_string(), "1700000000000-1");
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1-1",
            "01-1",
            "1-1 ",
            "+1-1",
            "1-99999999999999999999",
            "*",
            "$",
            ">",
        ] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let times = [5, 5, 7, 6, 6, 8];
        let ids = times.iter().scan(EventId::ZERO, |last, now| {
            *last = last.next(*now);
            Some(last.to_string())
        });
        assert_eq!(
            ids.collect::<Vec<_>>(),
            ["5-0", "5-1", "7-0", "7-1", "7-2", "8-0"]
        );
    }
}
