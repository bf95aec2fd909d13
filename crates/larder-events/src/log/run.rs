use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;
use serde::de::DeserializeOwned;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::consumer::{after, reject};
use super::settle::{Held, What};
use super::{Batch, Consumer, EventId, MAX_BATCH, Settled};

/// An event that a handler is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<T> {
    /// Its id. What follows from the event is idempotent if it is keyed by this.
    pub id: EventId,
    /// How often it was delivered, with this time.
    pub count: u32,
    /// The event.
    pub event: T,
}

/// Why a handler could not handle an event, and what becomes of it.
///
/// Any error is one, by `?`: the event is delivered again, after a pause that doubles each time.
#[derive(Debug)]
pub struct Failure {
    next: Next,
    error: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
enum Next {
    Retry(Option<Duration>),
    Dead(String),
}

impl Failure {
    /// Delivers the event again after `delay`, which is at most the lease of the group.
    pub fn retry_after(delay: Duration) -> Self {
        Self {
            next: Next::Retry(Some(delay)),
            error: None,
        }
    }

    /// Makes the event a dead letter at once. The reason is kept with it.
    pub fn dead(reason: impl Into<String>) -> Self {
        Self {
            next: Next::Dead(reason.into()),
            error: None,
        }
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            next: Next::Retry(None),
            error: Some(error.into()),
        }
    }
}

/// What became of the events of a consumer that has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many were handled and acknowledged.
    pub done: u64,
    /// How often one was given back to be delivered again: the handler failed or panicked.
    pub retried: u64,
    /// How many its handler declared dead.
    pub dead: u64,
    /// How many were another consumer's before their handler was done, so that nothing was acknowledged.
    pub stale: u64,
    /// How many were handed back, because their handlers were not done within the grace period.
    pub released: u64,
}

/// How a consumer runs its handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    concurrency: NonZeroU32,
    backoff: Duration,
    grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: NonZeroU32::MIN,
            backoff: Duration::from_secs(1),
            grace: Duration::from_secs(30),
        }
    }
}

impl<T> Consumer<T> {
    /// Handles so many events at once, 1 to [`MAX_BATCH`]. The default is 1, which keeps their order.
    #[must_use]
    pub fn with_concurrency(mut self, events: u32) -> Self {
        let events = NonZeroU32::new(events.min(MAX_BATCH));
        self.settings.concurrency = events.unwrap_or(NonZeroU32::MIN);
        self
    }

    /// Sets the pause before an event is delivered again for the first time. The default is one second.
    ///
    /// It doubles each time, up to the lease of the group, and is drawn at random below that.
    #[must_use]
    pub fn with_backoff(mut self, first: Duration) -> Self {
        self.settings.backoff = first.max(Duration::from_millis(1));
        self
    }

    /// Sets how long handlers may go on after the consumer is to stop. The default is 30 seconds.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }
}

impl<T: DeserializeOwned + Send + 'static> Consumer<T> {
    /// Gives each event to `handler`, in a task of its own, until `shutdown` resolves.
    ///
    /// It takes only what it has room for, and extends the leases of what its handlers work on. An event is
    /// acknowledged when its handler returns `Ok`; a handler that fails or panics is tried again, with a pause,
    /// until the event is a dead letter. An event that is not a `T` is given back, for a newer version, until
    /// then. An error of the store never ends it: it tries again, with a pause of at most five seconds.
    ///
    /// After `shutdown` it takes nothing, waits for its handlers for the [grace period](Self::with_grace), hands
    /// back what is left, and removes itself.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its time enabled.
    ///
    /// # Cancellation
    /// A dropped call aborts its handlers. Their events are delivered again after the lease.
    pub async fn run_until<F, R>(
        self,
        shutdown: impl Future<Output = ()> + Send,
        handler: F,
    ) -> Report
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let mut running = Running {
            retry: FIRST_RETRY,
            look_at: Instant::now(),
            renew_at: Instant::now(),
            consumer: self,
            tasks: JoinSet::new(),
            held: HashMap::new(),
            report: Report::default(),
        };
        running.work(shutdown, Arc::new(handler)).await;
        running.finish().await;
        let (group, name) = (&running.consumer.group, running.consumer.name());
        // If it fails, the leases end by themselves.
        running.report.released = group.remove_consumer(name).await.unwrap_or(0);
        running.report
    }
}

/// The first pause after an error of the store, and the longest.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// How often an acknowledgement is sent until its reply is known.
const TRIES: u32 = 5;

/// A consumer that works.
struct Running<T> {
    consumer: Consumer<T>,
    tasks: JoinSet<Result<(), Failure>>,
    /// What the handlers work on, by their tasks.
    held: HashMap<Id, Held>,
    report: Report,
    /// When to look for events, unless it is woken.
    look_at: Instant,
    renew_at: Instant,
    retry: Duration,
}

/// The outcome of a handler, by its task.
type Finished = Result<(Id, Result<(), Failure>), JoinError>;

/// Why a consumer goes on.
enum Cause {
    Stop,
    Finished(Finished),
    Look,
    Renew,
}

impl<T: DeserializeOwned + Send + 'static> Running<T> {
    async fn work<F, R>(&mut self, shutdown: impl Future<Output = ()> + Send, handler: Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let mut shutdown = pin!(shutdown);
        loop {
            let room = self.consumer.settings.concurrency.get() - self.held.len() as u32;
            if room > 0 && self.look_at <= Instant::now() {
                self.look(room, &handler).await;
            }
            let has_room = self.consumer.settings.concurrency.get() > self.held.len() as u32;
            let Self {
                consumer, tasks, ..
            } = self;
            let cause = tokio::select! {
                biased;
                () = &mut shutdown => Cause::Stop,
                Some(finished) = tasks.join_next_with_id() => Cause::Finished(finished),
                () = sleep_until(self.renew_at), if !self.held.is_empty() => Cause::Renew,
                () = consumer.woken(), if has_room => Cause::Look,
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

    /// Lets the handlers end, within the grace period.
    async fn finish(&mut self) {
        let until = Instant::now() + self.consumer.settings.grace;
        while !self.tasks.is_empty() {
            let cause = tokio::select! {
                biased;
                Some(finished) = self.tasks.join_next_with_id() => Cause::Finished(finished),
                () = sleep_until(self.renew_at) => Cause::Renew,
                () = sleep_until(until) => Cause::Stop,
            };
            match cause {
                Cause::Finished(finished) => self.settle(finished).await,
                Cause::Renew => self.renew().await,
                Cause::Stop | Cause::Look => break,
            }
        }
        self.tasks.abort_all();
    }

    /// Takes what there is room for, and gives it to handlers.
    async fn look<F, R>(&mut self, room: u32, handler: &Arc<F>)
    where
        F: Fn(Event<T>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let batch = match self.take(room).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(group = self.consumer.group.name(), %error, "a consumer cannot read for now");
                self.look_at = Instant::now() + self.retry;
                self.retry = (self.retry * 2).min(LAST_RETRY);
                return;
            }
        };
        self.retry = FIRST_RETRY;
        let is_all = (batch.deliveries.len() as u32) < room;
        self.look_at = Instant::now()
            + if is_all {
                batch.pause()
            } else {
                Duration::ZERO
            };
        if batch.lost > 0 {
            let group = self.consumer.group.name();
            tracing::warn!(
                group,
                lost = batch.lost,
                "events were removed before the group was done with them"
            );
        }
        if self.held.is_empty() {
            self.renew_at = Instant::now() + self.renew_every();
        }
        for delivery in batch.deliveries {
            let held = delivery.held();
            let Some(event) = delivery.event else {
                let pause = self.backoff(held.count);
                self.settle_all(after(pause), vec![held], "undecodable")
                    .await;
                continue;
            };
            let (id, count) = (delivery.id, delivery.count);
            let handler = handler.clone();
            let task = async move { handler(Event { id, count, event }).await };
            self.held.insert(self.tasks.spawn(task).id(), held);
        }
    }

    async fn take(&mut self, room: u32) -> Result<Batch<T>> {
        let batch = self.consumer.read(room).await?;
        if !batch.deliveries.is_empty() || !self.consumer.listen().await? {
            return Ok(batch);
        }
        // This look finds what was appended before it listened.
        self.consumer.read(room).await
    }

    async fn renew(&mut self) {
        self.renew_at = Instant::now() + self.renew_every();
        let held = self.held.values().cloned().collect();
        // One that is lost is noticed when its handler is done.
        if let Err(error) = self.consumer.settle(What::Extend, held).await {
            tracing::warn!(group = self.consumer.group.name(), %error, "leases cannot be extended for now");
        }
    }

    fn renew_every(&self) -> Duration {
        Duration::from_millis(self.consumer.group.lease.as_millis()) / 3
    }

    /// Settles what is finished by now.
    async fn settle(&mut self, first: Finished) {
        let (mut done, mut next) = (Vec::new(), Some(first));
        while let Some(finished) = next {
            let (id, outcome) = match finished {
                Ok((id, outcome)) => (id, outcome),
                Err(error) => (error.id(), Err("the handler panicked".into())),
            };
            if let Some(held) = self.held.remove(&id) {
                match outcome {
                    Ok(()) => done.push(held),
                    Err(failure) => self.fail(held, failure).await,
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        if !done.is_empty() {
            self.report.done += self.settle_all(What::Ack, done, "done").await;
        }
    }

    async fn fail(&mut self, held: Held, failure: Failure) {
        let (group, id, count) = (self.consumer.group.name(), held.id, held.count);
        let error = failure.error.map(|error| error.to_string());
        tracing::warn!(group, %id, count, error, "an event could not be handled");
        match failure.next {
            Next::Retry(pause) => {
                let pause = pause.unwrap_or_else(|| self.backoff(held.count));
                self.report.retried += self.settle_all(after(pause), vec![held], "retried").await;
            }
            Next::Dead(reason) => {
                self.report.dead += self.settle_all(reject(&reason), vec![held], "dead").await;
            }
        }
    }

    /// Settles deliveries, and returns how many. It tries again while the reply is not known.
    async fn settle_all(&mut self, what: What, held: Vec<Held>, outcome: &'static str) -> u64 {
        let many = held.len() as u64;
        let mut pause = FIRST_RETRY;
        for tries in 0..TRIES {
            match self.consumer.settle(what.clone(), held.clone()).await {
                Ok(settled) => {
                    // Whatever is gone when it is sent again had arrived.
                    let is_done = |it: &&Settled| {
                        **it == Settled::Done || (tries > 0 && **it == Settled::Gone)
                    };
                    let done = settled.iter().filter(is_done).count() as u64;
                    self.count(outcome, done);
                    self.count("stale", many - done);
                    self.report.stale += many - done;
                    return done;
                }
                Err(error) => {
                    let group = self.consumer.group.name();
                    tracing::warn!(group, %error, "deliveries cannot be settled for now");
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_RETRY);
                }
            }
        }
        self.count("unknown", many);
        0
    }

    fn count(&self, outcome: &'static str, many: u64) {
        let (log, group) = (
            self.consumer.group.log.name.to_string(),
            self.consumer.group.name().to_owned(),
        );
        metrics::counter!("larder_log_deliveries_total", "log" => log, "group" => group, "outcome" => outcome)
            .increment(many);
    }

    /// How long to wait before an event is delivered again: at random, around what doubles each time.
    fn backoff(&self, count: u32) -> Duration {
        let doubled = self
            .consumer
            .settings
            .backoff
            .saturating_mul(1 << count.saturating_sub(1).min(20));
        let most = Duration::from_millis(self.consumer.group.lease.as_millis());
        doubled.min(most).mul_f64(rand::random_range(0.5..=1.0))
    }
}
