use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_store::program::Program;
use larder_store::{Error, ErrorKind, Key, Refusal, Result, Ttl};

use super::groups::{Create, Created, HandBack, RemoveGroup};
use super::record::LogRecord;
use super::settle::{Held, Settle, What};
use super::{Consumer, EventLog, MAX_GROUPS, Settled, Start, names};

/// The handle of a group of consumers, which together handle each event of a log.
///
/// Clones are cheap. All processes that read in a group should give it the same settings.
pub struct Group<T> {
    pub(super) log: EventLog<T>,
    pub(super) key: Key,
    pub(super) name: Arc<str>,
    start: Start,
    has_begun: Arc<AtomicBool>,
    pub(super) lease: Ttl,
    pub(super) max_pending: u32,
    pub(super) max_deliveries: u32,
}

impl<T> Group<T> {
    pub(super) fn new(log: EventLog<T>, key: Key, name: Arc<str>) -> Self {
        Self {
            log,
            key,
            name,
            start: Start::First,
            has_begun: Arc::default(),
            lease: Ttl::from_secs(60),
            max_pending: 1_000,
            max_deliveries: 10,
        }
    }

    /// Sets where the group begins when it is created. The default is [`Start::First`].
    ///
    /// If the group disappears later, alone or with its log, the handles that have created or read it, and their
    /// clones, create it again from [`Start::First`], so that it misses nothing.
    #[must_use]
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// Sets how long a consumer holds an event before another one gets it. The default is a minute.
    #[must_use]
    pub fn with_lease(mut self, lease: Ttl) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the maximum number of deliveries of an event, from 1. The default is 10.
    ///
    /// When the lease of the last delivery ends, the event becomes a dead letter of the group. An event that
    /// is handed back counts as delivered: the count identifies the delivery, so it never falls.
    #[must_use]
    pub fn with_max_deliveries(mut self, deliveries: u32) -> Self {
        self.max_deliveries = deliveries.max(1);
        self
    }

    /// Sets the maximum number of pending events of the group, 1 to 2,000. The default is 1,000.
    ///
    /// While that many are pending, no event is delivered for the first time.
    #[must_use]
    pub fn with_max_pending(mut self, events: u32) -> Self {
        self.max_pending = events.clamp(1, 2_000);
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Creates the group, and returns whether it is new. One round trip.
    ///
    /// A read creates it too. Call this at the start of a process that must get all events from then on.
    ///
    /// # Errors
    /// Those of the store, and [`Refusal::Full`] if the log has [`MAX_GROUPS`]. Repeating the call is safe.
    ///
    /// # Cancellation
    /// The group may or may not have been created.
    pub async fn create(&self) -> Result<bool> {
        let create = Create {
            group: self.name.clone(),
            // A group that has disappeared must not miss what was appended since.
            start: match self.has_begun.load(Ordering::Relaxed) {
                true => Start::First,
                false => self.start,
            },
            max_groups: MAX_GROUPS,
            ttl: self.log.ttl,
            generation: rand::random(),
        };
        let created = self.run(&create).await?;
        if created == Created::Full {
            let text = "the log has the maximum of 32 groups: remove one";
            return Err(Error::new(
                "create",
                ErrorKind::Refused(Refusal::Full),
                text,
            ));
        }
        self.note_begun();
        Ok(created == Created::New)
    }

    /// Notes that the group exists: if it is created again, it begins with the first event.
    pub(super) fn note_begun(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Makes a consumer with a random name, as each process needs whenever it starts.
    pub fn consumer(&self) -> Consumer<T> {
        Consumer::new(
            self.clone(),
            format!("{:016x}", rand::random::<u64>()).into(),
        )
    }

    /// Makes a consumer with a name of 1 to 64 letters, digits, `-`, `_` and `.`.
    ///
    /// Two consumers that run at once must not share a name: if one is closed, it hands back the events of both.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid.
    pub fn consumer_named(&self, name: &str) -> Result<Consumer<T>> {
        Ok(Consumer::new(self.clone(), names::consumer(name)?))
    }

    /// Hands a consumer's pending events back to the group, and removes the consumer. Returns their number.
    ///
    /// They are due at once, for the other consumers of the group. One round trip for each 256 events.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// Some or all events may have been handed back.
    pub async fn remove_consumer(&self, name: &str) -> Result<u64> {
        let hand_back = HandBack {
            group: self.name.clone(),
            consumer: names::consumer(name)?,
            lease: self.lease,
            ttl: self.log.ttl,
        };
        let mut handed = 0;
        loop {
            let (some, is_all) = self.run(&hand_back).await?;
            handed += some;
            if is_all {
                return Ok(handed);
            }
        }
    }

    /// Removes the group with all its pending events, and returns whether it existed. One round trip.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// The group may or may not have been removed.
    pub async fn remove(&self) -> Result<bool> {
        let (group, ttl) = (self.name.clone(), self.log.ttl);
        self.run(&RemoveGroup { group, ttl }).await
    }

    pub(super) async fn settle(&self, what: What, deliveries: Vec<Held>) -> Result<Vec<Settled>> {
        names::check_many("settle", deliveries.len())?;
        let settle = Settle {
            what,
            group: self.name.clone(),
            lease: self.lease,
            max_dead: self.log.max_dead,
            ttl: self.log.ttl,
            deliveries,
        };
        self.run(&settle).await
    }

    pub(super) async fn run<P: Program<Record = LogRecord>>(
        &self,
        program: &P,
    ) -> Result<P::Reply> {
        self.log.run(&self.key, program).await
    }
}

impl<T> Clone for Group<T> {
    fn clone(&self) -> Self {
        Self {
            log: self.log.clone(),
            key: self.key.clone(),
            name: self.name.clone(),
            start: self.start,
            has_begun: self.has_begun.clone(),
            lease: self.lease,
            max_pending: self.max_pending,
            max_deliveries: self.max_deliveries,
        }
    }
}

impl<T> fmt::Debug for Group<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("log", &self.log.name)
            .field("name", &self.name)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}
