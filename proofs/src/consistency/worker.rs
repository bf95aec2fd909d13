//! One process: reads, changes and invalidates, and notes what it saw.

use std::sync::Arc;
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Key, Kind, Put, Store, Ttl};
use larder_test::faulty::{Faulty, Switch};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::contender::{Caching, Change, Contender, TAGS, version_of};
use super::event::{Event, What};
use crate::leases::now;

const SOURCE: Kind = Kind::pinned("source");

/// The processes that share a cache.
pub const PROCESSES: u32 = 3;

/// The tasks of each.
const TASKS: u32 = 8;

/// The number of keys. One task changes a key in the source; any task may invalidate it.
const KEYS: u32 = 12;

/// What a process is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// Its number, below [`PROCESSES`].
    pub process: u32,
    /// The cache.
    pub contender: Contender,
    /// Where the cache keeps its values.
    pub url: String,
    /// Where the source is, whose values are cached. Nothing is wrong there.
    pub source: String,
    /// How long it goes on.
    pub time: Duration,
    /// The percentage of the messages between processes that it does not receive.
    pub loss: u8,
    /// The seed of its choices.
    pub seed: u64,
}

/// What a process did.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// What it saw and what it invalidated.
    pub history: Vec<Event>,
    /// The messages that it did not hear.
    pub lost: u64,
}

impl Work {
    /// Does the work.
    ///
    /// # Panics
    /// If there is no connection at the start.
    pub async fn run(self) -> Done {
        let patience = Duration::from_secs(10);
        let source = RedisStore::builder(&self.source).with_timeout(patience);
        let source: Arc<dyn Store> = Arc::new(source.connect().await.expect("the source"));
        let store = RedisStore::connect(&self.url).await.expect("a connection");
        let store = Faulty::new(Arc::new(store));
        let switch = store.switch();
        if self.loss > 0 {
            switch.lose_messages(self.loss, self.seed);
        }
        let caching = self.contender.on(Arc::new(store));
        let until = Instant::now() + self.time;
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let task = Task {
                    number: number * PROCESSES + self.process,
                    process: self.process,
                    caching: caching.clone(),
                    source: source.clone(),
                    random: fastrand::Rng::with_seed(self.seed << 8 | u64::from(number)),
                    versions: [0; KEYS as usize],
                    history: Vec::new(),
                };
                tokio::spawn(task.run(until))
            })
            .collect();
        let mut history = Vec::new();
        for task in tasks {
            history.extend(task.await.expect("a task that works"));
        }
        let lost = lost(&switch);
        Done { history, lost }
    }
}

fn lost(switch: &Switch) -> u64 {
    switch.messages_lost() as u64
}

struct Task {
    /// Its number among those of all processes.
    number: u32,
    process: u32,
    caching: Caching,
    source: Arc<dyn Store>,
    random: fastrand::Rng,
    /// The versions that it has given to its keys.
    versions: [u64; KEYS as usize],
    history: Vec<Event>,
}

impl Task {
    async fn run(mut self, until: Instant) -> Vec<Event> {
        while Instant::now() < until {
            match self.random.u32(..100) {
                0..65 => self.read().await,
                65..75 => self.read_cached().await,
                75..80 => self.read_many().await,
                80..92 if self.number < KEYS => self.change().await,
                _ => self.invalidate().await,
            }
            sleep(Duration::from_micros(self.random.u64(..8_000))).await;
        }
        self.history
    }

    async fn read(&mut self) {
        let (key, slowness) = (self.random.u32(..KEYS), self.slowness());
        let source = self.source.clone();
        let began = now();
        let load = || load(source, key, slowness);
        let version = self.caching.get_or_load(key, load).await;
        self.saw(key, began, version);
    }

    async fn read_cached(&mut self) {
        let key = self.random.u32(..KEYS);
        let began = now();
        let version = self.caching.get(key).await;
        self.saw(key, began, version);
    }

    async fn read_many(&mut self) {
        let (keys, slowness) = (self.some_keys(), self.slowness());
        let source = self.source.clone();
        let load = move |key| load(source.clone(), key, slowness);
        let began = now();
        let versions = self.caching.get_or_load_many(&keys, load).await;
        for (key, version) in keys.into_iter().zip(versions) {
            self.saw(key, began, version);
        }
    }

    /// Changes its own key in the source, then in the cache.
    async fn change(&mut self) {
        let key = self.number;
        let version = self.versions[key as usize] + 1;
        let put = Put::new(source_key(key), version.to_string(), Ttl::from_secs(3_600));
        // Noted before the put: others may read the version as soon as it is stored, even if the answer is lost.
        self.note(key, now(), What::Changed(version));
        if self.source.put(&put).await.is_err() {
            return;
        }
        self.versions[key as usize] = version;
        sleep(self.slowness() / 4).await;
        let began = now();
        let is_acknowledged = match self.random.u8(..4) {
            0 => self.caching.insert(key, version).await,
            1 => self.caching.invalidate(&[key], Change::Expire).await[0],
            _ => self.caching.invalidate(&[key], Change::Remove).await[0],
        };
        if is_acknowledged {
            self.note(key, began, What::Invalidated(version));
        }
    }

    /// Invalidates keys that another task may be changing.
    async fn invalidate(&mut self) {
        let change = match self.random.u8(..12) {
            0..4 => Change::Remove,
            4..6 => Change::RemoveMany,
            6..9 => Change::Expire,
            9 => Change::RemoveTag,
            10 => Change::ExpireTag,
            _ => Change::Clear,
        };
        let keys = match change {
            Change::RemoveTag | Change::ExpireTag => {
                let tag = self.random.u32(..TAGS);
                (0..KEYS).filter(|key| key % TAGS == tag).collect()
            }
            Change::Clear => (0..KEYS).collect(),
            Change::Remove | Change::RemoveMany | Change::Expire => self.some_keys(),
        };
        let mut versions = Vec::new();
        for key in &keys {
            let Some(version) = read_source(&*self.source, *key).await else {
                return;
            };
            versions.push(version);
        }
        let began = now();
        let acknowledged = self.caching.invalidate(&keys, change).await;
        let done = keys.into_iter().zip(versions).zip(acknowledged);
        for ((key, version), _) in done.filter(|(_, is_acknowledged)| *is_acknowledged) {
            self.note(key, began, What::Invalidated(version));
        }
    }

    fn some_keys(&mut self) -> Vec<u32> {
        let (first, count) = (self.random.u32(..KEYS), self.random.u32(1..4));
        (first..first + count).map(|key| key % KEYS).collect()
    }

    /// How long a load takes after it has read the source: a query on its way back.
    fn slowness(&mut self) -> Duration {
        match self.random.u8(..4) {
            0 => Duration::from_millis(self.random.u64(5..80)),
            _ => Duration::from_micros(self.random.u64(..2_000)),
        }
    }

    fn saw(&mut self, key: u32, began: u64, version: Option<u64>) {
        if let Some(version) = version {
            self.note(key, began, What::Read(version));
        }
    }

    fn note(&mut self, key: u32, began: u64, what: What) {
        self.history.push(Event {
            process: self.process,
            key,
            began,
            ended: now(),
            what,
        });
    }
}

async fn load(source: Arc<dyn Store>, key: u32, slowness: Duration) -> Option<u64> {
    let version = read_source(&*source, key).await;
    sleep(slowness).await;
    version
}

/// Returns the version that the source has: 0 before the first.
async fn read_source(source: &dyn Store, key: u32) -> Option<u64> {
    match source.get(&source_key(key)).await.ok()? {
        Some(entry) => version_of(&entry),
        None => Some(0),
    }
}

fn source_key(key: u32) -> Key {
    Key::new(SOURCE, key)
}
