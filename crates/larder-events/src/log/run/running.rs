use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use larder_store::{ErrorKind, Result};
use serde::de::DeserializeOwned;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::calls::Calls;
use super::holding::Holding;
use super::tally::Outcome;
use super::{Event, EventError};
use crate::log::consumer::after;
use crate::log::{Batch, Consumer};
use crate::pause::drawn;

/// How long aborted handlers may take to end.
const LAST: Duration = Duration::from_secs(1);

/// The first pause after an error of the store, and the longest.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(100);
pub(super) const LAST_RETRY: Duration = Duration::from_secs(5);

/// How many times the store is asked to remove a consumer, and at least to take an outcome, until it answers.
pub(super) const TRIES: u32 = 5;

/// A consumer that works.
pub(super) struct Running<T> {
    pub(super) consumer: Consumer<T>,
    pub(super) tasks: JoinSet<Result<(), EventError>>,
    pub(super) holding: Holding<T>,
    /// When to look for events, unless it is woken.
    look_at: Instant,
    /// The pause after the next error of the store.
    retry: Duration,
    pub(super) calls: Calls,
}

/// The outcome of a handler, by its task.
pub(super) type Finished = Result<(Id, Result<(), EventError>), JoinError>;

/// Why a consumer continues.
enum Cause {
    Stop,
    Finished(Finished),
    /// The store has answered a call, or leases are being renewed.
    Stepped,
    Look,
}

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    pub(super) fn new(consumer: Consumer<T>) -> Self {
        let calls = Calls::new(consumer.group.log.programs.timeout());
        Self {
            holding: Holding::new(consumer.group.clone(), calls.clone()),
            calls,
            consumer,
            tasks: JoinSet::new(),
            look_at: Instant::now(),
            retry: FIRST_RETRY,
        }
    }

    /// Passes events to the handler until it is told to stop.
    pub(super) async fn work<F, R>(&mut self, handler: &Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), EventError>> + Send + 'static,
    {
        loop {
            if self.room() > 0 && self.look_at <= Instant::now() {
                self.look(handler).await;
            }
            let has_room = self.room() > 0;
            // A wake-up does not mean that the store can be read again.
            let is_heard = has_room && self.retry == FIRST_RETRY;
            let Self {
                consumer,
                tasks,
                calls,
                holding,
                ..
            } = self;
            let cause = tokio::select! {
                biased;
                () = calls.told() => Cause::Stop,
                Some(finished) = tasks.join_next_with_id() => Cause::Finished(finished),
                () = holding.step() => Cause::Stepped,
                () = consumer.woken(), if is_heard => Cause::Look,
                () = sleep_until(self.look_at), if has_room => Cause::Look,
            };
            match cause {
                Cause::Stop => return,
                Cause::Finished(finished) => self.settle(finished),
                Cause::Stepped => {}
                Cause::Look => self.look_at = Instant::now(),
            }
        }
    }

    /// Lets the handlers end within the grace period, and aborts them after it.
    pub(super) async fn finish(&mut self) {
        while self.holding.len() > 0 {
            let cause = tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next_with_id() => Cause::Finished(finished),
                () = self.holding.step() => Cause::Stepped,
                () = self.calls.grace_over() => Cause::Stop,
            };
            match cause {
                Cause::Finished(finished) => self.settle(finished),
                Cause::Stop => break,
                Cause::Stepped | Cause::Look => {}
            }
        }
        self.calls.end();
        // The events are handed back when their tasks have ended, so that no event is processed
        // twice at a time.
        self.tasks.abort_all();
        let until = Instant::now() + LAST;
        while let Ok(Some(finished)) = timeout_at(until, self.tasks.join_next_with_id()).await {
            self.settle(finished);
        }
        self.holding.settled().await;
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
                    let before = if may_have_run { self.holding.left() } else { 0 };
                    self.holding.tally.report.released = released.max(before);
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

    /// Returns how many events it may take.
    fn room(&self) -> usize {
        let most = self.consumer.settings.concurrency;
        most.saturating_sub(self.holding.len())
    }

    /// Takes as many events as there is room for, and passes them to handlers.
    async fn look<F, R>(&mut self, handler: &Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), EventError>> + Send + 'static,
    {
        let (room, mut lost) = (self.room(), 0);
        let taken = {
            let mut taking = pin!(take(&mut self.consumer, &self.calls, room, &mut lost));
            // Outcomes are sent and leases are renewed while the store is read.
            loop {
                tokio::select! {
                    biased;
                    taken = &mut taking => break Some(taken),
                    () = self.holding.step() => {}
                    () = self.calls.grace_over() => break None,
                }
            }
        };
        // The group counts a loss as told at the next read, so it is reported though what follows fails.
        self.note_lost(lost);
        let batch = match taken {
            // What it may have taken is handed back at the end.
            None => return,
            Some(Ok(batch)) => batch,
            Some(Err(error)) => {
                tracing::warn!(group = self.consumer.group.name(), %error, "a consumer cannot read; trying again");
                self.look_at = Instant::now() + drawn(self.retry);
                self.retry = (self.retry * 2).min(LAST_RETRY);
                return;
            }
        };
        self.retry = FIRST_RETRY;
        let is_short = batch.deliveries.len() < room && !batch.is_cut;
        self.look_at = Instant::now()
            + if is_short {
                batch.pause()
            } else {
                Duration::ZERO
            };
        for delivery in batch.deliveries {
            let held = delivery.held();
            let Some(event) = delivery.event else {
                let pause = self.backoff(held.count);
                self.holding
                    .settle(after(pause), vec![held], Outcome::Undecodable);
                continue;
            };
            let (id, count) = (delivery.id, delivery.count);
            let handler = handler.clone();
            let task = async move { handler(Event { id, count, event }).await };
            self.holding.insert(self.tasks.spawn(task).id(), held);
        }
    }

    fn note_lost(&mut self, lost: u64) {
        self.holding.tally.report.lost += lost;
        if lost > 0 {
            let group = self.consumer.group.name();
            tracing::warn!(
                group,
                lost,
                "events were removed before the group was done with them"
            );
        }
    }
}

/// Takes events, and adds to `lost` those that the group has lost before them.
async fn take<T: DeserializeOwned>(
    consumer: &mut Consumer<T>,
    calls: &Calls,
    room: usize,
    lost: &mut u64,
) -> Result<Batch<T>> {
    let batch = calls.run("read", consumer.read(room)).await?;
    *lost += batch.lost;
    if !batch.deliveries.is_empty() || !calls.run("wait", consumer.listen()).await? {
        return Ok(batch);
    }
    // This look finds events that were appended before it was listening.
    let next = calls.run("read", consumer.read(room)).await?;
    *lost += next.lost;
    Ok(next)
}
