//! Values in a map of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use larder_store::{
    Clock, Content, DEFAULT_MAX_VALUE, Delete, DeleteOutcome, Entry, Error, ErrorKind,
    ExpireOutcome, Key, Put, PutOutcome, Refusal, Result, Store, Timestamp, Ttl, Version,
};

/// The maximum number of keys.
const MAX_KEYS: usize = 100_000;

/// A store of values that offers nothing else.
pub struct MapStore<C> {
    clock: C,
    map: Mutex<Map>,
}

#[derive(Default)]
struct Map {
    held: HashMap<Key, Held>,
    /// The number of keys at which expired keys are freed.
    full: usize,
}

struct Held {
    entry: Entry,
    deadline: Timestamp,
}

impl<C: Clock> MapStore<C> {
    /// Makes an empty store that reads its time from `clock`.
    pub fn new(clock: C) -> Self {
        let map = Mutex::default();
        Self { clock, map }
    }

    /// Returns the number of keys, including expired ones that were not freed yet.
    pub fn held_keys(&self) -> usize {
        self.with_map(|map, _| map.held.len())
    }

    fn with_map<T>(&self, work: impl FnOnce(&mut Map, Timestamp) -> T) -> T {
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut map, self.clock.now())
    }

    fn read(&self, key: &Key) -> Result<Option<Entry>> {
        key.require(Content::Value, "get")?;
        Ok(self.with_map(|map, now| map.live(key, now).map(|held| held.entry.clone())))
    }

    fn write(&self, put: &Put) -> Result<PutOutcome> {
        put.key().require(Content::Value, "put")?;
        if put.value().len() > DEFAULT_MAX_VALUE {
            let detail = format!("a value has at most {DEFAULT_MAX_VALUE} bytes");
            return Err(Error::new("put", ErrorKind::TooLarge, detail));
        }
        self.with_map(|map, now| {
            let version = map.version(put.key(), now);
            if !put.condition().is_met_by(version) {
                return Ok(PutOutcome::NotStored);
            }
            map.make_room(put.key(), now)?;
            let held = Held {
                entry: Entry {
                    value: put.value().clone(),
                    version: put.version(),
                },
                deadline: now.plus_micros(put.ttl().as_micros()),
            };
            map.held.insert(put.key().clone(), held);
            Ok(PutOutcome::Stored)
        })
    }

    fn remove(&self, delete: &Delete) -> Result<DeleteOutcome> {
        delete.key().require(Content::Value, "delete")?;
        Ok(self.with_map(|map, now| {
            let version = map.version(delete.key(), now);
            let met = version.is_some() && delete.condition().is_met_by(version);
            if met {
                map.held.remove(delete.key());
            }
            met.into()
        }))
    }
}

impl Map {
    fn live(&mut self, key: &Key, now: Timestamp) -> Option<&mut Held> {
        self.held.get_mut(key).filter(|held| now < held.deadline)
    }

    fn version(&mut self, key: &Key, now: Timestamp) -> Option<Version> {
        self.live(key, now).map(|held| held.entry.version)
    }

    /// Frees expired keys each time the number of keys has doubled, so that a write costs little.
    fn make_room(&mut self, key: &Key, now: Timestamp) -> Result<()> {
        if self.held.len() >= self.full {
            self.held.retain(|_, held| now < held.deadline);
            self.full = (2 * self.held.len()).clamp(32, MAX_KEYS);
        }
        if self.held.len() >= MAX_KEYS && !self.held.contains_key(key) {
            let detail = format!("the store holds {MAX_KEYS} keys");
            return Err(Error::new("put", ErrorKind::Refused(Refusal::Full), detail));
        }
        Ok(())
    }
}

#[async_trait]
impl<C: Clock> Store for MapStore<C> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.read(key)
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.write(put)
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.remove(delete)
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        key.require(Content::Value, "expire")?;
        Ok(self.with_map(|map, now| match map.live(key, now) {
            Some(held) => {
                held.deadline = now.plus_micros(ttl.as_micros());
                ExpireOutcome::TtlSet
            }
            None => ExpireOutcome::NotFound,
        }))
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        key.require(Content::Value, "ttl")?;
        Ok(self.with_map(|map, now| {
            let held = map.live(key, now)?;
            let left = held.deadline.as_micros() - now.as_micros();
            Some(Ttl::covering_micros(left))
        }))
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        keys.iter().map(|key| self.read(key)).collect()
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        puts.iter().map(|put| self.write(put)).collect()
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        deletes.iter().map(|delete| self.remove(delete)).collect()
    }

    fn location(&self) -> &str {
        "map://"
    }

    // It never waits, so it answers at once.
    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        Poll::Ready(self.read(key))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        Poll::Ready(self.write(put))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        Poll::Ready(self.remove(delete))
    }
}
