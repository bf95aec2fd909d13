//! Values that a stale holder of a lock cannot overwrite.

mod record;
#[cfg(test)]
mod traces;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::lease::Fence;
use larder_store::program::{Programs, Record};
use larder_store::{DEFAULT_MAX_VALUE, Error, ErrorKind, Key, KeyId, Result, Store, StoreExt, Ttl};

pub use record::{FencedValue, InspectFenced};
use record::{GetFenced, PutFenced};

/// How long the newest fence is remembered: one day.
pub const DEFAULT_FENCE_MEMORY: Ttl = Ttl::from_secs(24 * 3600);

/// Values that refuse a write whose fence is older than the newest they have seen.
///
/// It is the other half of a [`Lock`](crate::lock::Lock): a holder that was stopped, and continues after
/// another holder has taken over, writes with an older fence and is refused.
///
/// The newest fence is remembered for as long as the value lives, and for at least
/// [`with_fence_memory`](Self::with_fence_memory): choose it longer than a holder may be stopped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> larder_store::Result<()> {
/// use std::sync::Arc;
/// use larder_store::{Ttl, lease::Fence};
/// use larder_structures::fenced::{Fenced, FencedPut};
/// # use larder_moka::MokaStore;
///
/// # let store = Arc::new(MokaStore::new());
/// let reports = Fenced::new(store)?;
/// let (old, new) = (Fence::from_u64(7), Fence::from_u64(8));
/// let hour = Ttl::from_secs(3600);
/// assert_eq!(reports.put("today", new, "ready", hour).await?, FencedPut::Written);
/// assert_eq!(reports.put("today", old, "stale", hour).await?, FencedPut::Stale { newest: new });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fenced {
    programs: Arc<dyn Programs>,
    memory: Ttl,
}

/// The result of a fenced write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale write was refused"]
pub enum FencedPut {
    /// It was written.
    Written,
    /// A newer fence has written before. Nothing was changed.
    Stale {
        /// The newest fence.
        newest: Fence,
    },
}

impl Fenced {
    /// Makes fenced values on `store`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the store runs no programs.
    pub fn new(store: Arc<dyn Store>) -> Result<Self> {
        Ok(Self {
            programs: store.require_programs("a fenced value")?,
            memory: DEFAULT_FENCE_MEMORY,
        })
    }

    /// Sets the minimum time for which the newest fence is remembered. The default is
    /// [`DEFAULT_FENCE_MEMORY`].
    #[must_use]
    pub fn with_fence_memory(mut self, memory: Ttl) -> Self {
        self.memory = memory;
        self
    }

    /// Writes the value of `id`, unless a newer fence has already written it. One round trip.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] past [`DEFAULT_MAX_VALUE`], and [`ErrorKind::Invalid`] for a fence past 2^53;
    /// otherwise those of [`Programs::run`](larder_store::program::Programs#method.run). After
    /// [`ErrorKind::MayHaveRun`] repeat the call: the fence decides.
    ///
    /// # Cancellation
    /// A dropped call may or may not have written.
    pub async fn put(
        &self,
        id: impl KeyId,
        fence: Fence,
        value: impl Into<Bytes>,
        ttl: Ttl,
    ) -> Result<FencedPut> {
        let value = value.into();
        if value.len() > DEFAULT_MAX_VALUE {
            let text = format!("a fenced value is at most {DEFAULT_MAX_VALUE} bytes");
            return Err(Error::new("put", ErrorKind::TooLarge, text));
        }
        let put = PutFenced {
            fence: i64::try_from(fence.as_u64()).unwrap_or(i64::MAX),
            life_us: ttl.as_micros(),
            memory: ttl.max(self.memory),
            // A copy, because the value may be a slice of a large buffer, which a store in this process
            // would keep.
            value: Bytes::copy_from_slice(&value),
        };
        let key = Key::new(FencedValue::KIND, id);
        Ok(match self.programs.run(&key, &put).await? {
            (true, _) => FencedPut::Written,
            (false, newest) => FencedPut::Stale {
                newest: Fence::from_u64(newest.unsigned_abs()),
            },
        })
    }

    /// Reads the value of `id`, and the fence that wrote it. One round trip.
    ///
    /// # Errors
    /// Those of [`Programs::run`](larder_store::program::Programs#method.run).
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn get(&self, id: impl KeyId) -> Result<Option<(Fence, Bytes)>> {
        let key = Key::new(FencedValue::KIND, id);
        let held = self.programs.run(&key, &GetFenced).await?;
        Ok(held.map(|(fence, value)| (Fence::from_u64(fence.unsigned_abs()), value)))
    }
}

impl fmt::Debug for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fenced")
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}
