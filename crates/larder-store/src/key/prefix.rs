use std::fmt;

use super::id::{IdWriter, Progress};
use super::text::Text;
use super::{Key, KeyId, Kind, Span};

/// The common beginning of many keys: a kind, and the first components of their ids.
///
/// It is rendered once, so making a key costs little more than writing its last components. The
/// keys equal those that [`Key::new`] makes of all components together.
///
/// `Debug` shows only the kind.
///
/// ```
/// use larder_store::{Key, KeyPrefix, Kind};
///
/// const LIMIT: Kind = Kind::record("limit").partitioned();
/// let pages = KeyPrefix::new(LIMIT, ("pages", "ip"));
/// assert_eq!(pages.key("192.0.2.1"), Key::new(LIMIT, ("pages", "ip", "192.0.2.1")));
/// ```
#[derive(Clone)]
pub struct KeyPrefix {
    kind: Kind,
    text: Text,
    progress: Progress,
}

impl KeyPrefix {
    /// Makes the beginning of the keys of `kind` whose ids begin with `first`.
    pub fn new(kind: Kind, first: impl KeyId) -> Self {
        let mut text = Text::new();
        text.extend_from_slice(kind.name().as_bytes());
        text.extend_from_slice(b":{");
        let mut writer = IdWriter::new(&mut text).partitioned(kind.is_partitioned());
        first.write_id(&mut writer);
        let progress = writer.pause();
        Self {
            kind,
            text,
            progress,
        }
    }

    /// Makes the key whose id ends with `last`.
    #[inline]
    pub fn key(&self, last: impl KeyId) -> Key {
        let mut key = Key {
            kind: self.kind,
            text: self.text.clone(),
            first: Span::default(),
        };
        let mut writer = IdWriter::resume(&mut key.text, self.progress);
        last.write_id(&mut writer);
        key.first = writer.finish();
        key.text.push(b'}');
        key
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPrefix({})", self.kind.name())
    }
}
