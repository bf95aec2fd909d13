//! Waiting for a record, until a program wakes its waiters.
//!
//! A step that may let a waiter continue, such as the release of a lock, calls
//! [`Slot::wake`](crate::program::Slot::wake) in Rust and `wake()` in Lua. A caller registers a
//! waiter first, then looks at the record, and then waits:
//!
//! ```
//! # use larder_store::program::{Program, Programs};
//! # use larder_store::wait::{Waits, Wake};
//! # use larder_store::{Key, Result};
//! /// Runs `take` until it has taken something.
//! async fn take<P: Program<Reply = bool>>(
//!     programs: &dyn Programs,
//!     waits: &dyn Waits,
//!     (key, take): (&Key, &P),
//! ) -> Result<()> {
//!     if programs.run(key, take).await? {
//!         return Ok(());
//!     }
//!     let mut waiter = waits.wait_for(key).await?;
//!     // This check finds what became free before the waiter was registered.
//!     while !programs.run(key, take).await? {
//!         match waiter.next().await {
//!             Wake::Woken | Wake::Recheck => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Put your own deadline around the loop. Also read the record again when a deadline inside it has passed:
//! that wakes no waiter.

mod waiters;

use async_trait::async_trait;

use crate::{Key, Result};

pub use waiters::{DEFAULT_MAX_WAITERS, Waiters};

/// Why a waiter stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "in both cases look at the record again"]
pub enum Wake {
    /// A program woke the record's waiters.
    Woken,
    /// A wake may have been missed: look at the record again.
    ///
    /// The connection was replaced, the cluster changed, or the store polls because nothing can
    /// wake it.
    Recheck,
}

/// The capability to wait until a program wakes the waiters of a record.
///
/// Every waiter of the record is woken, and then sees what the step has changed. Wakes that come
/// before a waiter asks for the next one are not lost, and count as one. While a record has no
/// waiters, a wake sends nothing.
///
/// # Errors
/// [`Refusal::WrongType`](crate::Refusal::WrongType) for a key whose kind is not one of records.
/// [`Refusal::Full`](crate::Refusal::Full) in process, at the maximum number of waiters. Otherwise
/// those of [`Store`](crate::Store).
#[async_trait]
pub trait Waits: Send + Sync {
    /// Registers a waiter for the record at `key`, until it is dropped.
    ///
    /// Wakes after the call has resolved arrive. It takes two round trips over a network, and none
    /// in process.
    ///
    /// # Cancellation
    /// A dropped call registers nothing.
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>>;
}

/// A registered wait for a record. Dropping it ends the wait.
#[async_trait]
pub trait Waiter: Send + Sync {
    /// Waits for the next wake. In process the wait has no upper bound; over a network it ends
    /// after a few seconds at the latest, with [`Wake::Recheck`].
    ///
    /// # Cancellation
    /// A dropped call loses no wake.
    async fn next(&mut self) -> Wake;
}
