use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_store::bus::Bus;
use larder_store::program::Programs;
use larder_store::{Result, Timestamp, Ttl};

use super::{ChangeTag, Generation, NoteTag, ReadTag, Tag, TagChange, TagMessage, TagState};
use crate::{Capacity, NearCache, StoreTimeout};

/// The most generations that are remembered.
const MAX_KNOWN: u64 = 100_000;

/// Whether a value that carries tags is still valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Validity {
    /// None of its tags has changed.
    Current,
    /// One of its tags was expired, and none removed.
    Expired,
    /// One of its tags was removed, or has no record.
    Removed,
}

/// Reads and changes the tags of a store, and remembers their generations for a while.
pub struct Tags {
    programs: Arc<dyn Programs>,
    bus: Option<Arc<dyn Bus>>,
    timeout: StoreTimeout,
    sender: u64,
    known: NearCache<Tag, TagState>,
    /// How long a generation is remembered, in microseconds.
    trust: i64,
}

impl Tags {
    /// Makes a client of a store's tags, which waits for the store for `timeout` at most.
    ///
    /// It remembers a generation for `trust` at most. If a message is lost, a value may be served for so
    /// long after another process changed its tag. With zero it remembers nothing.
    pub fn new(
        programs: Arc<dyn Programs>,
        bus: Option<Arc<dyn Bus>>,
        timeout: StoreTimeout,
        trust: Duration,
    ) -> Self {
        Self {
            programs,
            bus,
            timeout,
            sender: RandomState::default().hash_one(0),
            known: NearCache::new(Capacity::Entries(MAX_KNOWN)),
            trust: i64::try_from(trust.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Returns the number that names this client in its messages.
    pub fn sender(&self) -> u64 {
        self.sender
    }

    /// Returns whether values are still valid, by the generations that their tags had.
    ///
    /// No round trip if all are remembered, otherwise one for each node.
    ///
    /// # Errors
    /// Those of the store. Then it is not known whether the values are valid.
    pub async fn validity(
        &self,
        values: &[&[(Tag, Generation)]],
        now: Timestamp,
    ) -> Result<Vec<Validity>> {
        let mut found: HashMap<Tag, Option<Generation>> = HashMap::new();
        let mut unknown = Vec::new();
        for (tag, _) in values.iter().copied().flatten() {
            let known = self.known(*tag, now);
            if found
                .insert(*tag, known.map(|state| state.generation))
                .is_none()
                && known.is_none()
            {
                unknown.push((*tag, self.known.generation(tag)));
            }
        }
        if !unknown.is_empty() {
            let steps: Vec<_> = unknown
                .iter()
                .map(|(tag, _)| (tag.key(), ReadTag))
                .collect();
            let read = self.run_many("read tags", &steps).await?;
            for ((tag, before), state) in unknown.into_iter().zip(read) {
                if let Some(state) = state? {
                    self.remember(tag, state, now, before);
                    found.insert(tag, Some(state.generation));
                }
            }
        }
        let of = |(tag, generation): &(Tag, Generation)| match found.get(tag) {
            Some(Some(now)) => generation.compared_with(*now),
            _ => Validity::Removed,
        };
        let worst = |carried: &&[(Tag, Generation)]| carried.iter().map(of).max();
        Ok(values
            .iter()
            .map(|carried| worst(carried).unwrap_or(Validity::Current))
            .collect())
    }

    /// Reads the generations of the tags of a value that is about to be stored for `ttl`.
    ///
    /// None if one of the tags changed at or after `began`, by the store's clock, because the value may be
    /// older than the change. A tag without a record gets one. One round trip for each node.
    ///
    /// # Errors
    /// Those of the store; [`Refusal::Full`](larder_store::Refusal::Full) if it has no room for one
    /// more tag. The value must not be stored then.
    pub async fn note(
        &self,
        tags: &[Tag],
        began: Timestamp,
        ttl: Ttl,
        now: Timestamp,
    ) -> Result<Option<Vec<(Tag, Generation)>>> {
        let before: Vec<_> = tags.iter().map(|tag| self.known.generation(tag)).collect();
        let note = |tag: &Tag| {
            let note = NoteTag {
                generation: Generation::random(),
                // The record is kept for up to twice as long, and no TTL is longer than the longest.
                keep: ttl.as_micros().min(Ttl::MAX.as_micros() / 2),
            };
            (tag.key(), note)
        };
        let steps: Vec<_> = tags.iter().map(note).collect();
        let noted = self.run_many("note tags", &steps).await?;
        let mut carried = Vec::with_capacity(tags.len());
        let mut is_current = true;
        for ((tag, state), before) in tags.iter().zip(noted).zip(before) {
            let state = state?;
            self.remember(*tag, state, now, before);
            is_current &= state.changed < began;
            carried.push((*tag, state.generation));
        }
        Ok(is_current.then_some(carried))
    }

    /// Changes tags, and so every value that carries one of them. One round trip for each node.
    ///
    /// `keep` is the longest time of a load, because loads that are running must see the change. Tell
    /// other processes afterwards, with [`publish`](Self::publish).
    ///
    /// # Errors
    /// For each tag, those of the store. Even then this process forgets what it remembered of the tag.
    ///
    /// # Cancellation
    /// A dropped call may or may not have changed the tags.
    pub async fn change(&self, tags: &[Tag], change: TagChange, keep: Ttl) -> Vec<Result<()>> {
        self.forget(tags);
        let step = |tag: &Tag| {
            let step = ChangeTag {
                change,
                generation: Generation::random(),
                keep: keep.as_micros(),
            };
            (tag.key(), step)
        };
        let steps: Vec<_> = tags.iter().map(step).collect();
        let changed = self.run_many("change tags", &steps).await;
        // What was read in between is of the generation before.
        self.forget(tags);
        match changed {
            Ok(changed) => changed.into_iter().map(|state| state.map(drop)).collect(),
            Err(error) => tags
                .iter()
                .map(|_| Err(larder_store::Error::new("change tags", error.kind(), LATE)))
                .collect(),
        }
    }

    /// Tells other processes that tags have changed. One round trip for 8,000 tags.
    ///
    /// # Errors
    /// Those of the store's bus. On a store without a bus this does nothing.
    pub async fn publish(&self, tags: &[Tag], change: TagChange) -> Result<()> {
        let Some(bus) = &self.bus else {
            return Ok(());
        };
        for tags in tags.chunks(TagMessage::MAX) {
            let message = TagMessage {
                sender: self.sender,
                change,
                tags: tags.to_vec(),
            };
            let channel = TagMessage::channel();
            let published = bus.publish(&channel, message.to_bytes().into());
            self.timeout.run("publish", published).await?;
        }
        Ok(())
    }

    /// Forgets the generations of tags, because a message says that they changed.
    pub fn forget(&self, tags: &[Tag]) {
        for tag in tags {
            self.known.invalidate(tag);
        }
    }

    /// Forgets all generations, because messages may have been lost.
    pub fn forget_all(&self) {
        self.known.invalidate_where(|_, _| true);
    }

    fn known(&self, tag: Tag, now: Timestamp) -> Option<TagState> {
        let held = self.known.get(&tag)?;
        (now < held.deadline).then_some(held.value)
    }

    fn remember(&self, tag: Tag, state: TagState, now: Timestamp, before: crate::Generation) {
        if self.trust > 0 {
            let deadline = now.plus_micros(self.trust);
            self.known.insert_if_unchanged(tag, state, deadline, before);
        }
    }

    async fn run_many<P: larder_store::program::Program>(
        &self,
        operation: &'static str,
        steps: &[(larder_store::Key, P)],
    ) -> Result<Vec<Result<P::Reply>>> {
        let run = async { Ok(self.programs.run_many(steps).await) };
        self.timeout.run(operation, run).await
    }
}

const LATE: &str = "the store did not answer in time: the tag may or may not have been changed";

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").finish_non_exhaustive()
    }
}
