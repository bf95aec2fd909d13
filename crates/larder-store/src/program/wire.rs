use bytes::Bytes;

use super::MAX_INT;
use crate::{Error, ErrorKind, Result};

/// The answer of a script, before the program parses it.
#[derive(Clone, PartialEq, Eq)]
pub enum Wire {
    /// Nothing.
    Nil,
    /// An integer.
    Int(i64),
    /// Text or bytes.
    Bytes(Bytes),
    /// Several answers.
    List(Vec<Wire>),
}

impl Wire {
    /// Parses an integer within [`MAX_INT`], which may be text.
    ///
    /// # Errors
    /// If the answer has another type.
    pub fn int(&self) -> Result<i64> {
        let int = match self {
            Self::Int(int) => Some(*int),
            Self::Bytes(text) => std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse().ok()),
            _ => None,
        };
        int.filter(|int: &i64| int.unsigned_abs() <= MAX_INT.unsigned_abs())
            .ok_or_else(|| Self::unexpected("an integer within 2^53"))
    }

    /// Parses an integer, or None if it is nil.
    ///
    /// # Errors
    /// If the answer has another type.
    pub fn optional_int(&self) -> Result<Option<i64>> {
        match self {
            Self::Nil => Ok(None),
            other => other.int().map(Some),
        }
    }

    /// Returns the answer as bytes.
    ///
    /// # Errors
    /// If the answer has another type.
    pub fn bytes(self) -> Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Self::unexpected("text")),
        }
    }

    /// Returns the answer as a list of any length.
    ///
    /// # Errors
    /// If the answer has another type.
    pub fn list(self) -> Result<Vec<Wire>> {
        match self {
            Self::List(list) => Ok(list),
            _ => Err(Self::unexpected("a list")),
        }
    }

    /// Returns the answer as a list of exactly `N` items.
    ///
    /// # Errors
    /// If the answer has another type or length.
    pub fn array<const N: usize>(self) -> Result<[Wire; N]> {
        self.list()?
            .try_into()
            .map_err(|_| Self::unexpected("a list of a fixed length"))
    }

    /// Makes the error of an answer that the program cannot read.
    ///
    /// The step may well have run.
    pub fn unexpected(expected: &'static str) -> Error {
        Error::new(
            "run",
            ErrorKind::MayHaveRun,
            format!("unexpected answer of a program: expected {expected}"),
        )
    }
}

impl std::fmt::Debug for Wire {
    /// Shows the shape, never the content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nil => f.write_str("Nil"),
            Self::Int(_) => f.write_str("Int"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::List(list) => f.debug_list().entries(list).finish(),
        }
    }
}
