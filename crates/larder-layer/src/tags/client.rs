use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_store::bus::Bus;
use larder_store::program::Programs;
use larder_store::{Error, ErrorKind, Result, Timestamp, Ttl, Version};

use super::known::KnownTags;
use super::{
    ChangeTag, Generation, LoadBegin, NoteTag, ReadTag, Tag, TagChange, TagMessage, TagState, Tick,
};
use crate::StoreTimeout;

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
    known: KnownTags,
}

impl Tags {
    /// Makes a client of a store's tags, which waits for the store for at most `timeout`.
    ///
    /// It judges values by a generation for at most `trust` after it was read. If a message is lost, a value may
    /// be served for that long after another process changed its tag. With zero it reads them each time.
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
            sender: u128::from_le_bytes(*Version::random().as_bytes()) as u64,
            known: KnownTags::new(trust),
        }
    }

    /// Returns the number that identifies this client in its messages.
    pub fn sender(&self) -> u64 {
        self.sender
    }

    /// Returns the place of the start of a load among the changes of tags. Take it before reading the source.
    pub fn tick(&self) -> Tick {
        Tick {
            number: self.known.tick(),
            at: self.programs.now(),
        }
    }

    /// Returns whether each value is still valid, by the generations that its tags had.
    ///
    /// No round trip if all are remembered, otherwise one for each node.
    ///
    /// # Errors
    /// For each value, those of the store, if one of its tags could not be read and no other was removed. It is
    /// then unknown whether the value is valid.
    pub async fn validity(
        &self,
        values: &[&[(Tag, Generation)]],
        now: Timestamp,
    ) -> Vec<Result<Validity>> {
        let mut found: HashMap<Tag, Result<Option<Generation>, ErrorKind>> = HashMap::new();
        let mut unknown = Vec::new();
        for (tag, _) in values.iter().copied().flatten() {
            if found.contains_key(tag) {
                continue;
            }
            let known = self.known.trusted(*tag, now);
            found.insert(*tag, Ok(known));
            if known.is_none() {
                unknown.push((*tag, self.known.changes(*tag)));
            }
        }
        if !unknown.is_empty() {
            let steps: Vec<_> = unknown
                .iter()
                .map(|(tag, _)| (tag.key(), ReadTag))
                .collect();
            match self.run_many("read tags", &steps).await {
                Ok(read) => {
                    for ((tag, before), state) in unknown.into_iter().zip(read) {
                        if let Ok(Some(state)) = &state {
                            self.known.remember(tag, state.generation, now, before);
                        }
                        let state = state.map_err(|error| error.kind());
                        found.insert(tag, state.map(|state| state.map(|it| it.generation)));
                    }
                }
                Err(late) => found.extend(unknown.iter().map(|(tag, _)| (*tag, Err(late.kind())))),
            }
        }
        let of = |(tag, generation): &(Tag, Generation)| match found.get(tag) {
            Some(Ok(Some(now))) => Ok(generation.compared_with(*now)),
            Some(Err(kind)) => Err(*kind),
            _ => Ok(Validity::Removed),
        };
        let worse = |one, other| match (one, other) {
            (Ok(Validity::Removed), _) | (_, Ok(Validity::Removed)) => Ok(Validity::Removed),
            (Err(kind), _) | (_, Err(kind)) => Err(kind),
            (Ok(one), Ok(other)) => Ok(one.max(other)),
        };
        let judged = values.iter().map(|carried| {
            let worst = carried.iter().map(of).fold(Ok(Validity::Current), worse);
            worst.map_err(|kind| Error::new("read tags", kind, UNREAD))
        });
        judged.collect()
    }

    /// Reads the generations of the tags of a value that is about to be stored for `ttl`.
    ///
    /// Returns None if one of the tags changed since the load began, because the value may be older than
    /// the change. That is so for a tag that this process has changed, or heard to change, since then. A tag
    /// whose generation was known when the load began must still have it. Another one must have changed
    /// before the load began, by the store's clock; in a cluster these are the clocks of two nodes. A tag
    /// without a record gets one. One round trip per node.
    ///
    /// # Errors
    /// Those of the store, if none of the other tags changed since the load began;
    /// [`Refusal::Full`](larder_store::Refusal::Full) if it has no room for another tag. Do not store the
    /// value then.
    pub async fn note(
        &self,
        tags: &[Tag],
        began: LoadBegin,
        ttl: Ttl,
        now: Timestamp,
    ) -> Result<Option<Vec<(Tag, Generation)>>> {
        let before: Vec<_> = tags.iter().map(|tag| self.known.changes(*tag)).collect();
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
        let (mut is_current, mut unnoted) = (true, None);
        for ((tag, state), before) in tags.iter().zip(noted).zip(before) {
            let state = match state {
                Ok(state) => state,
                Err(error) => {
                    unnoted = unnoted.or(Some(error));
                    continue;
                }
            };
            is_current &= self.is_unchanged(*tag, began, state);
            self.known.remember(*tag, state.generation, now, before);
            carried.push((*tag, state.generation));
        }
        match unnoted {
            Some(error) if is_current => Err(error),
            _ => Ok(is_current.then_some(carried)),
        }
    }

    /// Changes tags, and so every value that carries one of them. One round trip per node.
    ///
    /// `keep` is the longest time of a load, because running loads must see the change. Tell other
    /// processes afterwards, with [`publish`](Self::publish).
    ///
    /// # Errors
    /// For each tag, those of the store. Even then this process no longer trusts the generation that it knew.
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
        // Anything that was read in between belongs to the earlier generation, and a load that began in
        // between may be older than the change.
        match changed {
            Ok(changed) => {
                let changed = tags.iter().zip(changed);
                changed
                    .map(|(tag, state)| {
                        let generation = state.as_ref().ok().map(|state| state.generation);
                        self.known.change(*tag, generation);
                        state.map(drop)
                    })
                    .collect()
            }
            Err(error) => {
                self.forget(tags);
                tags.iter()
                    .map(|_| Err(Error::new("change tags", error.kind(), LATE)))
                    .collect()
            }
        }
    }

    /// Tells other processes that tags have changed. One round trip for every 8,000 tags.
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
    ///
    /// No value of a load that has begun is stored with one of these tags.
    pub fn forget(&self, tags: &[Tag]) {
        for tag in tags {
            self.known.change(*tag, None);
        }
    }

    /// Reads each generation again before values are judged by it, because messages may have been lost.
    ///
    /// A load that has begun is still compared with the generation that was known then.
    pub fn forget_all(&self) {
        self.known.trust_none();
    }

    /// Returns whether a tag, which is in this state, is unchanged since a load began.
    fn is_unchanged(&self, tag: Tag, began: LoadBegin, state: TagState) -> bool {
        let Some(began) = began.0 else { return true };
        let known = self.known.is_unchanged(tag, began.tick, state.generation);
        known.unwrap_or(state.changed < began.at)
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

const UNREAD: &str = "the tags of the value could not be read";

const LATE: &str = "the store did not answer in time: the tag may or may not have been changed";

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tags").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
