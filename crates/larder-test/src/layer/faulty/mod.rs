//! A store that fails, hangs, slows down or lies on demand.

mod bus;
mod leases;
mod lie;
mod programs;
mod scan;
mod store;
mod switch;
mod waits;

use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;

use larder_store::{Error, ErrorKind, Result};

pub use lie::Lie;
pub use switch::{Operations, Switch, Trouble};

/// A store that works like `S`, until its [`Switch`] sets a fault.
///
/// Use it to test a layer on a store: what it answers while the store is down, how long it waits, and
/// whether it detects wrong values. Programs have the same faults as the other operations, except
/// [`Trouble::Lie`], because their answers are typed.
///
/// During a fault the synchronous forms are pending, so that the asynchronous ones have the fault.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use larder_store::{ErrorKind, Key, Kind, Put, Store, Ttl};
/// use larder_test::ModelStore;
/// use larder_test::faulty::{Faulty, Lie, Trouble};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// const FILM: Kind = Kind::evictable("film");
/// let store = Faulty::new(Arc::new(ModelStore::new()));
/// let switch = store.switch();
/// let put = Put::new(Key::new(FILM, 7_u32), "a long night", Ttl::from_secs(60));
///
/// // The answer is lost, though the put is carried out.
/// switch.set_next(1, Trouble::LoseAnswer);
/// let lost = store.put(&put).await.unwrap_err();
/// assert_eq!(lost.kind(), ErrorKind::MayHaveRun);
/// assert!(store.get(put.key()).await?.is_some());
///
/// switch.set(Trouble::Lie(Lie::Garbage));
/// assert_ne!(store.get(put.key()).await?.map(|entry| entry.value), Some(put.value().clone()));
///
/// switch.clear();
/// assert_eq!(store.get(put.key()).await?.map(|entry| entry.value), Some(put.value().clone()));
/// # Ok::<(), larder_store::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Faulty<S: ?Sized> {
    switch: Switch,
    inner: Arc<S>,
}

impl<S: ?Sized> Faulty<S> {
    /// Wraps `inner`, without any fault yet.
    pub fn new(inner: Arc<S>) -> Self {
        Self {
            switch: Switch::default(),
            inner,
        }
    }

    /// Returns the switch that sets the faults.
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

impl<S: ?Sized> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&self.switch).finish()
    }
}

/// Carries out `operation` with `trouble`. The caller applies a lie to the answer.
async fn meet<T>(
    trouble: Option<Trouble>,
    name: &'static str,
    operation: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    match trouble {
        None | Some(Trouble::Lie(_)) => operation.await,
        Some(Trouble::Fail(kind)) => Err(asked_for(name, kind)),
        Some(Trouble::LoseAnswer) => {
            operation.await?;
            Err(asked_for(name, ErrorKind::MayHaveRun))
        }
        Some(Trouble::Hang) => pending().await,
        Some(Trouble::HangAfterwards) => {
            // The answer is lost, even if it is an error.
            let _ = operation.await;
            pending().await
        }
        Some(Trouble::Delay(by)) => {
            tokio::time::sleep(by).await;
            operation.await
        }
    }
}

/// Does the same as [`meet`] for an operation on several items, which all have the same trouble.
async fn meet_many<T>(
    trouble: Option<Trouble>,
    name: &'static str,
    count: usize,
    operation: impl Future<Output = Vec<Result<T>>> + Send,
) -> Vec<Result<T>>
where
    T: Send,
{
    match meet(trouble, name, async { Ok(operation.await) }).await {
        Ok(answers) => answers,
        Err(error) => (0..count)
            .map(|_| Err(asked_for(name, error.kind())))
            .collect(),
    }
}

fn asked_for(name: &'static str, kind: ErrorKind) -> Error {
    Error::new(name, kind, "a test asked for this")
}

#[cfg(test)]
mod tests;
