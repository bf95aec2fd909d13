use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use larder_store::lease::Fence;
use larder_store::{ErrorKind, Result, Ttl};
use metrics::counter;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempt::Gate;
use super::permits::{Release, Renew};
use crate::metrics::LOST;

/// A lock, or a permit of a semaphore, that is held.
///
/// It is renewed in a task of its own. Dropping it releases the lock, in the background if the store is on
/// a network; [`release`](Self::release) reports the outcome. Before a process ends, call `release`: the background
/// ends with the process, and the lock is then held until its lease ends.
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockGuard {
    held: Arc<Held>,
    renewal: AbortHandle,
    is_released: bool,
}

/// The outcome of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "if the lock was lost, another task may have worked at the same time"]
pub enum Released {
    /// The lock was held until now.
    InTime,
    /// The lock was lost before: another task may have held it.
    AlreadyLost,
}

/// The held lease, and its end by this process's own clock.
struct Held {
    gate: Gate,
    fence: i64,
    /// When the longest time of holding is over.
    stop: Option<Instant>,
    ends: watch::Sender<Instant>,
}

impl LockGuard {
    /// Makes the guard of a lock that was requested at `started`, and granted under `fence` for `left`.
    pub(super) fn new(gate: Gate, fence: i64, started: Instant, left: Duration) -> Self {
        let ends = watch::Sender::new(started + certain(left));
        let stop = started.checked_add(gate.max_hold);
        let held = Arc::new(Held {
            gate,
            fence,
            stop,
            ends,
        });
        let renewal = tokio::spawn(renew(held.clone(), started, left)).abort_handle();
        Self {
            held,
            renewal,
            is_released: false,
        }
    }

    /// Returns the fence: a number above that of every earlier holder, even after a failover.
    ///
    /// Send it with every write that the lock protects.
    pub fn fence(&self) -> Fence {
        Fence::from_u64(self.held.fence.unsigned_abs())
    }

    /// Returns whether the lock was lost: its lease has ended, or the store has given it to another holder.
    pub fn is_lost(&self) -> bool {
        Instant::now() >= *self.held.ends.borrow()
    }

    /// Waits until the lock is lost. It also resolves when the lock is released.
    ///
    /// It resolves by this process's own clock, whatever happens to the store, and a little before the
    /// lease ends: by a hundredth of it and 2 ms, to allow for clock drift and late timers.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ends = self.held.ends.subscribe();
        async move {
            loop {
                let end = *ends.borrow_and_update();
                if Instant::now() >= end {
                    return;
                }
                tokio::select! {
                    () = sleep_until(end) => {}
                    changed = ends.changed() => {
                        if changed.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Releases the lock, and returns whether it was held until now. One round trip.
    ///
    /// # Errors
    /// Those of [`Programs::run`](larder_store::program::Programs#method.run). It is sent again once if its
    /// answer was lost. If it still fails, it is released in the background.
    ///
    /// # Cancellation
    /// A dropped call releases the lock in the background.
    pub async fn release(mut self) -> Result<Released> {
        self.renewal.abort();
        let released = self.held.release().await;
        // If it failed, the drop releases it in the background.
        self.is_released = released.is_ok();
        if matches!(released, Ok(Released::AlreadyLost)) {
            counter!(LOST).increment(1);
        }
        released
    }

    /// Ends the term of a leader, whose work has stopped. Its planned end is no loss.
    pub(super) fn end_term(mut self) {
        self.is_released = self.held.was_held_to_the_end();
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.renewal.abort();
        let is_lost = self.is_lost();
        self.held.ends.send_replace(Instant::now());
        if self.is_released {
            return;
        }
        match is_lost {
            true => counter!(LOST).increment(1),
            false => {
                let fence = self.held.fence;
                let gate = &self.held.gate;
                gate.run_detached(Release { fence }, gate.lease.into());
            }
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("fence", &self.fence())
            .field("is_lost", &self.is_lost())
            .finish_non_exhaustive()
    }
}

impl Held {
    /// Returns whether it ends when the longest time of holding is over, and not before.
    fn was_held_to_the_end(&self) -> bool {
        let lease = Duration::from(self.gate.first_hold());
        // The last renewal is rounded down to a millisecond, and relied on for a little less.
        let early = lease - certain(lease) + Duration::from_millis(1);
        let end = *self.ends.borrow();
        self.stop.is_some_and(|stop| end + early >= stop)
    }

    async fn release(&self) -> Result<Released> {
        let end = *self.ends.borrow();
        let release = Release { fence: self.fence };
        let Gate { programs, key, .. } = &self.gate;
        let was_held = match programs.run(key, &release).await {
            // Nobody else can have released or held it, so if it is gone, the first release was executed.
            Err(error) if error.kind() == ErrorKind::MayHaveRun => {
                match programs.run(key, &release).await {
                    Ok(was_held) => was_held || Instant::now() < end,
                    // Whatever became of the second, the first may have been executed.
                    Err(_) => return Err(error),
                }
            }
            done => done?,
        };
        Ok(match was_held {
            true => Released::InTime,
            false => Released::AlreadyLost,
        })
    }
}

/// Returns the part of a lease on which its holder relies.
///
/// The store's clock may run faster than ours, and tokio's timers are late by up to a millisecond.
fn certain(lease: Duration) -> Duration {
    let margin = lease / 100 + Duration::from_millis(2);
    lease - margin.min(lease / 2)
}

/// Renews a lock that is held for `left` at a third of that, and then at a third of its lease, until it is
/// lost or the longest time has passed.
async fn renew(held: Arc<Held>, started: Instant, left: Duration) {
    let Gate { programs, key, .. } = &held.gate;
    let lease = Duration::from(held.gate.first_hold());
    let mut next = started + left.min(lease) / 3;
    loop {
        sleep_until(next).await;
        let (started, end) = (Instant::now(), *held.ends.borrow());
        let left = held.stop;
        let left = left.map_or(lease, |stop| stop.saturating_duration_since(started));
        // Rounded down, so that it is never held for longer than allowed.
        let hold = Duration::from_millis(left.min(lease).as_millis() as u64);
        let Ok(ttl) = Ttl::try_from(hold) else { return };
        if started >= end || started + certain(hold) <= end {
            // The lock is lost, or a renewal would not prolong it: the rest of the lease is the last.
            return;
        }
        let (fence, hold_us) = (held.fence, ttl.as_micros());
        let renew = Renew { fence, hold_us };
        next = match timeout_at(end, programs.run(key, &renew)).await {
            Ok(Ok(true)) => {
                held.ends.send_replace(started + certain(hold));
                started + lease / 3
            }
            Ok(Ok(false)) => {
                held.ends.send_replace(Instant::now());
                return;
            }
            // It is held until its end, even if the store fails: keep trying until then.
            Ok(Err(_)) => Instant::now() + (lease / 12).max(Duration::from_millis(1)),
            Err(_) => return,
        };
    }
}
