use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::lease::Leases;
use larder_store::program::Programs;
use larder_store::scan::Scan;
use larder_store::wait::Waits;
use larder_store::{
    Content, DEFAULT_MAX_VALUE, Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key,
    Put, PutOutcome, Result, Store, Ttl, Version,
};

use super::{Held, ModelStore, Stored, deadline};

impl ModelStore {
    pub(super) fn read(&self, key: &Key) -> Result<Option<Entry>> {
        key.require(Content::Value, "get")?;
        Ok(self.with_slot(key, |slot, _| slot.as_ref().and_then(Held::entry).cloned()))
    }

    pub(super) fn write(&self, put: &Put) -> Result<PutOutcome> {
        put.key().require(Content::Value, "put")?;
        check_size("put", put)?;
        self.with_slot(put.key(), |slot, now| {
            let met = put.condition().is_met_by(version(slot));
            if met {
                *slot = Some(Held {
                    content: Stored::Value(Entry {
                        value: put.value().clone(),
                        version: put.version(),
                    }),
                    deadline: deadline(now, put.ttl()),
                });
            }
            Ok(met.into())
        })
    }

    pub(super) fn remove(&self, delete: &Delete) -> Result<DeleteOutcome> {
        delete.key().require(Content::Value, "delete")?;
        self.with_slot(delete.key(), |slot, _| {
            let held = version(slot);
            let met = held.is_some() && delete.condition().is_met_by(held);
            if met {
                *slot = None;
            }
            Ok(met.into())
        })
    }

    fn set_ttl(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        key.require(Content::Value, "expire")?;
        self.with_slot(key, |slot, now| {
            let Some(held) = slot else {
                return Ok(ExpireOutcome::NotFound);
            };
            held.deadline = deadline(now, ttl);
            Ok(ExpireOutcome::TtlSet)
        })
    }

    fn time_left(&self, key: &Key) -> Result<Option<Ttl>> {
        key.require(Content::Value, "ttl")?;
        self.with_slot(key, |slot, now| {
            Ok(slot
                .as_ref()
                .map(|held| Ttl::covering_micros(held.deadline.as_micros() - now.as_micros())))
        })
    }
}

/// Refuses a value over the default limit of a store.
pub(super) fn check_size(operation: &'static str, put: &Put) -> Result<()> {
    if put.value().len() <= DEFAULT_MAX_VALUE {
        return Ok(());
    }
    let text = format!("a value is at most {DEFAULT_MAX_VALUE} bytes");
    Err(Error::new(operation, ErrorKind::TooLarge, text))
}

fn version(slot: &Option<Held>) -> Option<Version> {
    Some(slot.as_ref()?.entry()?.version)
}

#[async_trait]
impl Store for ModelStore {
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
        self.set_ttl(key, ttl)
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.time_left(key)
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
        "model://"
    }

    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        Poll::Ready(self.read(key))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        Poll::Ready(self.write(put))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        Poll::Ready(self.remove(delete))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        Some(self)
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        Some(self)
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        Some(self)
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        Some(self)
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        Some(self)
    }
}
