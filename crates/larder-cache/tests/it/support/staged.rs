use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use larder_store::bus::Bus;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, ManualClock, Put,
    PutOutcome, Result, Store, Ttl,
};
use larder_test::ModelStore;

use super::Gate;

/// The model store, which counts each operation and can delay or fail it.
pub(crate) struct Staged {
    pub(crate) model: ModelStore,
    acts: Mutex<HashMap<Operation, Act>>,
    counts: Mutex<HashMap<Operation, usize>>,
    bus: Option<Arc<dyn Bus>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Get,
    Put,
    Delete,
}

/// What a test does to an operation.
#[derive(Clone)]
pub(crate) enum Act {
    /// It fails without reaching the store.
    Fail,
    /// It never ends.
    Hang,
    /// It waits at a gate, and then runs.
    HoldBefore(Gate),
    /// It runs, and its answer waits at a gate.
    HoldAfter(Gate),
    /// It is pending once, runs, and its answer is pending once.
    YieldAround,
}

impl Staged {
    pub(crate) fn new(clock: &ManualClock) -> Self {
        Self {
            model: ModelStore::with_clock(clock.clone()),
            acts: Mutex::default(),
            counts: Mutex::default(),
            bus: None,
        }
    }

    /// Returns the store with a bus.
    pub(crate) fn with_bus(mut self, bus: Arc<dyn Bus>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// Applies `act` to each `operation` from now on.
    pub(crate) fn stage(&self, operation: Operation, act: Act) {
        self.acts.lock().unwrap().insert(operation, act);
    }

    /// Returns how often `operation` began.
    pub(crate) fn count(&self, operation: Operation) -> usize {
        let counts = self.counts.lock().unwrap();
        counts.get(&operation).copied().unwrap_or(0)
    }

    async fn act<T>(
        &self,
        operation: Operation,
        does: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        *self.counts.lock().unwrap().entry(operation).or_default() += 1;
        let act = self.acts.lock().unwrap().get(&operation).cloned();
        match act {
            None => does.await,
            Some(Act::Fail) => Err(Error::new("staged", ErrorKind::NotSent, "as staged")),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::HoldBefore(gate)) => {
                gate.pass().await;
                does.await
            }
            Some(Act::HoldAfter(gate)) => {
                let done = does.await;
                gate.pass().await;
                done
            }
            Some(Act::YieldAround) => {
                tokio::task::yield_now().await;
                let done = does.await;
                tokio::task::yield_now().await;
                done
            }
        }
    }
}

#[async_trait]
impl Store for Staged {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.act(Operation::Get, self.model.get(key)).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        self.act(Operation::Put, self.model.put(put)).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.act(Operation::Delete, self.model.delete(delete)).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.model.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.model.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.model.get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.model.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.model.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        "staged://"
    }

    fn bus(self: Arc<Self>) -> Option<Arc<dyn Bus>> {
        self.bus.clone()
    }
}
