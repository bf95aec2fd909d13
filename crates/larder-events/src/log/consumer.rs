use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::Result;
use larder_store::wait::Waiter;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::run::Settings;
use super::settle::{Held, What};
use super::take::{Known, Take, Taken};
use super::{EventId, Group, Settled, names};

/// The maximum time that a consumer sleeps before it looks again.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How soon a consumer looks again while too much is pending.
const LOOK_WHEN_FULL: Duration = Duration::from_millis(500);

/// A member of a group, which reads its events. Each process creates a new one when it starts.
///
/// Read and acknowledge by hand, or let [`run_until`](Self::run_until) do it. [Close](Self::close) a consumer when
/// you stop it, so that its events are delivered to others at once, and not after its lease.
pub struct Consumer<T> {
    pub(super) group: Group<T>,
    name: Arc<str>,
    waiter: Option<Box<dyn Waiter>>,
    known: Mutex<Known>,
    has_read: AtomicBool,
    pub(super) settings: Settings,
    pub(super) force: Mutex<Option<Force>>,
}

/// Resolves when a consumer must end at once.
pub(super) type Force = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Some deliveries, and the number of events lost before them.
#[must_use = "events that are not acknowledged are delivered again"]
#[non_exhaustive]
pub struct Batch<T> {
    /// The deliveries; events that were delivered before come first.
    pub deliveries: Vec<Delivery<T>>,
    /// How many events the group has lost since the last report: they were past the hard bound of the log.
    ///
    /// The number counts as reported when the consumer reads again. So it is reported again after a lost answer,
    /// and also to other consumers that read before.
    pub lost: u64,
    /// The time until a lease of the group may end.
    pub(super) left: Option<Duration>,
    pub(super) is_full: bool,
    /// Whether it ended because of its size.
    pub(super) is_cut: bool,
}

/// An event that was delivered to a consumer. `Debug` does not show the event.
#[non_exhaustive]
pub struct Delivery<T> {
    /// The id of the event.
    pub id: EventId,
    /// How many times the event was delivered, including this one.
    pub count: u32,
    /// The event. None if it is not a `T`: [reject](Consumer::reject) it, or leave it to a newer version.
    pub event: Option<T>,
    pub(super) consumer: Arc<str>,
}

impl<T> Delivery<T> {
    pub(super) fn held(&self) -> Held {
        Held {
            id: self.id,
            consumer: self.consumer.clone(),
            count: self.count,
        }
    }
}

impl<T> Consumer<T> {
    pub(super) fn new(group: Group<T>, name: Arc<str>) -> Self {
        Self {
            group,
            name,
            waiter: None,
            known: Mutex::default(),
            has_read: AtomicBool::new(false),
            settings: Settings::default(),
            force: Mutex::default(),
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Acknowledges an event: it is handled, and no consumer of the group gets it again. One round trip.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) call it again:
    /// [`Settled::Gone`] means that the first call arrived.
    ///
    /// # Cancellation
    /// The event may or may not be acknowledged.
    pub async fn ack(&self, delivery: &Delivery<T>) -> Result<Settled> {
        self.settle_one(What::Ack, delivery).await
    }

    /// Acknowledges several events, at most [`MAX_BATCH`](super::MAX_BATCH). Returns a result for each.
    ///
    /// # Errors
    /// Those of [`ack`](Self::ack), and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) for too many.
    ///
    /// # Cancellation
    /// All of them may be acknowledged, or none.
    pub async fn ack_many(&self, deliveries: &[Delivery<T>]) -> Result<Vec<Settled>> {
        let held = deliveries.iter().map(Delivery::held).collect();
        self.settle(What::Ack, held).await
    }

    /// Hands an event back, to be delivered again after `delay`, which is at most the lease. One round trip.
    ///
    /// # Errors
    /// Those of the store. After [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) call it again:
    /// [`Settled::Stale`] then means that the first call arrived, or that the lease had ended before.
    ///
    /// # Cancellation
    /// The event may or may not have been handed back.
    pub async fn nack(&self, delivery: &Delivery<T>, delay: Duration) -> Result<Settled> {
        self.settle_one(after(delay), delivery).await
    }

    /// Makes an event a dead letter of the group. At most 256 bytes of the reason are kept. One round trip.
    ///
    /// # Errors
    /// Those of [`ack`](Self::ack).
    ///
    /// # Cancellation
    /// The event may or may not be a dead letter.
    pub async fn reject(&self, delivery: &Delivery<T>, reason: &str) -> Result<Settled> {
        self.settle_one(reject(reason), delivery).await
    }

    /// Renews the leases of several deliveries, at most [`MAX_BATCH`](super::MAX_BATCH). One round trip.
    ///
    /// Returns a result for each: any other than [`Settled::Done`] means that the consumer no longer holds the
    /// event.
    ///
    /// # Errors
    /// Those of [`ack_many`](Self::ack_many).
    ///
    /// # Cancellation
    /// All of them may be renewed, or none.
    pub async fn extend(&self, deliveries: &[Delivery<T>]) -> Result<Vec<Settled>> {
        let held = deliveries.iter().map(Delivery::held).collect();
        self.settle(What::Extend, held).await
    }

    /// Hands the consumer's events back to the group, and removes the consumer. Returns their number.
    ///
    /// # Errors
    /// Those of the store. Then the leases end by themselves.
    ///
    /// # Cancellation
    /// Some or all events may have been handed back.
    pub async fn close(self) -> Result<u64> {
        self.group.remove_consumer(&self.name).await
    }

    async fn settle_one(&self, what: What, delivery: &Delivery<T>) -> Result<Settled> {
        let settled = self.settle(what, vec![delivery.held()]).await?;
        Ok(settled.first().copied().unwrap_or(Settled::Gone))
    }

    async fn settle(&self, what: What, deliveries: Vec<Held>) -> Result<Vec<Settled>> {
        self.group.settle(what, deliveries).await
    }
}

impl<T: DeserializeOwned> Consumer<T> {
    /// Takes at most `many` events, up to [`MAX_BATCH`](super::MAX_BATCH), without waiting. One round trip, and
    /// two more if the group must be created.
    ///
    /// It takes at most a megabyte: read again for the rest. Events whose lease has ended come first. Events that are
    /// not acknowledged are delivered again after the lease.
    ///
    /// # Errors
    /// Those of the store, and [`ErrorKind::Invalid`](larder_store::ErrorKind::Invalid) for too many. After
    /// [`ErrorKind::MayHaveRun`](larder_store::ErrorKind::MayHaveRun) events may have been taken: they are
    /// delivered again after the lease.
    ///
    /// # Cancellation
    /// Events may have been taken, which are delivered again after the lease.
    pub async fn read(&self, many: usize) -> Result<Batch<T>> {
        let many = names::check_many("read", many)?;
        let mut taken = self.group.run(&self.take(many)).await?;
        if !taken.has_group {
            self.group.create().await?;
            taken = self.group.run(&self.take(many)).await?;
        }
        if taken.has_group {
            self.group.note_begun();
        }
        self.has_read.store(true, Ordering::Relaxed);
        Ok(self.batch(taken))
    }

    /// Takes at most `many` events, and waits for the first one for at most `within`.
    ///
    /// The batch is empty if that time is over, or if there is only a loss to report. It takes one round trip if
    /// there are events, up to three more before it waits for the first time, and two more if the group must be
    /// created. While it waits it reads again when it is woken, and at the latest after five seconds.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and those of [`Waits`](larder_store::wait::Waits).
    ///
    /// # Cancellation
    /// As for [`read`](Self::read).
    pub async fn next(&mut self, many: usize, within: Duration) -> Result<Batch<T>> {
        let until = Instant::now().checked_add(within);
        loop {
            let batch = self.read(many).await?;
            let is_over = until.is_some_and(|until| until <= Instant::now());
            if !batch.deliveries.is_empty() || batch.lost > 0 || is_over {
                return Ok(batch);
            }
            if self.listen().await? {
                // The next look finds events that were appended before it was listening.
                continue;
            }
            let at = Instant::now() + batch.pause();
            let at = until.map_or(at, |until| until.min(at));
            // A wait that times out is not an error: the next look shows what there is.
            let _ = timeout_at(at, self.woken()).await;
        }
    }

    /// Registers the consumer to be woken, and returns whether it was not registered before.
    pub(super) async fn listen(&mut self) -> Result<bool> {
        if self.waiter.is_some() {
            return Ok(false);
        }
        self.waiter = Some(self.group.log.waits.wait_for(&self.group.key).await?);
        Ok(true)
    }

    /// Waits until something may have changed. A dropped call loses nothing.
    pub(super) async fn woken(&mut self) {
        match &mut self.waiter {
            Some(waiter) => {
                let _ = waiter.next().await;
            }
            None => pending().await,
        }
    }

    fn take(&self, many: u32) -> Take {
        Take {
            group: self.group.name.clone(),
            consumer: self.name.clone(),
            many,
            lease: self.group.lease,
            max_pending: self.group.max_pending,
            max_deliveries: self.group.max_deliveries,
            max_dead: self.group.log.max_dead,
            ttl: self.group.log.ttl,
            known: *self.known(),
            is_first: !self.has_read.load(Ordering::Relaxed),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn batch(&self, taken: Taken) -> Batch<T> {
        let losses = taken.losses;
        *self.known() = losses.known();
        if losses.confirmed > 0 {
            let (log, group) = (self.group.log.name.to_string(), self.group.name.to_string());
            metrics::counter!("larder_log_lost_total", "log" => log, "group" => group)
                .increment(losses.confirmed);
        }
        let delivery = |given: super::take::Given| Delivery {
            id: given.id,
            count: given.count,
            event: self.group.log.decode(given.event.as_deref()),
            consumer: self.name.clone(),
        };
        Batch {
            deliveries: taken.events.into_iter().map(delivery).collect(),
            lost: (losses.all - losses.told).unsigned_abs(),
            left: taken
                .left
                .map(|ms| Duration::from_millis(ms.max(0).unsigned_abs())),
            is_full: taken.is_full,
            is_cut: taken.is_cut,
        }
    }
}

impl<T> Batch<T> {
    /// Returns how long a consumer that got less than it wanted may sleep, unless it is woken.
    pub(super) fn pause(&self) -> Duration {
        let left = self.left.unwrap_or(CHECK_INTERVAL);
        // If the timer fired a fraction of a millisecond early, it would cost another look.
        let pause = left
            .saturating_add(Duration::from_millis(1))
            .min(CHECK_INTERVAL);
        match self.is_full {
            true => pause.min(LOOK_WHEN_FULL),
            false => pause,
        }
    }
}

pub(super) fn after(delay: Duration) -> What {
    What::Nack(
        i64::try_from(delay.as_millis())
            .unwrap_or(i64::MAX)
            .min(1 << 52),
    )
}

pub(super) fn reject(reason: &str) -> What {
    let end = (0..=reason.len().min(256))
        .rev()
        .find(|end| reason.is_char_boundary(*end));
    What::Reject(reason[..end.unwrap_or(0)].into())
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("deliveries", &self.deliveries)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Delivery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("count", &self.count)
            .field("consumer", &self.consumer)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("group", &self.group)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
