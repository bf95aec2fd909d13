//! Event logs: appended once, read by groups of consumers, each event until it is acknowledged.

mod append;
mod consumer;
mod group;
mod groups;
mod id;
mod names;
mod reads;
mod record;
mod run;
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
use larder_store::{Error, ErrorKind, Key, KeyId, Refusal, Result, Store, StoreExt, Ttl};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use consumer::{Batch, Consumer, Delivery};
pub use group::Group;
pub use id::EventId;
pub use record::{InspectLog, LogRecord};
pub use run::{Event, Failure, Report};
pub use settle::Settled;
pub use types::{Appended, DeadLetter, GroupInfo, LogInfo, MessageId, Page, Start, Stored};

use append::{Append, Bounds, Written};
use reads::{ReadDead, ReadRange, ReadState, RemoveDead};

/// The longest event as JSON, in bytes: 64 KiB.
pub const MAX_EVENT: usize = 64 * 1024;

/// The most events of a page or a batch: 100.
pub const MAX_BATCH: u32 = 100;

/// The most groups of a log: 32.
pub const MAX_GROUPS: u32 = 32;

/// Keeps events in the order of their appends, for groups of consumers that each handle all of them.
///
/// # Rules
/// 1. An append that was acknowledged is delivered to each group until a consumer of the group acknowledges it,
///    or it is a [dead letter](Self::dead_letters), or the group is told that it has lost it. Nothing vanishes
///    in silence.
/// 2. A consumer has an event for the [lease](Group::with_lease) of its group. After that another consumer is
///    given it, with a count that is one higher.
/// 3. An acknowledgement counts only if its consumer and count are those of the last delivery. A stale one is
///    [refused](Settled::Stale), so no event is acknowledged for somebody who has it now.
/// 4. A message that a producer appends [twice](Self::append_once) is one event.
/// 5. Events past [`with_max_len`](Self::with_max_len) or [`with_max_age`](Self::with_max_age) are removed once
///    all groups are done with them, and past [`with_hard_max_len`](Self::with_hard_max_len) in any case: a
///    group of which nobody reads stops nothing, and is told how much it has lost.
/// 6. A consumer that is removed hands back what it had.
/// 7. Ids rise, whatever the clock does.
///
/// On Redis the log is a Stream with groups of Redis, and its entries have the fields `event`, the event as
/// JSON, and `n`, its number. Other clients may read it by `XRANGE` or in groups of their own; only larder
/// should write to it. Redis has it in memory: about 30 bytes beside each event, and some 550 for one that is
/// pending, so there is a [cap](Group::with_max_pending) on those.
///
/// # Deployment caveats
/// An append is as safe as its store: with `appendonly yes` and `appendfsync always` Redis has it on disk when
/// it answers. An event may be handled twice, by a consumer that was too slow and by the next one: make what
/// follows from it idempotent by its [id](EventId). A log ends with its TTL, which each append and each read
/// of a group begins anew. All that happens on a log takes one node of a cluster.
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
    remembered: Ttl,
    max_remembered: u32,
    max_dead: u32,
    event: PhantomData<fn() -> T>,
}

impl<T> EventLog<T> {
    /// Makes the logs called `name`, each of which lives for `ttl` after it was last used.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name has another form, or the store runs no programs or lets nobody wait.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
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
            remembered: Ttl::from_secs(3_600),
            max_remembered: 100_000,
            max_dead: 1_000,
            event: PhantomData,
        })
    }

    /// Keeps at least the last `events`, from 1. The default is 10,000.
    ///
    /// Older ones are removed once all groups are done with them. The hard bound is raised to this one.
    #[must_use]
    pub fn with_max_len(mut self, events: u32) -> Self {
        self.bounds.max_len = events.max(1);
        self.bounds.hard_max_len = self.bounds.hard_max_len.max(self.bounds.max_len);
        self
    }

    /// Keeps at most the last `events`, even if a group is not done with them. The default is 100,000.
    ///
    /// A group that is behind is told how many it has lost.
    #[must_use]
    pub fn with_hard_max_len(mut self, events: u32) -> Self {
        self.bounds.hard_max_len = events.max(self.bounds.max_len);
        self
    }

    /// Removes events of this age at the next append, once all groups are done with them. By default they stay.
    #[must_use]
    pub fn with_max_age(mut self, age: Ttl) -> Self {
        self.bounds.max_age = Some(age);
        self
    }

    /// Remembers the id of a message for so long after its append. The default is an hour.
    #[must_use]
    pub fn with_remembered(mut self, time: Ttl) -> Self {
        self.remembered = time;
        self
    }

    /// Remembers at most so many ids of messages. The default is 100,000.
    #[must_use]
    pub fn with_max_remembered(mut self, messages: u32) -> Self {
        self.max_remembered = messages.max(1);
        self
    }

    /// Keeps the last so many dead letters. The default is 1,000.
    #[must_use]
    pub fn with_max_dead_letters(mut self, letters: u32) -> Self {
        self.max_dead = letters.max(1);
        self
    }

    /// Makes the handle of a group of the log `id`. Groups are made at their first read.
    ///
    /// The name is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name has another form.
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

    /// Returns what the log holds, and how far each group is. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn info(&self, id: impl KeyId) -> Result<LogInfo> {
        let key = self.key(id);
        self.run(&key, &ReadState).await.map(LogInfo::from)
    }

    /// Removes a dead letter, and returns whether it was there. One round trip.
    ///
    /// # Errors
    /// Those of the store. To remove it again is safe.
    ///
    /// # Cancellation
    /// It may or may not be removed.
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

impl<T: Serialize> EventLog<T> {
    /// Appends an event to the log `id`, and returns its id. One round trip.
    ///
    /// # Errors
    /// Those of the store; [`ErrorKind::TooLarge`] past [`MAX_EVENT`]; [`ErrorKind::Invalid`] if it has no form
    /// in JSON. After [`ErrorKind::MayHaveRun`] it may be there, once: to append it again without doubt, use
    /// [`append_once`](Self::append_once).
    ///
    /// # Cancellation
    /// It may or may not be appended.
    pub async fn append(&self, id: impl KeyId, event: &T) -> Result<EventId> {
        let (key, append) = (self.key(id), self.prepare(event, "".into())?);
        id_of(self.run(&key, &append).await?)
    }

    /// Appends several events in their order, and returns a result for each. One round trip.
    ///
    /// If one fails, those after it may have been appended.
    ///
    /// # Cancellation
    /// Each of them may or may not be appended.
    pub async fn append_many(&self, id: impl KeyId, events: &[T]) -> Vec<Result<EventId>> {
        let key = self.key(id);
        let prepared: Result<Vec<_>> = events
            .iter()
            .map(|event| Ok((key.clone(), self.prepare(event, "".into())?)))
            .collect();
        match prepared {
            Ok(steps) => {
                let written = self.programs.run_many(&steps).await;
                written.into_iter().map(|written| id_of(written?)).collect()
            }
            // Nothing was sent: the same error holds for all.
            Err(error) => {
                let again = || {
                    Error::new(
                        "append",
                        error.kind(),
                        "one of the events cannot be appended, so none was",
                    )
                };
                events.iter().map(|_| Err(again())).collect()
            }
        }
    }

    /// Appends the event of a message, unless it was appended before. One round trip.
    ///
    /// Messages are remembered for [`with_remembered`](Self::with_remembered). Within that time you may send the
    /// same message as often as you like, such as after [`ErrorKind::MayHaveRun`]: there is one event. That of
    /// the first is kept, whatever comes later under the same id.
    ///
    /// # Errors
    /// As [`append`](Self::append) gives them; [`ErrorKind::Invalid`] if a name is not 1 to 256 bytes;
    /// [`Refusal::Full`] if as many messages are remembered as may be.
    ///
    /// # Cancellation
    /// It may or may not be appended. Send it again to know.
    pub async fn append_once(
        &self,
        id: impl KeyId,
        message: MessageId<'_>,
        event: &T,
    ) -> Result<Appended> {
        let (key, append) = (self.key(id), self.prepare(event, names::message(message)?)?);
        match self.run(&key, &append).await? {
            Written::New(id) => Ok(Appended::New(id)),
            Written::Duplicate(id) => Ok(Appended::Duplicate(id)),
            full => id_of(full).map(Appended::New),
        }
    }

    fn prepare(&self, event: &T, message: Arc<str>) -> Result<Append> {
        Ok(Append {
            event: crate::json::encode("append", event, MAX_EVENT)?,
            message,
            remembered: self.remembered,
            max_remembered: self.max_remembered,
            bounds: self.bounds,
            ttl: self.ttl,
        })
    }
}

impl<T: DeserializeOwned> EventLog<T> {
    /// Returns the first `many` events after an id, at most [`MAX_BATCH`]. One round trip.
    ///
    /// Begin with [`EventId::ZERO`] or [`EventId::before_millis`], and go on with [`Page::next`].
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`] for too many.
    pub async fn read(&self, id: impl KeyId, after: EventId, many: u32) -> Result<Page<T>> {
        self.read_range(self.key(id), after, None, many).await
    }

    /// Returns the first `many` events after one id and up to another. One round trip.
    ///
    /// # Errors
    /// As [`read`](Self::read) gives them.
    pub async fn read_until(
        &self,
        id: impl KeyId,
        after: EventId,
        until: EventId,
        many: u32,
    ) -> Result<Page<T>> {
        self.read_range(self.key(id), after, Some(until), many)
            .await
    }

    async fn read_range(
        &self,
        key: Key,
        after: EventId,
        until: Option<EventId>,
        many: u32,
    ) -> Result<Page<T>> {
        names::check_many("read", many)?;
        let found = self.run(&key, &ReadRange { after, until, many }).await?;
        Ok(Page::new(found, many, |event| self.decode(event)))
    }

    /// Returns the first `many` dead letters after an id, of all groups, at most [`MAX_BATCH`]. One round trip.
    ///
    /// An event dies when it was delivered [too often](Group::with_max_deliveries), or was
    /// [rejected](Consumer::reject).
    ///
    /// # Errors
    /// As [`read`](Self::read) gives them.
    pub async fn dead_letters(
        &self,
        id: impl KeyId,
        after: EventId,
        many: u32,
    ) -> Result<Vec<DeadLetter<T>>> {
        names::check_many("dead letters", many)?;
        let key = self.key(id);
        let found = self.run(&key, &ReadDead { after, many }).await?;
        let letter = |letter| DeadLetter::new(letter, |event| self.decode(event));
        Ok(found.into_iter().map(letter).collect())
    }

    /// Decodes an event. None, with a metric, for one that is none of `T`.
    fn decode(&self, event: Option<&[u8]>) -> Option<T> {
        let event = event.and_then(crate::json::decode);
        if event.is_none() {
            metrics::counter!("larder_log_undecodable_total", "log" => self.name.to_string())
                .increment(1);
            tracing::warn!(log = &*self.name, "an event is not of the type of the log");
        }
        event
    }
}

fn id_of(written: Written) -> Result<EventId> {
    match written {
        Written::New(id) | Written::Duplicate(id) => Ok(id),
        Written::Full => {
            let text = "the log remembers as many messages as it may: see with_remembered and with_max_remembered";
            Err(Error::new(
                "append",
                ErrorKind::Refused(Refusal::Full),
                text,
            ))
        }
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
            remembered: self.remembered,
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
