use larder_store::Ttl;

use super::EventLog;

impl<T> EventLog<T> {
    /// Keeps the last `events`, from 1, unless they are [too old](Self::with_max_age). The default is 10,000.
    ///
    /// Earlier ones are removed once all groups are done with them. The hard bound is raised to this value if it
    /// is lower.
    #[must_use]
    pub fn with_max_len(mut self, events: u32) -> Self {
        self.bounds.max_len = events.max(1);
        self.bounds.hard_max_len = self.bounds.hard_max_len.max(self.bounds.max_len);
        self
    }

    /// Keeps at most the last `events`, even if a group is not done with them. The default is 100,000.
    ///
    /// The number of lost events is reported to a group that is behind. A bound below
    /// [`with_max_len`](Self::with_max_len) is raised to it.
    #[must_use]
    pub fn with_hard_max_len(mut self, events: u32) -> Self {
        self.bounds.hard_max_len = events.max(self.bounds.max_len);
        self
    }

    /// Removes events above this age at the next append, once all groups are done with them. By default they stay.
    #[must_use]
    pub fn with_max_age(mut self, age: Ttl) -> Self {
        self.bounds.max_age = Some(age);
        self
    }

    /// Sets how long the id of a message is remembered after its append. The default is an hour.
    ///
    /// No id is remembered for longer than the log lives.
    #[must_use]
    pub fn with_retention(mut self, retention: Ttl) -> Self {
        self.retention = retention;
        self
    }

    /// Remembers at most this many ids of messages, from 1. The default is 100,000.
    ///
    /// At the maximum, new messages are refused until an id is forgotten. With the default
    /// [retention](Self::with_retention) of an hour, a log therefore takes 27 messages with an id each second on
    /// average: for more, raise the number or shorten the retention.
    #[must_use]
    pub fn with_max_remembered(mut self, messages: u32) -> Self {
        self.max_remembered = messages.max(1);
        self
    }

    /// Keeps the last `letters` dead letters of all groups, from 1. The default is 1,000.
    #[must_use]
    pub fn with_max_dead_letters(mut self, letters: u32) -> Self {
        self.max_dead = letters.max(1);
        self
    }
}
