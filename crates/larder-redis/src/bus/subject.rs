use ::redis::{Cmd, cmd};
use larder_store::bus::{Channel, Pattern};

/// A channel or pattern as the server knows it.
#[derive(Clone)]
pub(super) struct Subject {
    text: Box<str>,
    sort: Sort,
    name: Name,
}

/// The kind of subscription that a subject needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// `SUBSCRIBE`.
    Channel,
    /// `PSUBSCRIBE`.
    Pattern,
    /// `SSUBSCRIBE`: on the node that serves the slot.
    Shard,
}

/// The name of a subject in delivered messages.
#[derive(Clone)]
enum Name {
    Channel(Channel),
    Pattern(Pattern),
    /// They are not delivered.
    None,
}

impl Subject {
    pub(super) fn channel(channel: &Channel, sort: Sort) -> Self {
        Self {
            text: channel.as_str().into(),
            sort,
            name: Name::Channel(channel.clone()),
        }
    }

    pub(super) fn pattern(pattern: &Pattern) -> Self {
        Self {
            text: pattern.to_glob().into(),
            sort: Sort::Pattern,
            name: Name::Pattern(pattern.clone()),
        }
    }

    /// Makes a channel that has no topic.
    pub(super) fn plain(text: &str, sort: Sort) -> Self {
        Self {
            text: text.into(),
            sort,
            name: Name::None,
        }
    }

    /// Returns its text. No channel has the text of a pattern: only a pattern holds a star.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether its messages are only on one node of a cluster.
    pub(super) fn is_sharded(&self) -> bool {
        self.sort == Sort::Shard
    }

    /// Returns the channel of a delivered message, or None if it has none.
    ///
    /// `text` is the name that the server gives.
    pub(super) fn channel_of(&self, text: &str) -> Option<Channel> {
        match &self.name {
            Name::Channel(channel) => Some(channel.clone()),
            Name::Pattern(pattern) => pattern.channel(text),
            Name::None => None,
        }
    }

    pub(super) fn subscribe(&self) -> Cmd {
        self.command(["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"])
    }

    pub(super) fn unsubscribe(&self) -> Cmd {
        self.command(["UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"])
    }

    /// Makes a command of this subject only: the client waits for one answer to each command.
    fn command(&self, names: [&'static str; 3]) -> Cmd {
        let mut command = cmd(names[self.sort as usize]);
        command.arg(&*self.text);
        command
    }
}
