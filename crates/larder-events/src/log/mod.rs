//! Event logs: events are appended once, and delivered to groups of consumers until they are acknowledged.

mod append;
mod appending;
mod consumer;
mod group;
mod groups;
mod id;
mod names;
mod reading;
mod reads;
mod record;
mod run;
mod settings;
mod settle;
mod take;
#[cfg(test)]
mod traces;
mod types;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use larder_store::program::{Inspection, Program, Programs, Record};
use larder_store::wait::Waits;
use larder_store::{Key, KeyId, Result, Store, StoreExt, Ttl};

pub use consumer::{Batch, Consumer, Delivery};
pub use group::Group;
pub use id::EventId;
pub use record::{InspectLog, LogRecord};
pub use run::{Event, EventError, EventErrorKind, Report};
pub use settle::Settled;
pub use types::{Appended, DeadLetter, GroupInfo, LogInfo, MessageId, Page, Start, Stored};

use append::Bounds;
use reads::{ReadState, RemoveDead};

/// The maximum length of an event as JSON, in bytes: 64 KiB.
pub const MAX_EVENT: usize = 64 * 1024;

/// The number of bytes that one step appends or reads: a larger message would hold up other calls.
const STEP_BYTES: usize = 1024 * 1024;

/// The maximum number of events of a page or a batch: 100, or a megabyte of them.
pub const MAX_BATCH: usize = 100;

/// The maximum number of groups of a log: 32.
pub const MAX_GROUPS: u32 = 32;

/// Keeps events in the order of their appends, for groups of consumers that each handle all of them.
///
/// # Rules
/// 1. An event whose append was acknowledged is delivered to each group until a consumer of the group acknowledges
///    it, or it becomes a [dead letter](Self::dead_letters), or the loss is reported to the group. No event
///    vanishes silently.
/// 2. A consumer holds an event for the [lease](Group::with_lease) of its group. After that another consumer gets
///    it, with a count that is one higher.
/// 3. An acknowledgement counts only if its consumer and count are those of the last delivery. A stale one is
///    [refused](Settled::Stale), so no consumer acknowledges an event that another one now holds.
/// 4. A message that a producer appends [twice](Self::append_once) is one event.
/// 5. Events past [`with_max_len`](Self::with_max_len) or [`with_max_age`](Self::with_max_age) are removed once
///    all groups are done with them, and past [`with_hard_max_len`](Self::with_hard_max_len) in any case: a group
///    without readers blocks nothing, and its losses are reported to it.
/// 6. A consumer that is removed hands its events back to the group.
/// 7. Ids rise, whatever the clock does.
///
/// On Redis the log is a Stream with groups of Redis, and its entries have the fields `event`, the event as JSON,
/// and `n`, its number. Other clients may read it by `XRANGE` or in groups of their own; only larder should write
/// to it. It takes memory in Redis: about 23 bytes in addition to each event, and about 550 for a pending one, so
/// their number has a [cap](Group::with_max_pending).
///
/// # Deployment caveats
/// An append is as safe as its store: with `appendonly yes` and `appendfsync always` Redis has it on disk when it
/// answers. An event may be handled twice, by a consumer that was too slow and by the next one: make its effects
/// idempotent by its [id](EventId). A log ends with its TTL, which each append and each call of a group restarts.
/// A log is on one node of a cluster.
///
/// ```
/// # use std::sync::Arc;
/// use larder_events::log::{EventLog, MessageId};
/// use larder_store::{Result, Store, Ttl};
///
/// async fn confirm(store: Arc<dyn Store>, booking: String) -> Result<()> {
///     let log = EventLog::<String>::new(store, "bookings", Ttl::from_secs(7 * 86_400))?;
///     let message = MessageId { producer: "web", id: &booking };
///     log.append_once("all", message, &booking).await?;
///
///     let mut mailer = log.group("all", "mailer")?.consumer();
///     for delivery in mailer.read(16).await?.deliveries {
///         // Send the mail, and then:
///         let _ = mailer.ack(&delivery).await?;
///     }
///     Ok(())
/// }
/// ```
pub struct EventLog<T> {
    programs: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    name: Arc<str>,
    ttl: Ttl,
    bounds: Bounds,
    retention: Ttl,
    max_remembered: u32,
    max_dead: u32,
    event: PhantomData<fn() -> T>,
}

impl<T> EventLog<T> {
    /// Makes the logs called `name`, each of which lives for `ttl` after it was last used: after the last append
    /// or the last call of a group.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the name is invalid, or the store runs no
    /// programs or does not support waiting.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        crate::describe_metrics();
        Ok(Self {
            programs: store.clone().require_programs("an event log")?,
            waits: store.require_waits("an event log")?,
            name: names::name("a log", name)?,
            ttl,
            bounds: Bounds {
                max_len: 10_000,
                hard_max_len: 100_000,
                max_age: None,
            },
            retention: Ttl::from_secs(3_600),
            max_remembered: 100_000,
            max_dead: 1_000,
            event: PhantomData,
        })
    }

    /// Makes the handle of a group of the log `id`. The group itself is created by its first read.
    ///
    /// The name is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) if the name is invalid.
    pub fn group(&self, id: impl KeyId, name: &str) -> Result<Group<T>> {
        Ok(Group::new(
            self.clone(),
            self.key(id),
            names::name("a group", name)?,
        ))
    }

    fn key(&self, id: impl KeyId) -> Key {
        Key::new(LogRecord::KIND, (&*self.name, id))
    }

    async fn run<P: Program<Record = LogRecord>>(
        &self,
        key: &Key,
        program: &P,
    ) -> Result<P::Reply> {
        self.programs.run(key, program).await
    }

    /// Returns what the log holds, and the progress of each group. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn info(&self, id: impl KeyId) -> Result<LogInfo> {
        let key = self.key(id);
        self.run(&key, &ReadState).await.map(LogInfo::from)
    }

    /// Removes a dead letter, and returns whether it existed. One round trip.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// The dead letter may or may not have been removed.
    pub async fn remove_dead_letter(&self, id: impl KeyId, letter: EventId) -> Result<bool> {
        let (key, ttl) = (self.key(id), self.ttl);
        self.run(&key, &RemoveDead { id: letter, ttl }).await
    }

    /// Returns what the log holds, for people and tools. It shows no event. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        let key = self.key(id);
        self.programs.inspect::<LogRecord>(&key).await
    }
}

impl<T> Clone for EventLog<T> {
    fn clone(&self) -> Self {
        Self {
            programs: self.programs.clone(),
            waits: self.waits.clone(),
            name: self.name.clone(),
            ttl: self.ttl,
            bounds: self.bounds,
            retention: self.retention,
            max_remembered: self.max_remembered,
            max_dead: self.max_dead,
            event: PhantomData,
        }
    }
}

impl<T> fmt::Debug for EventLog<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog")
            .field("name", &self.name)
            .field("ttl", &self.ttl)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}
