use std::sync::Arc;

use bytes::Bytes;
use larder_store::{Result, program::Wire};

/// A job as the record holds it.
///
/// On Redis it is two fields of a hash: its body, and text of the form
/// `class,place,attempts,fence,enqueued,due,mode,key length,group length:key group reason`.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The priority, from 0.
    pub(crate) class: u8,
    /// The place among the jobs of its priority; 0 before it could be taken for the first time.
    pub(crate) place: i64,
    pub(crate) attempts: u32,
    /// The fence of its last lease.
    pub(crate) fence: i64,
    pub(crate) enqueued: i64,
    pub(crate) due: i64,
    pub(crate) mode: Mode,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) reason: Arc<str>,
    pub(crate) body: Bytes,
}

/// How long the unique key of a job is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    None,
    UntilDone,
    UntilStarted,
    /// Beyond the job.
    UntilTtl,
}

impl Mode {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::None => "-",
            Self::UntilDone => "d",
            Self::UntilStarted => "s",
            Self::UntilTtl => "t",
        }
    }

    fn from_letter(letter: &str) -> Option<Self> {
        let all = [
            Self::None,
            Self::UntilDone,
            Self::UntilStarted,
            Self::UntilTtl,
        ];
        all.into_iter().find(|mode| mode.letter() == letter)
    }
}

impl Held {
    /// Reads the two fields of a job.
    ///
    /// # Errors
    /// If the text is of another form.
    pub(crate) fn read(text: &[u8], body: Bytes) -> Result<Self> {
        let text = std::str::from_utf8(text).ok();
        text.and_then(|text| Self::parse(text, body))
            .ok_or_else(|| Wire::unexpected("a job of a queue"))
    }

    fn parse(text: &str, body: Bytes) -> Option<Self> {
        let (numbers, texts) = text.split_once(':')?;
        let mut fields = numbers.split(',');
        let mut next = || fields.next();
        let class = next()?.parse().ok()?;
        let place = next()?.parse().ok()?;
        let attempts = next()?.parse().ok()?;
        let fence = next()?.parse().ok()?;
        let enqueued = next()?.parse().ok()?;
        let due = next()?.parse().ok()?;
        let mode = Mode::from_letter(next()?)?;
        let (key, group): (usize, usize) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (key, texts) = texts.split_at_checked(key)?;
        let (group, reason) = texts.split_at_checked(group)?;
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
            reason: reason.into(),
            body,
        })
    }
}
