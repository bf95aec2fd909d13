use std::fmt;
use std::str::FromStr;

use larder::events::topic::Position;

/// What a visitor has been shown, so that a stream can go on from there. A browser returns it as the id of its last
/// event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The last change.
    pub(super) position: Position,
    /// When the first hold that was shown may end; nothing is announced then.
    pub(super) hold_ends_ms: Option<i64>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hold_ends_ms {
            Some(ends) => write!(f, "{}@{ends}", self.position),
            None => self.position.fmt(f),
        }
    }
}

/// The text is not one that [`Seen`] is written as.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotSeen;

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let (position, ends) = match text.split_once('@') {
            Some((position, ends)) => (position, Some(ends)),
            None => (text, None),
        };
        Ok(Self {
            position: position.parse().map_err(|_| NotSeen)?,
            hold_ends_ms: ends.map(str::parse).transpose().map_err(|_| NotSeen)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_read_as_it_is_written() {
        for text in ["12-3", "12-3@1700000000000"] {
            assert_eq!(text.parse::<Seen>().unwrap().to_string(), text);
        }
        for text in ["", "x", "@", "12-3@", "12-3@x", "@17"] {
            assert_eq!(text.parse::<Seen>(), Err(NotSeen), "{text:?}");
        }
    }
}
