use std::sync::Arc;

use bytes::{Buf, Bytes};
use larder_store::program::MAX_INT;
use larder_store::{Result, program::Wire};

use super::packed::Packed;

/// A job as stored in the record.
///
/// On Redis it is two fields of a hash: its body, and its state. The state begins with 44 bytes: attempts,
/// fence, place, due, enqueued, priority, mode, and the lengths of the unique key, the group and the reason.
/// These texts follow, and then the progress.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The priority, from 0.
    pub(crate) class: u8,
    /// The place among the jobs of its priority; 0 before it was first available.
    pub(crate) place: i64,
    pub(crate) attempts: u32,
    /// The fence of its lease; 0 if it is not leased.
    pub(crate) fence: i64,
    pub(crate) enqueued: i64,
    pub(crate) due: i64,
    pub(crate) mode: Mode,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) reason: Arc<str>,
    pub(crate) progress: Arc<str>,
    pub(crate) body: Bytes,
}

/// How long a job owns its unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    None,
    UntilDone,
    UntilStarted,
    /// Longer than the job lives.
    UntilTtl,
}

impl Mode {
    fn from_number(number: u8) -> Option<Self> {
        let all = [
            Self::None,
            Self::UntilDone,
            Self::UntilStarted,
            Self::UntilTtl,
        ];
        all.get(usize::from(number)).copied()
    }
}

/// Returns the constant part of a state: everything behind the numbers that change.
pub(super) fn fixed(class: u8, mode: Mode, key: &str, group: &str) -> Packed {
    let lengths = Packed::new().byte(class).byte(mode as u8);
    let lengths = lengths.len_of(key).len_of(group).len_of("");
    lengths.text(key.as_bytes()).text(group.as_bytes())
}

impl Held {
    /// Reads the two fields of a job.
    ///
    /// # Errors
    /// If the state has another form.
    pub(crate) fn read(state: &[u8], body: Bytes) -> Result<Self> {
        Self::parse(state, body).ok_or_else(|| Wire::unexpected("a job of a queue"))
    }

    fn parse(mut rest: &[u8], body: Bytes) -> Option<Self> {
        let attempts = rest.try_get_u32_le().ok()?;
        let (fence, place) = (int(&mut rest)?, int(&mut rest)?);
        let (due, enqueued) = (int(&mut rest)?, int(&mut rest)?);
        let class = rest.try_get_u8().ok()?;
        let mode = Mode::from_number(rest.try_get_u8().ok()?)?;
        let mut len = || Some(usize::from(rest.try_get_u16_le().ok()?));
        let (key, group, reason) = (len()?, len()?, len()?);
        let texts = std::str::from_utf8(rest).ok()?;
        let (key, texts) = texts.split_at_checked(key)?;
        let (group, texts) = texts.split_at_checked(group)?;
        let (reason, progress) = texts.split_at_checked(reason)?;
        let optional = |text: &str| (!text.is_empty()).then(|| text.into());
        Some(Self {
            class,
            place,
            attempts,
            fence,
            enqueued,
            due,
            mode,
            key: optional(key),
            group: optional(group),
            reason: optional(reason).unwrap_or_default(),
            progress: optional(progress).unwrap_or_default(),
            body,
        })
    }
}

/// Reads an integer that Lua has packed as a double.
fn int(rest: &mut &[u8]) -> Option<i64> {
    let number = rest.try_get_f64_le().ok()?;
    let is_int = number.fract() == 0.0 && number.abs() <= MAX_INT as f64;
    is_int.then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_no_exact_integer_is_damaged() {
        let read = |number: f64| int(&mut number.to_le_bytes().as_slice());
        assert_eq!(read(-3.0), Some(-3));
        assert_eq!(read(MAX_INT as f64), Some(MAX_INT));
        for wrong in [0.5, MAX_INT as f64 * 2.0, f64::INFINITY, f64::NAN] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
