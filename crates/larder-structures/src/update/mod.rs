//! A bounded loop that changes a value conditionally, by its version.

mod error;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{
    Condition, Delete, DeleteOutcome, Entry, Error, ErrorKind, Key, Put, PutOutcome, Result, Store,
    Ttl, Version,
};

pub use error::UpdateError;

/// Changes values by a function of their old state, without overwriting other changes.
///
/// It reads the value, calls the function with it, and writes the result on the condition that the value
/// still has the version that was read. If not, it waits a random while and begins again. A version is never
/// reused, so a value that was changed and changed back counts as changed.
///
/// It works on any value of the store, under [`Kind::evictable`](larder_store::Kind::evictable) or
/// [`Kind::pinned`](larder_store::Kind::pinned), together with other code that reads it and writes it with
/// [`Put`]. Clones are cheap and share the store.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Key, Kind, Store, Ttl};
/// use larder_structures::update::{Next, UpdateError, Updates};
///
/// const MOTTO: Kind = Kind::pinned("motto");
///
/// async fn sign(store: Arc<dyn Store>, name: &str) -> Result<usize, UpdateError> {
///     let updates = Updates::new(store);
///     updates
///         .update(&Key::new(MOTTO, "guests"), |names| {
///             let mut names = names.map(|names| names.to_vec()).unwrap_or_default();
///             names.extend_from_slice(name.as_bytes());
///             names.push(b'\n');
///             let length = names.len();
///             Next::put(names, Ttl::from_secs(86_400), length)
///         })
///         .await
/// }
/// ```
#[derive(Clone)]
pub struct Updates {
    store: Arc<dyn Store>,
    max_attempts: u32,
}

/// The new state of a value, and the result of [`Updates::update`]. `Debug` does not show the value.
#[derive(Clone)]
pub enum Next<T> {
    /// The value is written, with a new TTL.
    Put(Bytes, Ttl, T),
    /// The value is removed.
    Remove(T),
    /// The value stays unchanged. Where a store may read copies, an older value may have decided this, unless its
    /// kind has [consistent reads](larder_store::Kind::with_consistent_reads).
    Keep(T),
}

impl<T> Next<T> {
    /// Writes a value, and returns `returned` once it is written.
    pub fn put(value: impl Into<Bytes>, ttl: Ttl, returned: T) -> Self {
        Self::Put(value.into(), ttl, returned)
    }
}

impl<T: fmt::Debug> fmt::Debug for Next<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(_, ttl, returned) => f
                .debug_struct("Put")
                .field("ttl", ttl)
                .field("returned", returned)
                .finish_non_exhaustive(),
            Self::Remove(returned) => f.debug_tuple("Remove").field(returned).finish(),
            Self::Keep(returned) => f.debug_tuple("Keep").field(returned).finish(),
        }
    }
}

/// Half of the maximum wait before the second attempt. The maximum doubles with each attempt, up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(1);
const MAX_WAIT: Duration = Duration::from_millis(32);

impl Updates {
    /// Makes an updater of values of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            max_attempts: 16,
        }
    }

    /// Gives up after this many attempts, at least 1. The default is 16: with the waits between them they
    /// take at most 400 ms plus the time of the store.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Changes the value of `key` by `next`, which gets the current value, or None if there is none.
    ///
    /// `next` may run several times, so it should only compute. It takes two round trips for each attempt,
    /// or one if the value stays unchanged; three to remove a value that is not there.
    ///
    /// Over [shards](larder_store::Sharded) an evictable value reads as absent while its server is lost. If the server
    /// is lost just before the last of the three round trips of a removal, the value stays although its removal is
    /// reported. Where that matters, delete it without a condition.
    ///
    /// # Errors
    /// [`UpdateError::Contended`] if other writers changed the value in each attempt: nothing was written.
    /// [`UpdateError::Store`] for an error of the store; if the value could not be read, it is never
    /// [`ErrorKind::MayHaveRun`]: nothing was written. The lost reply of a write is settled by reading the version back.
    /// If that cannot tell, because others wrote in between or there is no value, the error is
    /// [`ErrorKind::MayHaveRun`], for example after the lost reply of a removal that was carried out.
    ///
    /// # Cancellation
    /// The value may or may not have been changed, whole.
    pub async fn update<T>(
        &self,
        key: &Key,
        mut next: impl FnMut(Option<&Bytes>) -> Next<T>,
    ) -> Result<T, UpdateError> {
        for attempt in 0..self.max_attempts {
            if attempt > 0 {
                tokio::time::sleep(wait(attempt)).await;
            }
            let held = self.store.get(key).await.map_err(before_a_write)?;
            let (write, returned) = match next(held.as_ref().map(|entry| &entry.value)) {
                Next::Keep(returned) => return Ok(returned),
                Next::Remove(returned) if held.is_none() => {
                    match self.is_absent(key).await.map_err(before_a_write)? {
                        true => return Ok(returned),
                        false => continue,
                    }
                }
                Next::Remove(returned) => (Write::delete(key, &held), returned),
                Next::Put(value, ttl, returned) => (Write::put(key, value, ttl, &held), returned),
            };
            if self
                .write(key, &write, held.map(|entry| entry.version))
                .await?
            {
                return Ok(returned);
            }
        }
        Err(UpdateError::Contended {
            attempts: self.max_attempts,
        })
    }

    /// Returns whether a key that reads as absent really is.
    ///
    /// A copy may not have it yet, and over [shards](larder_store::Sharded) an evictable key of a lost server reads as
    /// absent. A write is never made to a copy, and fails if the server is lost: so after one that changes nothing the
    /// server itself is read, unless it is lost in between.
    async fn is_absent(&self, key: &Key) -> Result<bool> {
        let nothing = Delete::new(key.clone()).if_version(Version::random());
        let _ = self.store.delete(&nothing).await?;
        Ok(self.store.get(key).await?.is_none())
    }

    /// Carries out a write once, and returns whether its condition was met.
    ///
    /// A write whose reply was lost is found again by its version. While the old value is still there, it
    /// is sent again: it is the same write, and its condition lets only one of the two happen.
    async fn write(&self, key: &Key, write: &Write, before: Option<Version>) -> Result<bool> {
        let mut lost = None;
        for _ in 0..SENT {
            match (write.send(&*self.store).await, lost.take()) {
                (Err(error), _) if error.kind() == ErrorKind::MayHaveRun => {
                    let now = self.store.get(key).await.ok().map(|entry| version(&entry));
                    match now {
                        Some(now) if now.is_some() && now == write.version() => return Ok(true),
                        // It has not been executed so far.
                        Some(now) if now.is_some() && now == before => lost = Some(error),
                        _ => return Err(error),
                    }
                }
                (Ok(true), _) => return Ok(true),
                (Ok(false), None) => return Ok(false),
                // Either the first of the two writes was executed late, or somebody else was faster.
                (Ok(false), Some(error)) => {
                    // If that cannot be looked up, the first error says what may have happened.
                    let held = self.store.get(key).await.unwrap_or_default();
                    let now = version(&held);
                    return match now.is_some() && now == write.version() {
                        true => Ok(true),
                        false => Err(error),
                    };
                }
                (Err(error), None) => return Err(error),
                (Err(_), Some(error)) => return Err(error),
            }
        }
        lost.map_or(Ok(false), Err)
    }
}

/// The maximum number of times that one write is sent.
const SENT: usize = 3;

enum Write {
    Put(Put),
    Delete(Delete),
}

impl Write {
    fn put(key: &Key, value: Bytes, ttl: Ttl, held: &Option<Entry>) -> Self {
        Self::Put(Put::new(key.clone(), value, ttl).on(unchanged(held)))
    }

    fn delete(key: &Key, held: &Option<Entry>) -> Self {
        Self::Delete(Delete::new(key.clone()).on(unchanged(held)))
    }

    /// Returns the version that the key has once the write is carried out.
    fn version(&self) -> Option<Version> {
        match self {
            Self::Put(put) => Some(put.version()),
            Self::Delete(_) => None,
        }
    }

    async fn send(&self, store: &dyn Store) -> Result<bool> {
        match self {
            Self::Put(put) => Ok(store.put(put).await? == PutOutcome::Stored),
            Self::Delete(delete) => Ok(store.delete(delete).await? == DeleteOutcome::Deleted),
        }
    }
}

fn unchanged(held: &Option<Entry>) -> Condition {
    version(held).map_or(Condition::IfAbsent, Condition::IfVersion)
}

fn version(entry: &Option<Entry>) -> Option<Version> {
    entry.as_ref().map(|entry| entry.version)
}

/// Returns the error of a call that comes before the write: no write is under way.
fn before_a_write(error: Error) -> Error {
    if error.kind() != ErrorKind::MayHaveRun {
        return error;
    }
    let text = "the value could not be read, so nothing was written";
    Error::new("update", ErrorKind::NotSent, text).with_source(error)
}

/// Returns a random wait, so that writers that collided do not collide again.
fn wait(attempt: u32) -> Duration {
    let longest = FIRST_WAIT * (1 << attempt.min(8));
    longest.min(MAX_WAIT).mul_f64(rand::random())
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates")
            .field("store", &self.store.location())
            .field("max_attempts", &self.max_attempts)
            .finish()
    }
}
