use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use crate::Namespace;
use crate::key::{IdWriter, KeyId, is_name};

/// A sort of message: its name, and how it travels through a cluster.
///
/// A topic is a constant of the crate that owns it, as a [`Kind`](crate::Kind) is of keys.
///
/// ```
/// use larder_store::{Channel, Topic};
///
/// const FILM_CHANGED: Topic = Topic::broadcast("film-changed");
/// assert_eq!(Channel::new(FILM_CHANGED, 42_u32).as_str(), "film-changed:{42}");
/// ```
#[derive(Clone, Copy)]
pub struct Topic {
    name: &'static str,
    sharded: bool,
}

impl Topic {
    /// A topic whose messages go to every node of a cluster, so that one may listen to
    /// [all of it](crate::Interest::in_all_of).
    ///
    /// # Panics
    /// Where the name is not 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`; in a `const` that is a
    /// compile error.
    pub const fn broadcast(name: &'static str) -> Self {
        assert!(
            is_name(name),
            "a topic is 1 to 32 of a-z, 0-9, '-', '_' and '.'"
        );
        Self {
            name,
            sharded: false,
        }
    }

    /// A topic whose messages stay on the node that their channel belongs to, where the server can
    /// do that (sharded pub/sub, since Redis 7.0): for many messages on many channels. One listens
    /// to its channels, and not to all of it.
    ///
    /// # Panics
    /// As [`broadcast`](Self::broadcast) does.
    pub const fn sharded(name: &'static str) -> Self {
        let mut topic = Self::broadcast(name);
        topic.sharded = true;
        topic
    }

    /// The name, which is in every channel of the topic.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Whether its messages stay on one node.
    pub const fn is_sharded(self) -> bool {
        self.sharded
    }
}

impl PartialEq for Topic {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Topic {}

impl Hash for Topic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", self.name)
    }
}

/// Where messages are published and heard: a topic and an id, which reads `topic:{id}`.
///
/// The id is escaped and bounded as that of a [`Key`](crate::Key) is. `Debug` shows the topic
/// alone.
#[derive(Clone)]
pub struct Channel {
    topic: Topic,
    text: SmallVec<[u8; 96]>,
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
        write!(f, "Channel({})", self.topic.name)
    }
}

/// All channels of a topic, which reads `topic:{*}`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    topic: Topic,
    /// All that its channels begin with.
    begin: String,
}

impl Pattern {
    /// All channels of `topic`, which has to be a [broadcast](Topic::broadcast) one.
    pub fn all_of(topic: Topic) -> Self {
        Self {
            topic,
            begin: format!("{}:{{", topic.name()),
        }
    }

    /// The same pattern inside `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        Self {
            topic: self.topic,
            begin: format!("{}{}", namespace.prefix(), self.begin),
        }
    }

    /// The topic.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Whether it holds for `channel`.
    pub fn matches(&self, channel: &Channel) -> bool {
        channel.text.starts_with(self.begin.as_bytes())
    }

    /// The channel whose text came back from a server, for stores; nothing where it is none of the
    /// pattern's.
    pub fn channel(&self, text: &str) -> Option<Channel> {
        let id = text.strip_prefix(&*self.begin)?.strip_suffix('}')?;
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Channel {
            topic: self.topic,
            text: SmallVec::from_slice(text.as_bytes()),
        })
    }

    /// The pattern as a glob. Ids are escaped, so none holds a character that a glob knows.
    pub fn to_glob(&self) -> String {
        format!("{}*}}", self.begin)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.topic.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Topic = Topic::broadcast("film");

    #[test]
    fn a_pattern_holds_for_all_channels_of_its_topic_and_no_other() {
        let all = Pattern::all_of(TOPIC);
        let other = Channel::new(Topic::broadcast("films"), "a");
        assert!(all.matches(&Channel::new(TOPIC, "a")) && !all.matches(&other));
        assert_eq!(all.to_glob(), "film:{*}");
        assert_eq!(all.channel("film:{7}"), Some(Channel::new(TOPIC, 7_u32)));
        for none in [
            "film:{}",
            "film:{7",
            "films:{7}",
            "film:{a b}",
            "film:7",
            "",
        ] {
            assert_eq!(all.channel(none), None, "{none}");
        }
    }

    #[test]
    fn what_goes_into_a_namespace_comes_out_of_it_as_it_was() {
        let namespace = Namespace::new("prod", "app").unwrap();
        let channel = Channel::new(TOPIC, "a{b}*");
        let inside = channel.within(&namespace);
        assert_eq!(inside.as_str(), "prod:app:film:{a%7Bb%7D%2A}");
        assert!(Pattern::all_of(TOPIC).within(&namespace).matches(&inside));
        assert!(!Pattern::all_of(TOPIC).matches(&inside));
        assert_eq!(inside.seen_from(&namespace), channel);
        assert_eq!(channel.clone().seen_from(&namespace), channel);
    }
}
