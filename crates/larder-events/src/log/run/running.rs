use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{ErrorKind, Result};
use serde::de::DeserializeOwned;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::calls::Calls;
use super::{Event, Failure, Report};
use crate::log::consumer::after;
use crate::log::settle::{Held, What};
use crate::log::{Batch, Consumer};

/// How long aborted handlers may take to end.
const LAST: Duration = Duration::from_secs(1);

/// The first pause after an error of the store, and the longest.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(100);
pub(super) const LAST_RETRY: Duration = Duration::from_secs(5);

/// How many times an outcome is sent until its reply arrives.
pub(super) const TRIES: u32 = 5;

/// A consumer that works.
pub(super) struct Running<T> {
    pub(super) consumer: Consumer<T>,
    pub(super) tasks: JoinSet<Result<(), Failure>>,
    /// The events in handlers, by their tasks.
    pub(super) held: HashMap<Id, Held>,
    pub(super) report: Report,
    /// The number of events that it leaves to others: it neither handled them, nor learned their outcomes.
    pub(super) left: u64,
    /// When to look for events, unless it is woken.
    look_at: Instant,
    renew_at: Instant,
    /// The pause after the next error of the store.
    retry: Duration,
    pub(super) calls: Calls,
}

/// The outcome of a handler, by its task.
pub(super) type Finished = Result<(Id, Result<(), Failure>), JoinError>;

/// Why a consumer continues.
enum Cause {
    Stop,
    Finished(Finished),
    Look,
    Renew,
}

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    pub(super) fn new(consumer: Consumer<T>) -> Self {
        Self {
            calls: Calls::new(consumer.group.log.programs.timeout()),
            consumer,
            tasks: JoinSet::new(),
            held: HashMap::new(),
            report: Report::default(),
            left: 0,
            look_at: Instant::now(),
            renew_at: Instant::now(),
            retry: FIRST_RETRY,
        }
    }

    /// Passes events to the handler until it is told to stop.
    pub(super) async fn work<F, R>(&mut self, handler: Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        loop {
            let room = self.consumer.settings.concurrency - self.held.len();
            if room > 0 && self.look_at <= Instant::now() {
                self.look(room, &handler).await;
            }
            let has_room = self.consumer.settings.concurrency > self.held.len();
            // A wake-up does not mean that the store can be read again.
            let is_heard = has_room && self.retry == FIRST_RETRY;
            let Self {
                consumer,
                tasks,
                calls,
                ..
            } = self;
            let cause = tokio::select! {
                biased;
                _ = calls.told() => Cause::Stop,
                Some(finished) = tasks.join_next_with_id() => Cause::Finished(finished),
                () = sleep_until(self.renew_at), if !self.held.is_empty() => Cause::Renew,
                () = consumer.woken(), if is_heard => Cause::Look,
                () = sleep_until(self.look_at), if has_room => Cause::Look,
            };
            match cause {
                Cause::Stop => return,
                Cause::Finished(finished) => self.settle(finished).await,
                Cause::Look => self.look_at = Instant::now(),
                Cause::Renew => self.renew().await,
            }
        }
    }

    /// Lets the handlers end within the grace period, and aborts them after it.
    pub(super) async fn finish(&mut self) {
        let mut force = match self.consumer.force.get_mut() {
            Ok(force) => force.take(),
            Err(poisoned) => poisoned.into_inner().take(),
        };
        let end = self.calls.told().await;
        let mut over = pin!(async {
            match &mut force {
                Some(force) => drop(timeout_at(end, force).await),
                None => sleep_until(end).await,
            }
        });
        while !self.tasks.is_empty() {
            let cause = tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next_with_id() => Cause::Finished(finished),
                () = sleep_until(self.renew_at) => Cause::Renew,
                () = &mut over => Cause::Stop,
            };
            match cause {
                Cause::Finished(finished) => self.settle(finished).await,
                Cause::Renew => self.renew().await,
                Cause::Stop | Cause::Look => break,
            }
        }
        self.calls.end();
        // The events are handed back when their tasks have ended, so that no event is processed
        // twice at a time.
        self.tasks.abort_all();
        let until = Instant::now() + LAST;
        while let Ok(Some(finished)) = timeout_at(until, self.tasks.join_next_with_id()).await {
            self.settle(finished).await;
        }
    }

    /// Hands the consumer's events back, and removes it. If that fails, the leases end by
    /// themselves.
    pub(super) async fn remove(&mut self) {
        let (mut pause, mut may_have_run) = (FIRST_RETRY, false);
        for _ in 0..TRIES {
            let (group, name) = (&self.consumer.group, self.consumer.name());
            let removed = self.calls.run("remove", group.remove_consumer(name));
            match removed.await {
                Ok(released) => {
                    // An earlier call, whose reply was lost, has most likely handed back all that was left.
                    let before = if may_have_run { self.left } else { 0 };
                    self.report.released = released.max(before);
                    return;
                }
                Err(error) => {
                    may_have_run |= error.kind() == ErrorKind::MayHaveRun;
                    tracing::warn!(group = group.name(), %error, "a consumer cannot hand its events back; trying again");
                    if !self.calls.pause(pause).await {
                        return;
                    }
                    pause = (pause * 2).min(LAST_RETRY);
                }
            }
        }
    }

    /// Takes as many events as there is room for, and passes them to handlers.
    async fn look<F, R>(&mut self, room: usize, handler: &Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        // The group counts a loss as told at the next read, so it is reported though what follows fails.
        let mut lost = 0;
        let taken = self.take(room, &mut lost).await;
        self.note_lost(lost);
        let batch = match taken {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(group = self.consumer.group.name(), %error, "a consumer cannot read; trying again");
                self.look_at = Instant::now() + self.retry;
                self.retry = (self.retry * 2).min(LAST_RETRY);
                return;
            }
        };
        self.retry = FIRST_RETRY;
        let is_all = batch.deliveries.len() < room;
        self.look_at = Instant::now()
            + if is_all {
                batch.pause()
            } else {
                Duration::ZERO
            };
        if self.held.is_empty() {
            self.renew_at = Instant::now() + self.renew_every();
        }
        let mut unreadable = Vec::new();
        for delivery in batch.deliveries {
            let held = delivery.held();
            let Some(event) = delivery.event else {
                unreadable.push(held);
                continue;
            };
            let (id, count) = (delivery.id, delivery.count);
            let handler = handler.clone();
            let task = async move { handler(Event { id, count, event }).await };
            self.held.insert(self.tasks.spawn(task).id(), held);
        }
        for held in unreadable {
            let pause = self.backoff(held.count);
            self.settle_all(after(pause), vec![held], "undecodable")
                .await;
        }
    }

    fn note_lost(&mut self, lost: u64) {
        self.report.lost += lost;
        if lost > 0 {
            let group = self.consumer.group.name();
            tracing::warn!(
                group,
                lost,
                "events were removed before the group was done with them"
            );
        }
    }

    /// Takes events, and adds to `lost` those that the group has lost before them.
    async fn take(&mut self, room: usize, lost: &mut u64) -> Result<Batch<T>> {
        let calls = self.calls.clone();
        let batch = calls.run("read", self.consumer.read(room)).await?;
        *lost += batch.lost;
        if !batch.deliveries.is_empty() || !calls.run("wait", self.consumer.listen()).await? {
            return Ok(batch);
        }
        // This look finds events that were appended before it was listening.
        let next = calls.run("read", self.consumer.read(room)).await?;
        *lost += next.lost;
        Ok(next)
    }

    async fn renew(&mut self) {
        self.renew_at = Instant::now() + self.renew_every();
        let held = self.held.values().cloned().collect();
        // If a lease is lost, that is noticed when its handler has finished.
        let extended = self.consumer.settle(What::Extend, held);
        if let Err(error) = self.calls.run("extend", extended).await {
            tracing::warn!(group = self.consumer.group.name(), %error, "leases cannot be extended; trying again");
        }
    }

    fn renew_every(&self) -> Duration {
        Duration::from(self.consumer.group.lease) / 3
    }
}
