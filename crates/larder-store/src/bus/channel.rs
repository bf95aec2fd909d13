use std::fmt;
use std::hash::{Hash, Hasher};

use super::Topic;
use crate::Namespace;
use crate::key::{IdWriter, KeyId, Text};

/// A message channel: a topic and an id, written `topic:{id}`.
///
/// The id is escaped and bounded like that of a [`Key`](crate::Key). `Debug` shows only the topic.
#[derive(Clone)]
pub struct Channel {
    pub(super) topic: Topic,
    pub(super) text: Text,
}

impl Channel {
    /// Makes the channel of `id` in `topic`.
    pub fn new(topic: Topic, id: impl KeyId) -> Self {
        let mut text = Text::new();
        text.extend_from_slice(topic.name().as_bytes());
        text.extend_from_slice(b":{");
        let mut writer = IdWriter::new(&mut text);
        id.write_id(&mut writer);
        writer.finish();
        text.push(b'}');
        Self { topic, text }
    }

    /// Puts the channel into `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        let mut text = Text::from(namespace.prefix().as_bytes());
        text.extend_from_slice(&self.text);
        Self {
            topic: self.topic,
            text,
        }
    }

    /// Removes `namespace` from the channel, if it is in it.
    #[must_use]
    pub(crate) fn seen_from(self, namespace: &Namespace) -> Self {
        match self.text.strip_prefix(namespace.prefix().as_bytes()) {
            Some(text) => Self {
                topic: self.topic,
                text: text.into(),
            },
            None => self,
        }
    }

    /// Returns the topic.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Returns the channel as text, in printable ASCII.
    ///
    /// It does not belong in logs.
    pub fn as_str(&self) -> &str {
        // Every part of a channel is ASCII, so this never takes the fallback.
        std::str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Channel {}

impl Hash for Channel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.topic.name())
    }
}
