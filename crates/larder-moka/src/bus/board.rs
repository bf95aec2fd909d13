use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use larder_store::{
    Channel, Error, ErrorKind, Interest, Mailbox, Message, Pattern, Refusal, Result, Subscription,
    mailbox,
};
use parking_lot::{Mutex, RwLock};

use super::audience::{Audience, deliver};

/// A power of two.
const SHARDS: usize = 16;

/// Who listens to which channels and topics. A channel is here for as long as somebody listens.
pub(crate) struct Board {
    hasher: RandomState,
    channels: [Mutex<HashTable<(Channel, Audience)>>; SHARDS],
    /// Topics are constants of crates: an app has a handful, so they are walked.
    topics: RwLock<Vec<(Pattern, Audience)>>,
    last_number: AtomicU64,
    cap: usize,
    held: AtomicUsize,
}

impl Board {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            hasher: RandomState::default(),
            channels: Default::default(),
            topics: RwLock::default(),
            last_number: AtomicU64::new(0),
            cap,
            held: AtomicUsize::new(0),
        }
    }

    pub(super) fn publish(&self, message: &Message) {
        let channel = &message.channel;
        let hash = self.hasher.hash_one(channel);
        deliver(message, |look| {
            let shard = self.shard(hash).lock();
            if let Some((_, audience)) = shard.find(hash, |(of, _)| of == channel) {
                look(audience);
            }
        });
        // No two patterns hold for one channel.
        deliver(message, |look| {
            let topics = self.topics.read();
            if let Some((_, audience)) = topics.iter().find(|(of, _)| of.matches(channel)) {
                look(audience);
            }
        });
    }

    /// Makes a subscription of what is [distinct](Interest::distinct).
    pub(super) fn subscribe(board: &Arc<Self>, interest: Interest) -> Result<Subscription> {
        let (mailbox, subscription) = mailbox(interest.buffer());
        let mut place = Place {
            board: Weak::new(),
            number: board.last_number.fetch_add(1, Ordering::Relaxed) + 1,
            interest,
        };
        let more = |held: usize| {
            held.checked_add(place.count())
                .filter(|held| *held <= board.cap)
        };
        let reserved = board
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        reserved.map_err(|_| board.full())?;
        place.board = Arc::downgrade(board);
        board.add(&place, &Arc::new(mailbox));
        Ok(subscription.with_guard(place))
    }

    fn add(&self, place: &Place, mailbox: &Arc<Mailbox>) {
        for channel in place.interest.channels() {
            let hash = self.hasher.hash_one(channel);
            let mut shard = self.shard(hash).lock();
            let rehash = |(of, _): &(Channel, _)| self.hasher.hash_one(of);
            let entry = shard.entry(hash, |(of, _)| of == channel, rehash);
            let mut entry = entry.or_insert_with(|| (channel.clone(), Audience::default()));
            entry.get_mut().1.add(place.number, mailbox.clone());
        }
        for pattern in place.interest.patterns() {
            let mut topics = self.topics.write();
            let at = topics.iter().position(|(of, _)| of == pattern);
            let at = at.unwrap_or_else(|| {
                topics.push((pattern.clone(), Audience::default()));
                topics.len() - 1
            });
            topics[at].1.add(place.number, mailbox.clone());
        }
    }

    fn remove(&self, place: &Place) {
        for channel in place.interest.channels() {
            let hash = self.hasher.hash_one(channel);
            // Declared before the lock, so dropped after it.
            let _left;
            let mut shard = self.shard(hash).lock();
            if let Ok(mut entry) = shard.find_entry(hash, |(of, _)| of == channel) {
                let audience = &mut entry.get_mut().1;
                _left = audience.remove(place.number);
                if audience.is_empty() {
                    entry.remove();
                }
            }
        }
        if !place.interest.patterns().is_empty() {
            let mut left = Vec::new();
            self.topics.write().retain_mut(|(_, audience)| {
                left.extend(audience.remove(place.number));
                !audience.is_empty()
            });
            drop(left);
        }
        self.held.fetch_sub(place.count(), Ordering::AcqRel);
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<(Channel, Audience)>> {
        // The table takes the highest and the lowest bits of it.
        &self.channels[(hash >> 32) as usize % SHARDS]
    }

    fn full(&self) -> Error {
        Error::new(
            "subscribe",
            ErrorKind::Refused(Refusal::Full),
            format!(
                "the store has its {} subscriptions, counted by their channels: raise it with \
                 MokaStore::builder().with_subscriptions(number)",
                self.cap
            ),
        )
    }
}

#[cfg(test)]
impl Board {
    /// How many subscriptions are counted, and how many channels and topics have an audience.
    pub(crate) fn held(&self) -> (usize, usize) {
        let channels: usize = self.channels.iter().map(|shard| shard.lock().len()).sum();
        let held = self.held.load(Ordering::Acquire);
        (held, channels + self.topics.read().len())
    }
}

/// What a subscription holds of a board, until it is dropped.
struct Place {
    board: Weak<Board>,
    number: u64,
    interest: Interest,
}

impl Place {
    fn count(&self) -> usize {
        self.interest.channels().len() + self.interest.patterns().len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(board) = self.board.upgrade() {
            board.remove(self);
        }
    }
}
