use bytes::Bytes;
use larder_store::Args;

use crate::value;

/// What is to become of one field. Each tells what it is on its own, so that changes of several
/// requests come together.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Change {
    /// It is this from now on.
    Set(Bytes),
    /// It is absent from now on.
    Remove,
    /// It is absent from now on, unless somebody has put something else there.
    Discard(Bytes),
    /// It is more by this much; absent counts as zero.
    Add(i64),
    /// A request took `seen` and added to what was left: it is `left` from now on. If others have
    /// changed it meanwhile, what they added is kept, and only the difference is added.
    Tally { seen: Bytes, left: Option<i64> },
    /// It is the second from now on, if it still is the first; otherwise nothing at all changes.
    Swap(Option<Bytes>, Bytes),
}

/// Why no change was made.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Refused {
    /// The field of a swap is this by now.
    Conflict(Option<Bytes>),
    /// The field of a sum is no integer, or would be one past 2^53.
    NotAnInteger,
}

impl Change {
    /// Adds the four arguments that tell it.
    pub(super) fn args(&self, name: &str, args: &mut Args) {
        let (op, expected, new): (_, &[u8], &[u8]) = match self {
            Self::Set(new) => ("set", &[], new),
            Self::Remove => ("remove", &[], &[]),
            Self::Discard(expected) => ("discard", expected, &[]),
            Self::Add(_) => ("add", &[], &[]),
            Self::Tally { seen, .. } => ("tally", seen, &[]),
            Self::Swap(None, new) => ("fill", &[], new),
            Self::Swap(Some(expected), new) => ("swap", expected, new),
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

    /// What becomes of a field that is `held`.
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
            Self::Swap(..) => Err(Refused::Conflict(held.cloned())),
        }
    }
}

/// The sum of an integer field and `by`; absent counts as zero.
fn add(held: Option<&Bytes>, by: i64) -> Result<Option<Bytes>, Refused> {
    let held = match held {
        None => 0,
        Some(held) => value::stored_int(held).ok_or(Refused::NotAnInteger)?,
    };
    let sum = value::int_to_store(held + by);
    sum.map(Some).ok_or(Refused::NotAnInteger)
}
