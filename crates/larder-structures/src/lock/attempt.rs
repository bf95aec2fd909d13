use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_store::program::{Program, Programs};
use larder_store::wait::Waits;
use larder_store::{Error, ErrorKind, Key, Refusal, Result, Store, StoreExt, Ttl};
use metrics::{counter, histogram};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;
use tracing::field::Empty;

use super::permits::{Acquire, Acquired, Leave, Permits};
use super::{DEFAULT_LEASE, DEFAULT_MAX_HOLD, LockGuard, MAX_QUEUE, Order};
use crate::background::Repeats;
use crate::metrics::{ACQUIRES, WAITS};

/// How long a place in the queue is kept unless its owner looks again.
const PLACE: Duration = Duration::from_secs(10);

/// How often the owner of a place looks.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);

static RELEASES: Repeats = Repeats::new();

/// The key and the settings of a lock or a semaphore.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) programs: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    pub(super) key: Key,
    permits: u32,
    pub(super) lease: Ttl,
    pub(super) max_hold: Duration,
    pub(super) order: Order,
}

impl Gate {
    pub(super) fn new(user: &str, store: Arc<dyn Store>, key: Key, permits: u32) -> Result<Self> {
        Ok(Self {
            programs: store.clone().require_programs(user)?,
            waits: store.require_waits(user)?,
            key,
            permits,
            lease: DEFAULT_LEASE,
            max_hold: DEFAULT_MAX_HOLD,
            order: Order::default(),
        })
    }

    /// Returns how long it is held before the first renewal.
    pub(super) fn first_hold(&self) -> Ttl {
        let most = self.max_hold.max(Duration::from_millis(1));
        // A span that is not a valid TTL is longer than a century.
        Ttl::try_from(most).map_or(self.lease, |most| self.lease.min(most))
    }

    /// Shows no key: an id may identify a visitor.
    pub(super) fn fmt_as(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("permits", &self.permits)
            .field("lease", &self.lease)
            .field("max_hold", &self.max_hold)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }

    /// Takes a permit. Without `within` it does not wait.
    pub(super) async fn attempt(&self, within: Option<Duration>) -> Result<Option<LockGuard>> {
        // Without time to wait, it tries at once, as `try_lock` does, however far away the store
        // is.
        let acquired = match within.filter(|within| !within.is_zero()) {
            Some(within) => self.wait(within).await,
            None => self.acquire(false).await,
        };
        let outcome = match acquired {
            Ok(Some(_)) => "acquired",
            Ok(None) => "busy",
            Err(_) => "failed",
        };
        counter!(ACQUIRES, "outcome" => outcome).increment(1);
        acquired
    }

    async fn wait(&self, within: Duration) -> Result<Option<LockGuard>> {
        let started = Instant::now();
        let span = tracing::debug_span!("lock.acquire", lock.acquired = Empty);
        let acquiring = self.acquire(true).instrument(span.clone());
        let acquired = match started.checked_add(within) {
            Some(until) => timeout_at(until, acquiring).await.unwrap_or(Ok(None)),
            None => acquiring.await,
        };
        span.record("lock.acquired", matches!(acquired, Ok(Some(_))));
        histogram!(WAITS).record(started.elapsed());
        acquired
    }

    async fn acquire(&self, waits: bool) -> Result<Option<LockGuard>> {
        let acquire = Acquire {
            // Within 2^53, like all integers of programs.
            owner: (rand::random::<u64>() >> 11) as i64,
            hold_us: self.first_hold().as_micros(),
            permits: self.permits,
            place_us: match (self.order, waits) {
                (Order::Any, _) => 0,
                (Order::Fifo, true) => PLACE.as_micros() as i64,
                (Order::Fifo, false) => -1,
            },
            longest_queue: MAX_QUEUE,
        };
        // If anything ends this before a guard takes over, the lock is given back.
        let mut left_behind = LeftBehind {
            gate: self,
            owner: acquire.owner,
            // A place in the queue is kept for its time, however short the lease is.
            lasts: match acquire.place_us > 0 {
                true => PLACE.max(self.lease.into()),
                false => self.lease.into(),
            },
            may_hold: false,
        };
        let (mut waiter, mut has_place) = (None, false);
        loop {
            let started = Instant::now();
            left_behind.may_hold = true;
            let acquired = self.programs.run(&self.key, &acquire).await;
            has_place = match &acquired {
                Ok(Acquired::Busy(_)) => acquire.place_us > 0,
                Ok(_) => false,
                Err(error) => has_place || error.kind() == ErrorKind::MayHaveRun,
            };
            left_behind.may_hold = has_place;
            let left = match acquired? {
                Acquired::Held(fence, left) => {
                    // Without a runtime there can be no guard, so the lock is given back.
                    left_behind.may_hold = true;
                    // An earlier attempt may have been executed late; then less of the lease is
                    // left.
                    let left = Duration::from_micros(left.max(0).unsigned_abs());
                    let guard = LockGuard::new(self.clone(), fence, started, left);
                    left_behind.may_hold = false;
                    return Ok(Some(guard));
                }
                Acquired::Busy(_) if !waits => return Ok(None),
                Acquired::Busy(left) => Duration::from_micros(left.max(0).unsigned_abs()),
                Acquired::Full => return Err(full()),
            };
            let Some(waiter) = &mut waiter else {
                // A release before the registration is found by the next attempt.
                waiter = Some(self.waits.wait_for(&self.key).await?);
                continue;
            };
            // If the timer fired a fraction of a millisecond early, it would cost another attempt.
            let pause = left.saturating_add(Duration::from_millis(1));
            let pause = match self.order {
                Order::Any => pause,
                Order::Fifo => pause.min(CHECK_INTERVAL),
            };
            tokio::select! {
                _ = waiter.next() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Runs `program` without a waiting caller: at once, or in the background until it succeeds or what it gives
    /// back, which `lasts` this long from now on, has ended.
    pub(super) fn run_detached<P>(&self, program: P, lasts: Duration)
    where
        P: Program<Record = Permits> + Clone + 'static,
    {
        if self.programs.run_now(&self.key, &program).is_ready() {
            return;
        }
        let (programs, key) = (self.programs.clone(), self.key.clone());
        RELEASES.repeat(lasts, move || {
            let (programs, key, program) = (programs.clone(), key.clone(), program.clone());
            async move { programs.run(&key, &program).await.is_ok() }
        });
    }
}

fn full() -> Error {
    let text =
        format!("{MAX_QUEUE} tasks are already waiting for it in order: let fewer wait at once");
    Error::new("lock", ErrorKind::Refused(Refusal::Full), text)
}

/// The state of an attempt at the store, which its drop cleans up.
struct LeftBehind<'a> {
    gate: &'a Gate,
    owner: i64,
    /// How long what is left behind lasts at most.
    lasts: Duration,
    may_hold: bool,
}

impl Drop for LeftBehind<'_> {
    fn drop(&mut self) {
        if self.may_hold {
            let leave = Leave { owner: self.owner };
            self.gate.run_detached(leave, self.lasts);
        }
    }
}
