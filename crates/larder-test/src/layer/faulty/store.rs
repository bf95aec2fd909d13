use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::lease::Leases;
use larder_store::program::Programs;
use larder_store::scan::Scan;
use larder_store::wait::Waits;
use larder_store::{
    Delete, DeleteOutcome, Entry, ExpireOutcome, Key, Put, PutOutcome, Result, Store, Ttl,
};

use super::bus::FaultyBus;
use super::leases::FaultyLeases;
use super::programs::FaultyPrograms;
use super::scan::FaultyScan;
use super::waits::FaultyWaits;
use super::{Faulty, Operations, Trouble, meet, meet_many};

#[async_trait]
impl<S: Store + ?Sized> Store for Faulty<S> {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let trouble = self.switch.begin(Operations::Reads);
        let held = meet(trouble.clone(), "get", self.inner.get(key)).await?;
        match trouble {
            Some(Trouble::Lie(lie)) => lie.about(&*self.inner, held).await,
            _ => Ok(held),
        }
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        let trouble = self.switch.begin(Operations::Writes);
        meet(trouble, "put", self.inner.put(put)).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        let trouble = self.switch.begin(Operations::Writes);
        meet(trouble, "delete", self.inner.delete(delete)).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        let trouble = self.switch.begin(Operations::Writes);
        meet(trouble, "expire", self.inner.expire(key, ttl)).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        let trouble = self.switch.begin(Operations::Reads);
        meet(trouble, "ttl", self.inner.ttl(key)).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let trouble = self.switch.begin(Operations::Reads);
        let read = self.inner.get_many(keys);
        let mut answers = meet_many(trouble.clone(), "get", keys.len(), read).await;
        if let Some(Trouble::Lie(lie)) = trouble {
            for answer in &mut answers {
                if let Ok(held) = answer {
                    *answer = lie.about(&*self.inner, held.take()).await;
                }
            }
        }
        answers
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let trouble = self.switch.begin(Operations::Writes);
        meet_many(trouble, "put", puts.len(), self.inner.put_many(puts)).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let trouble = self.switch.begin(Operations::Writes);
        let removed = self.inner.delete_many(deletes);
        meet_many(trouble, "delete", deletes.len(), removed).await
    }

    fn location(&self) -> &str {
        self.inner.location()
    }

    fn get_now(&self, key: &Key) -> Poll<Result<Option<Entry>>> {
        self.at_once(Operations::Reads, |inner| inner.get_now(key))
    }

    fn put_now(&self, put: &Put) -> Poll<Result<PutOutcome>> {
        self.at_once(Operations::Writes, |inner| inner.put_now(put))
    }

    fn delete_now(&self, delete: &Delete) -> Poll<Result<DeleteOutcome>> {
        self.at_once(Operations::Writes, |inner| inner.delete_now(delete))
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        let inner = self.inner.clone().programs()?;
        let switch = self.switch();
        Some(Arc::new(FaultyPrograms { switch, inner }))
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        let inner = self.inner.clone().waits()?;
        let switch = self.switch();
        Some(Arc::new(FaultyWaits { switch, inner }))
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        let inner = self.inner.clone().bus()?;
        let switch = self.switch();
        Some(Arc::new(FaultyBus { switch, inner }))
    }

    fn leases(self: Arc<Self>) -> Option<Arc<dyn Leases>> {
        let inner = self.inner.clone().leases()?;
        Some(Arc::new(FaultyLeases { store: self, inner }))
    }

    fn scan(self: Arc<Self>) -> Option<Arc<dyn Scan>> {
        let inner = self.inner.clone().scan()?;
        let switch = self.switch();
        Some(Arc::new(FaultyScan { switch, inner }))
    }
}

impl<S: Store + ?Sized> Faulty<S> {
    fn at_once<T>(&self, on: Operations, run: impl FnOnce(&S) -> Poll<T>) -> Poll<T> {
        if !self.switch.is_quiet(on) {
            return Poll::Pending;
        }
        let answer = run(&self.inner);
        if answer.is_ready() {
            self.switch.count();
        }
        answer
    }
}
