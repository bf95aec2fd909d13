use std::sync::Arc;
use std::time::Duration;

use larder_layer::StoreTimeout;
use larder_store::{
    Condition, Delete, Entry, Key, Put, Result, Store, Ttl, Version, count_poisoned,
};

use crate::key::RESPONSE;
use crate::metrics::Metrics;
use crate::record::Record;
use crate::view::View;

/// The store, with a deadline around every operation. A failure is counted, and is then as if there
/// were no store.
pub(crate) struct Far {
    store: Arc<dyn Store>,
    timeout: StoreTimeout,
    metrics: Arc<Metrics>,
    view: View,
}

/// The store gave no answer in time, or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// What the store holds under a key.
pub(crate) enum Held {
    Nothing,
    /// Bytes that cannot be read.
    Broken(Version),
    Record(Record, Version),
}

impl Far {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        deadline: Duration,
        metrics: Arc<Metrics>,
        view: View,
    ) -> Self {
        Self {
            view,
            store,
            timeout: StoreTimeout::new(deadline, None),
            metrics,
        }
    }

    /// The answer of the store, where a failure is counted.
    fn answered<T>(&self, answer: Result<T>) -> Result<T, Unavailable> {
        answer.map_err(|error| {
            self.metrics.store_failed();
            tracing::debug!(%error, "the store of the response cache failed");
            Unavailable
        })
    }

    pub(crate) async fn get(&self, key: &Key) -> Result<Held, Unavailable> {
        let Some(entry) = self.answered(self.timeout.get(&*self.store, key).await)? else {
            return Ok(Held::Nothing);
        };
        Ok(match Record::decode(&entry.value, key, &self.view) {
            Some(record) => Held::Record(record, entry.version),
            None => {
                count_poisoned(RESPONSE);
                Held::Broken(entry.version)
            }
        })
    }

    /// Writes a record; the version it has then, or nothing where the condition was not met.
    pub(crate) async fn put(
        &self,
        key: &Key,
        record: &Record,
        ttl: Ttl,
        condition: Condition,
    ) -> Result<Option<Version>, Unavailable> {
        let bytes = record.encode(key).ok_or(Unavailable)?;
        let put = Put::new(key.clone(), bytes, ttl).on(condition);
        let outcome = self.answered(self.timeout.put(&*self.store, &put).await)?;
        Ok(outcome.is_stored().then_some(put.version()))
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Writes a small value; the version it has then, or nothing where the condition was not met.
    pub(crate) async fn mark(
        &self,
        key: &Key,
        value: Vec<u8>,
        ttl: Ttl,
        condition: Condition,
    ) -> Result<Option<Version>, Unavailable> {
        let put = Put::new(key.clone(), value, ttl).on(condition);
        let outcome = self.answered(self.timeout.put(&*self.store, &put).await)?;
        Ok(outcome.is_stored().then_some(put.version()))
    }

    /// What each key holds, undecoded; an error where that of one of them is not known.
    pub(crate) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>, Unavailable> {
        let answers = async { Ok(self.store.get_many(keys).await) };
        let answers = self.answered(self.timeout.run("get many", answers).await)?;
        let mut held = Vec::with_capacity(answers.len());
        for answer in answers {
            held.push(answer.map_err(|_| {
                self.metrics.store_failed();
                Unavailable
            })?);
        }
        Ok(held)
    }

    pub(crate) async fn remove(&self, key: Key) -> Result<(), Unavailable> {
        let delete = Delete::new(key);
        self.answered(self.timeout.delete(&*self.store, &delete).await)
            .map(drop)
    }
}
