use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::quality::RandomState;
use larder_store::bus::Bus;
use larder_store::program::Programs;
use larder_store::{Result, Timestamp, Ttl};

use super::{ChangeTag, Generation, NoteTag, ReadTag, Tag, TagChange, TagMessage, TagState};
use crate::{Capacity, NearCache, StoreTimeout};

/// The maximum number of generations that are remembered.
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
    known: NearCache<Tag, Known>,
    /// Orders the remembered generations with the starts of loads.
    ticks: AtomicU64,
    /// How long a generation is remembered, in microseconds.
    trust: i64,
}

/// A generation that is remembered.
#[derive(Clone, Copy)]
struct Known {
    generation: Generation,
    /// The last load that had begun when it was read.
    tick: u64,
}

/// The start of a load, which shows whether a change of a tag came before or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadBegin {
    tick: u64,
    /// By the store's clock: only for a tag whose generation was not known here then.
    at: Timestamp,
}

impl LoadBegin {
    /// Returns the start of a load with this [`tick`](Tags::tick), which began `at`, by the store's clock.
    pub const fn new(tick: u64, at: Timestamp) -> Self {
        Self { tick, at }
    }

    /// Returns the start of a write of the caller's own value: no change so far concerns it.
    pub const fn after_all_changes() -> Self {
        Self {
            tick: 0,
            at: Timestamp::from_micros(i64::MAX),
        }
    }
}

impl Tags {
    /// Makes a client of a store's tags, which waits for the store for at most `timeout`.
    ///
    /// It remembers a generation for at most `trust`. If a message is lost, a value may be served for that
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
            ticks: AtomicU64::new(0),
            trust: i64::try_from(trust.as_micros()).unwrap_or(i64::MAX),
        }
    }

    /// Returns the number that identifies this client in its messages.
    pub fn sender(&self) -> u64 {
        self.sender
    }

    /// Returns a number for the start of a load. Take it before reading the source.
    pub fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Returns whether values are still valid, by the generations that their tags had.
    ///
    /// No round trip if all are remembered, otherwise one for each node.
    ///
    /// # Errors
    /// Those of the store. It is then unknown whether the values are valid.
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
                .insert(*tag, known.map(|known| known.generation))
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
    /// Returns None if one of the tags changed since the load began, because the value may be older than
    /// the change. A tag whose generation was known then must still have it. Another one must have changed
    /// before the load began, by the store's clock; in a cluster these are the clocks of two nodes. A tag
    /// without a record gets one. One round trip for each node.
    ///
    /// # Errors
    /// Those of the store; [`Refusal::Full`](larder_store::Refusal::Full) if it has no room for another
    /// tag. Do not store the value then.
    pub async fn note(
        &self,
        tags: &[Tag],
        began: LoadBegin,
        ttl: Ttl,
        now: Timestamp,
    ) -> Result<Option<Vec<(Tag, Generation)>>> {
        let known: Vec<_> = tags
            .iter()
            .map(|tag| self.known_before(*tag, began.tick))
            .collect();
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
        for (((tag, state), before), known) in tags.iter().zip(noted).zip(before).zip(known) {
            let state = state?;
            self.remember(*tag, state, now, before);
            is_current &= match known {
                // A generation is never used twice, so nothing has changed in between.
                Some(known) => known == state.generation,
                None => state.changed < began.at,
            };
            carried.push((*tag, state.generation));
        }
        Ok(is_current.then_some(carried))
    }

    /// Changes tags, and so every value that carries one of them. One round trip for each node.
    ///
    /// `keep` is the longest time of a load, because running loads must see the change. Tell other
    /// processes afterwards, with [`publish`](Self::publish).
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
        // Anything that was read in between belongs to the earlier generation.
        self.forget(tags);
        match changed {
            Ok(changed) => changed.into_iter().map(|state| state.map(drop)).collect(),
            Err(error) => tags
                .iter()
                .map(|_| Err(larder_store::Error::new("change tags", error.kind(), LATE)))
                .collect(),
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
    pub fn forget(&self, tags: &[Tag]) {
        for tag in tags {
            self.known.invalidate(tag);
        }
    }

    /// Forgets all generations, because messages may have been lost.
    pub fn forget_all(&self) {
        self.known.invalidate_where(|_, _| true);
    }

    fn known(&self, tag: Tag, now: Timestamp) -> Option<Known> {
        let held = self.known.get(&tag)?;
        (now < held.deadline).then_some(held.value)
    }

    /// Returns the generation that was known when a load began, however long ago it was read.
    fn known_before(&self, tag: Tag, tick: u64) -> Option<Generation> {
        let known = self.known.get(&tag)?.value;
        (known.tick < tick).then_some(known.generation)
    }

    fn remember(&self, tag: Tag, state: TagState, now: Timestamp, before: crate::Generation) {
        let known = Known {
            generation: state.generation,
            tick: self.ticks.load(Ordering::SeqCst),
        };
        let deadline = now.plus_micros(self.trust);
        self.known.insert_if_unchanged(tag, known, deadline, before);
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

#[cfg(test)]
mod tests {
    use larder_moka::MokaStore;
    use larder_store::{Clock, ManualClock, Store};

    use super::*;

    const HOUR: Ttl = Ttl::from_secs(3_600);
    const MINUTE: i64 = 60_000_000;

    /// Two processes, and the clock of the node of the tag.
    fn two() -> (Tags, Tags, ManualClock) {
        let clock = ManualClock::default();
        let store = Arc::new(MokaStore::builder().with_clock(clock.clone()).build());
        let client = || {
            let programs = store.clone().programs().expect("programs");
            let timeout = StoreTimeout::new(Duration::from_secs(10), None);
            Tags::new(programs, None, timeout, Duration::ZERO)
        };
        (client(), client(), clock)
    }

    /// Notes the tag of a load whose lease is on a node whose clock is `skew` ahead.
    async fn note(tags: &Tags, tick: u64, clock: &ManualClock, skew: i64) -> bool {
        let now = clock.now();
        let began = LoadBegin::new(tick, now.plus_micros(skew));
        let noted = tags.note(&[Tag::new("films")], began, HOUR, now).await;
        noted.expect("a store").is_some()
    }

    #[tokio::test]
    async fn a_change_after_the_begin_of_a_load_is_seen_though_the_clocks_of_the_nodes_differ() {
        let (one, other, clock) = two();
        assert!(note(&one, one.tick(), &clock, 0).await, "a new tag");
        for skew in [-MINUTE, 0, MINUTE] {
            clock.advance(Duration::from_secs(1));
            let tick = one.tick();
            let films = [Tag::new("films")];
            let changed = other.change(&films, TagChange::Remove, HOUR).await;
            assert!(changed.iter().all(Result::is_ok));
            assert!(!note(&one, tick, &clock, skew).await, "{skew}");
            clock.advance(Duration::from_secs(1));
            assert!(
                note(&one, one.tick(), &clock, skew).await,
                "a later load, {skew}"
            );
        }
    }

    #[tokio::test]
    async fn what_was_read_while_a_load_ran_says_nothing_about_its_begin() {
        let (one, other, clock) = two();
        clock.advance(Duration::from_secs(1));
        let tick = one.tick();
        let began = LoadBegin::new(tick, clock.now());
        let films = [Tag::new("films")];
        clock.advance(Duration::from_secs(1));
        other.change(&films, TagChange::Remove, HOUR).await;
        // Another load of this process records the tag after the change.
        assert!(note(&one, one.tick(), &clock, MINUTE).await);
        let now = clock.now();
        let noted = one.note(&films, began, HOUR, now).await;
        assert!(noted.expect("a store").is_none());
    }
}
