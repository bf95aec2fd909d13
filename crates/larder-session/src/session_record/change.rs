use bytes::Bytes;
use larder_store::program::Args;

use crate::value;

/// A change of one field. Changes of several requests can be combined.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Change {
    /// Sets the value.
    Set(Bytes),
    /// Removes the field.
    Remove,
    /// Removes the field if it still has this value.
    Discard(Bytes),
    /// Adds to an integer; absent counts as zero.
    Add(i64),
    /// Sets a counter that a request took at `seen` to `left`.
    ///
    /// If others have changed it in the meantime, only the difference is added, so their increments are
    /// kept.
    Tally { seen: Bytes, left: Option<i64> },
    /// Sets the second value if the field still has the first; otherwise nothing is changed at all.
    Swap(Option<Bytes>, Bytes),
    /// Removes the field if it still has this value; otherwise nothing is changed at all.
    Extract(Bytes),
}

/// The reason why no change was made.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Refused {
    /// The field of a swap or an extraction has this value by now.
    Conflict(Option<Bytes>),
    /// The field of a sum is not an integer, or the sum would be beyond 2^53.
    NotAnInteger,
}

impl Change {
    /// Adds the four arguments of the change.
    pub(super) fn args(&self, name: &str, args: &mut Args) {
        let (op, expected, new): (_, &[u8], &[u8]) = match self {
            Self::Set(new) => ("set", &[], new),
            Self::Remove => ("remove", &[], &[]),
            Self::Discard(expected) => ("discard", expected, &[]),
            Self::Add(_) => ("add", &[], &[]),
            Self::Tally { seen, .. } => ("tally", seen, &[]),
            Self::Swap(None, new) => ("fill", &[], new),
            Self::Swap(Some(expected), new) => ("swap", expected, new),
            Self::Extract(expected) => ("extract", expected, &[]),
        };
        args.text(op);
        args.text(name);
        match self {
            Self::Add(by) => args.int(*by),
            _ => args.bytes(expected),
        }
        match self {
            Self::Tally {
                left: Some(left), ..
            } => args.int(*left),
            _ => args.bytes(new),
        }
    }

    /// Returns the value after the change.
    pub(crate) fn of(&self, held: Option<&Bytes>) -> Result<Option<Bytes>, Refused> {
        match self {
            Self::Set(new) => Ok(Some(new.clone())),
            Self::Remove => Ok(None),
            Self::Discard(expected) if held == Some(expected) => Ok(None),
            Self::Discard(_) => Ok(held.cloned()),
            Self::Add(by) => add(held, *by),
            Self::Tally { seen, left } if held == Some(seen) => {
                left.map_or(Ok(None), |left| add(None, left))
            }
            Self::Tally { seen, left } => {
                let seen = value::stored_int(seen).unwrap_or(0);
                let by = left.unwrap_or(0) - seen;
                value::int_to_store(by).ok_or(Refused::NotAnInteger)?;
                add(held, by)
            }
            Self::Swap(expected, new) if held == expected.as_ref() => Ok(Some(new.clone())),
            Self::Extract(expected) if held == Some(expected) => Ok(None),
            Self::Swap(..) | Self::Extract(_) => Err(Refused::Conflict(held.cloned())),
        }
    }
}

/// Returns the sum of an integer field and `by`; absent counts as zero.
fn add(held: Option<&Bytes>, by: i64) -> Result<Option<Bytes>, Refused> {
    let held = match held {
        None => 0,
        Some(held) => value::stored_int(held).ok_or(Refused::NotAnInteger)?,
    };
    let sum = value::int_to_store(held + by);
    sum.map(Some).ok_or(Refused::NotAnInteger)
}
