use std::fmt;
use std::hash::{Hash, Hasher};

use crate::key::is_name;

/// A kind of message: its name, and how it travels through a cluster.
///
/// Declare a topic as a constant of the crate that owns it, like the [`Kind`](crate::Kind) of a
/// key.
///
/// ```
/// use larder_store::bus::{Channel, Topic};
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
    /// Makes a topic whose messages reach every node of a cluster.
    ///
    /// A subscriber may request [all of it](crate::bus::SubscribeRequest::to_topic).
    ///
    /// # Panics
    /// If the name is not 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`; in a `const` that is a
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

    /// Makes a topic whose messages stay on the node of their channel, for many channels.
    ///
    /// On a cluster it uses sharded pub/sub, which needs Redis 7.0. Subscribers can request its
    /// channels, but not the whole topic.
    ///
    /// # Panics
    /// As [`broadcast`](Self::broadcast) does.
    pub const fn sharded(name: &'static str) -> Self {
        let mut topic = Self::broadcast(name);
        topic.sharded = true;
        topic
    }

    /// Returns the name, which every channel of the topic contains.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Returns whether its messages stay on one node.
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
