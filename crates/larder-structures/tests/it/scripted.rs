//! A store whose calls end as a test has written down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Programs};
use larder_store::wait::Waits;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Result,
    Store, Ttl,
};

/// How one `get`, `put` or program ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Well,
    /// It does nothing, and returns an error of this kind.
    Fails(ErrorKind),
    /// An earlier put that was the same arrives only now, just before this one.
    Late,
}

/// A store whose gets, puts and programs end as in a list, and well after its end.
struct Scripted {
    inner: Arc<dyn Store>,
    ends: Arc<Mutex<VecDeque<End>>>,
}

struct ScriptedPrograms {
    inner: Arc<dyn Programs>,
    ends: Arc<Mutex<VecDeque<End>>>,
}

/// Makes a store whose calls end as in `ends`.
pub(crate) fn scripted(inner: &Arc<dyn Store>, ends: &[End]) -> Arc<dyn Store> {
    Arc::new(Scripted {
        inner: inner.clone(),
        ends: Arc::new(Mutex::new(ends.iter().copied().collect())),
    })
}

fn next(ends: &Mutex<VecDeque<End>>) -> Result<End> {
    let end = ends.lock().unwrap().pop_front();
    match end.unwrap_or(End::Well) {
        End::Fails(kind) => Err(Error::new("a test", kind, "it is in the list")),
        end => Ok(end),
    }
}

#[async_trait]
impl Store for Scripted {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        next(&self.ends)?;
        self.inner.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        if matches!(next(&self.ends)?, End::Late) {
            assert_eq!(self.inner.put(put).await?, PutOutcome::Stored);
        }
        self.inner.put(put).await
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        self.inner.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.inner.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        self.inner.get_many(keys).await
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        self.inner.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        self.inner.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        self.inner.location()
    }

    fn programs(self: Arc<Self>) -> Option<Arc<dyn Programs>> {
        let (inner, ends) = (self.inner.clone().programs()?, self.ends.clone());
        Some(Arc::new(ScriptedPrograms { inner, ends }))
    }

    fn waits(self: Arc<Self>) -> Option<Arc<dyn Waits>> {
        self.inner.clone().waits()
    }
}

#[async_trait]
impl Programs for ScriptedPrograms {
    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        next(&self.ends)?;
        self.inner.call(key, call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        self.inner.call_many(calls).await
    }
}
