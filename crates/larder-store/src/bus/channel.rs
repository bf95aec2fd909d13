use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use super::Topic;
use crate::Namespace;
use crate::key::{IdWriter, KeyId};

/// Where messages are published and heard: a topic and an id, which reads `topic:{id}`.
///
/// The id is escaped and bounded as that of a [`Key`](crate::Key) is. `Debug` shows the topic
/// alone.
#[derive(Clone)]
pub struct Channel {
    pub(super) topic: Topic,
    pub(super) text: SmallVec<[u8; 96]>,
}

impl Channel {
    /// The channel of `id` among those of `topic`.
    pub fn new(topic: Topic, id: impl KeyId) -> Self {
        let mut text = SmallVec::new();
        text.extend_from_slice(topic.name().as_bytes());
        text.extend_from_slice(b":{");
        let mut writer = IdWriter::new(&mut text);
        id.write_id(&mut writer);
        writer.finish();
        text.push(b'}');
        Self { topic, text }
    }

    /// The same channel inside `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        let mut text = SmallVec::from_slice(namespace.prefix().as_bytes());
        text.extend_from_slice(&self.text);
        Self {
            topic: self.topic,
            text,
        }
    }

    /// The same channel as it reads inside `namespace`; itself where it is not in it.
    #[must_use]
    pub(crate) fn seen_from(self, namespace: &Namespace) -> Self {
        match self.text.strip_prefix(namespace.prefix().as_bytes()) {
            Some(text) => Self {
                topic: self.topic,
                text: SmallVec::from_slice(text),
            },
            None => self,
        }
    }

    /// The topic.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// The whole channel as text: printable ASCII. Not for logs.
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
