use std::fmt;

use super::{Channel, Topic};
use crate::Namespace;

/// Matches all channels of a topic, written `topic:{*}`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    topic: Topic,
    /// The common beginning of its channels' names.
    begin: String,
}

impl Pattern {
    /// Matches all channels of `topic`, which must be a [broadcast](Topic::broadcast) topic.
    pub fn all_of(topic: Topic) -> Self {
        Self {
            topic,
            begin: format!("{}:{{", topic.name()),
        }
    }

    /// Puts the pattern into `namespace`.
    #[must_use]
    pub fn within(&self, namespace: &Namespace) -> Self {
        Self {
            topic: self.topic,
            begin: format!("{}{}", namespace.prefix(), self.begin),
        }
    }

    /// Returns the topic.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// Returns whether the pattern matches `channel`.
    pub fn matches(&self, channel: &Channel) -> bool {
        channel.text.starts_with(self.begin.as_bytes())
    }

    /// Parses a channel name from a server, for stores. None if the pattern does not match it.
    pub fn channel(&self, text: &str) -> Option<Channel> {
        let id = text.strip_prefix(&*self.begin)?.strip_suffix('}')?;
        let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic());
        plain.then(|| Channel {
            topic: self.topic,
            text: text.as_bytes().into(),
        })
    }

    /// Returns the pattern as a glob.
    ///
    /// Ids are escaped, so they contain no glob characters.
    pub fn to_glob(&self) -> String {
        format!("{}*}}", self.begin)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.topic.name())
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
    fn a_pattern_is_unchanged_after_a_trip_through_a_namespace() {
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
