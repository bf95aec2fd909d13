//! A store that holds or refuses an operation on command, and evicts on command.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use larder_store::{
    Delete, DeleteOutcome, Entry, Error, ErrorKind, ExpireOutcome, Key, Put, PutOutcome, Result,
    Store, Ttl,
};
use tokio::sync::oneshot;

use crate::fixture::{settle, until};

/// Forwards to `inner`, and waits before an operation that is held. `put done` is the end of a `put`.
pub(crate) struct Gate {
    inner: Arc<dyn Store>,
    control: Control,
}

/// Controls a [`Gate`].
#[derive(Clone, Default)]
pub(crate) struct Control {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    written: HashSet<Key>,
    operations: Vec<(&'static str, Vec<Key>)>,
    underway: usize,
    hold: Option<Hold>,
    failing: Option<(Operation, ErrorKind)>,
}

struct Hold {
    operation: Operation,
    arrived: oneshot::Sender<()>,
    release: oneshot::Receiver<()>,
}

/// An operation that has begun and not ended.
struct Underway(Control);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().underway -= 1;
    }
}

/// The name of an operation, and a prefix of its keys.
pub(crate) type Operation = (&'static str, &'static str);

/// An operation that is held.
pub(crate) struct Held {
    arrived: oneshot::Receiver<()>,
    release: oneshot::Sender<()>,
}

/// Returns whether an operation has this name, and one of its keys the prefix.
fn is_of((wanted, prefix): Operation, name: &str, keys: &[Key]) -> bool {
    wanted == name && keys.iter().any(|key| key.as_str().starts_with(prefix))
}

impl Gate {
    pub(crate) fn new(inner: Arc<dyn Store>) -> (Self, Control) {
        let control = Control::default();
        let gate = Self {
            inner,
            control: control.clone(),
        };
        (gate, control)
    }

    /// Waits while this operation is held. The operation is underway until the result is dropped.
    async fn pass<'a>(
        &self,
        name: &'static str,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> Underway {
        let underway = Underway(self.control.clone());
        let hold = {
            let mut state = self.control.state.lock().unwrap();
            state.underway += 1;
            let keys: Vec<_> = keys.into_iter().cloned().collect();
            let is_held = state.hold.as_ref();
            let is_held = is_held.is_some_and(|hold| is_of(hold.operation, name, &keys));
            if name == "put" {
                state.written.extend(keys.iter().cloned());
            }
            state.operations.push((name, keys));
            if is_held { state.hold.take() } else { None }
        };
        if let Some(hold) = hold {
            let _ = hold.arrived.send(());
            let _ = hold.release.await;
        }
        underway
    }

    /// Returns the error of this operation if it fails.
    fn check(&self, name: &str, key: &Key) -> Result<()> {
        match self.control.state.lock().unwrap().failing {
            Some(((operation, prefix), kind))
                if operation == name && key.as_str().starts_with(prefix) =>
            {
                Err(Error::new("test", kind, "a test asked for this"))
            }
            _ => Ok(()),
        }
    }
}

impl Control {
    /// Lets such operations fail from now on.
    pub(crate) fn fail(&self, operation: Operation, kind: ErrorKind) {
        self.state.lock().unwrap().failing = Some((operation, kind));
    }

    /// Lets all operations work again.
    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().failing = None;
    }

    /// Holds the next such operation.
    pub(crate) fn hold(&self, operation: Operation) -> Held {
        let ((arrive, arrived), (open, release)) = (oneshot::channel(), oneshot::channel());
        self.state.lock().unwrap().hold = Some(Hold {
            operation,
            arrived: arrive,
            release,
        });
        Held {
            arrived,
            release: open,
        }
    }

    /// Returns the number of operations so far that can be held.
    pub(crate) fn operations(&self) -> usize {
        self.state.lock().unwrap().operations.len()
    }

    /// Returns the number of such operations so far.
    pub(crate) fn count(&self, operation: Operation) -> usize {
        let state = self.state.lock().unwrap();
        let all = state.operations.iter();
        all.filter(|(name, keys)| is_of(operation, name, keys))
            .count()
    }

    /// Waits until no operation is underway and each task has run that could: whoever waits now does not wait
    /// for the store. Needs a runtime with one thread.
    pub(crate) async fn idle(&self) {
        // An operation is underway until its task has gone on to what it waits for next.
        settle().await;
        until(|| self.state.lock().unwrap().underway == 0).await;
    }

    /// Returns every key that was written.
    pub(crate) fn written(&self) -> Vec<Key> {
        let state = self.state.lock().unwrap();
        state.written.iter().cloned().collect()
    }

    /// Removes every key that was written, as a full store may.
    pub(crate) async fn evict_all(&self, store: &dyn Store) {
        let written = std::mem::take(&mut self.state.lock().unwrap().written);
        for key in written {
            let _ = store.delete(&Delete::new(key)).await.unwrap();
        }
    }
}

impl Held {
    /// Waits until the operation is held. Returns false if it never will be.
    pub(crate) async fn arrived(&mut self) -> bool {
        (&mut self.arrived).await.is_ok()
    }

    pub(crate) fn release(self) {
        let _ = self.release.send(());
    }
}

#[async_trait]
impl Store for Gate {
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let _underway = self.pass("get", [key]).await;
        self.check("get", key)?;
        self.inner.get(key).await
    }

    async fn put(&self, put: &Put) -> Result<PutOutcome> {
        let _underway = self.pass("put", [put.key()]).await;
        self.check("put", put.key())?;
        let outcome = self.inner.put(put).await;
        let _underway = self.pass("put done", [put.key()]).await;
        outcome
    }

    async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> {
        let _underway = self.pass("delete", [delete.key()]).await;
        self.inner.delete(delete).await
    }

    async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.inner.expire(key, ttl).await
    }

    async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> {
        self.inner.ttl(key).await
    }

    async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let _underway = self.pass("get_many", keys).await;
        let mut answers = self.inner.get_many(keys).await;
        for (key, answer) in keys.iter().zip(&mut answers) {
            if let Err(error) = self.check("get_many", key) {
                *answer = Err(error);
            }
        }
        answers
    }

    async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> {
        let _underway = self.pass("put", puts.iter().map(Put::key)).await;
        self.inner.put_many(puts).await
    }

    async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> {
        let _underway = self
            .pass("delete_many", deletes.iter().map(Delete::key))
            .await;
        self.inner.delete_many(deletes).await
    }

    fn location(&self) -> &str {
        "gate"
    }
}
