//! The running worker: a task that takes jobs for each queue, and a task for each job.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larder_store::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::builder::Settings;
use super::drain::Drained;
use super::job;
use super::lease::Renewals;
use super::pauses::pause_after;
use super::report::{Finished, Report};
use super::service::JobService;
use super::settle::{Outcome, Settling};
use crate::metrics::Metrics;
use crate::queue::Turn;
use crate::{Delivery, MAX_BATCH, Queue};

/// How long handlers may take to return after their context was cancelled.
const WIND_UP: Duration = Duration::from_secs(1);

/// How long dropped handlers may take to end, and their outcomes to be sent.
const LAST: Duration = Duration::from_secs(2);

/// A worker that runs.
pub(super) struct Running {
    pub(super) settings: Settings,
    pub(super) service: JobService,
    names: HashSet<&'static str>,
    places: Arc<Semaphore>,
    /// The number of queues that wait for a free place.
    short: AtomicUsize,
    /// Stops taking jobs.
    stop: CancellationToken,
    /// Cancels the contexts.
    pub(super) cancel: CancellationToken,
    /// Drops the handlers, and sends outcomes once more.
    pub(super) hard: CancellationToken,
    /// Jobs whose outcome the queue does not have yet.
    pub(super) jobs: TaskTracker,
    report: Mutex<Report>,
    /// The outcomes of all jobs since it began.
    drained: Mutex<Drained>,
}

/// A queue of a running worker.
pub(super) struct Link {
    pub(super) queue: Queue,
    pub(super) renewals: Renewals,
    pub(super) outcomes: mpsc::Sender<Outcome>,
    pub(super) metrics: Metrics,
    /// Whether the queue waits for a free place.
    is_short: AtomicBool,
}

impl Running {
    pub(super) fn new(
        settings: Settings,
        service: JobService,
        names: HashSet<&'static str>,
    ) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(settings.concurrency)),
            short: AtomicUsize::new(0),
            settings,
            service,
            names,
            stop: CancellationToken::new(),
            cancel: CancellationToken::new(),
            hard: CancellationToken::new(),
            jobs: TaskTracker::new(),
            report: Mutex::default(),
            drained: Mutex::default(),
        })
    }

    /// Returns the name of a job for metrics: jobs without a handler share one, because anybody may enqueue
    /// them.
    pub(super) fn known(&self, name: &str) -> &'static str {
        self.names.get(name).copied().unwrap_or("unknown")
    }

    /// Runs until `stop` resolves and it has stopped.
    pub(super) async fn run(
        self: Arc<Self>,
        queues: &[Queue],
        stop: impl Future<Output = ()> + Send,
    ) -> Report {
        let (links, mut background) = self.link(queues);
        let _guard = self.drop_guard();
        let takers = TaskTracker::new();
        for link in &links {
            takers.spawn(self.clone().take(link.clone()));
        }
        takers.close();
        for link in &links {
            let link = link.clone();
            let observing = tokio::spawn(async move { link.observe().await });
            background.push(AbortOnDrop(observing.abort_handle()));
        }
        drop(links);
        stop.await;
        self.stop.cancel();
        self.jobs.close();
        // The tasks give back the jobs that they were about to receive.
        let taken = async {
            takers.wait().await;
            self.jobs.wait().await;
        };
        self.wind_down(taken).await;
        // Jobs that still run are not stopped: their leases end, because nobody renews them.
        let left = self.jobs.len() as u64;
        drop(background);
        let mut report = self.report();
        report.abandoned += left;
        *report
    }

    /// Waits until no job runs, and all are counted.
    pub(super) async fn all_done(&self) {
        self.jobs.close();
        self.jobs.wait().await;
        self.jobs.reopen();
    }

    /// Ends everything that was begun, once the future of the worker is dropped.
    pub(super) fn drop_guard(&self) -> impl Drop + use<> {
        struct Guard([CancellationToken; 3]);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.iter().for_each(CancellationToken::cancel);
            }
        }
        Guard([self.stop.clone(), self.cancel.clone(), self.hard.clone()])
    }

    /// Waits for the grace period, then cancels contexts, then drops handlers.
    async fn wind_down(&self, stopped: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        let grace = async {
            sleep(self.settings.grace).await;
            self.cancel.cancel();
            sleep(WIND_UP).await;
        };
        tokio::select! {
            () = &mut stopped => return,
            () = grace => {}
            () = self.settings.forced() => self.cancel.cancel(),
        }
        self.hard.cancel();
        let _ = timeout(LAST, stopped).await;
    }

    /// Begins the tasks that renew leases and send outcomes. They end when the returned values are dropped.
    pub(super) fn link(self: &Arc<Self>, queues: &[Queue]) -> (Vec<Arc<Link>>, Vec<AbortOnDrop>) {
        let mut background = Vec::new();
        let mut links = Vec::new();
        for queue in queues {
            // Each job has at most one outcome, so the channel is never full for long.
            let (outcomes, inbox) = mpsc::channel(self.settings.concurrency);
            let metrics = Metrics::new(queue.name(), queue.number());
            // An alert sees a counter rise only if it was there before.
            self.names.iter().for_each(|name| drop(metrics.of(name)));
            let link = Arc::new(Link {
                queue: queue.clone(),
                renewals: Renewals::new(queue.clone()),
                outcomes,
                metrics,
                is_short: AtomicBool::new(false),
            });
            let renewing = link.clone();
            let renewing = tokio::spawn(async move { renewing.renewals.run().await });
            let settling = Settling {
                running: self.clone(),
                link: Arc::downgrade(&link),
                queue: queue.clone(),
            };
            let settling = tokio::spawn(settling.run(inbox));
            background.push(AbortOnDrop(renewing.abort_handle()));
            background.push(AbortOnDrop(settling.abort_handle()));
            links.push(link);
        }
        (links, background)
    }

    /// Takes jobs of one queue for free places, until it is told to stop.
    async fn take(self: Arc<Self>, link: Arc<Link>) {
        let mut failures = 0;
        // Held while there are no jobs: it is this task's turn to wait at the store.
        let mut turn: Option<Turn<'_>> = None;
        loop {
            let places = match self.places_now() {
                places if places.is_empty() => {
                    // Another worker of this process may have free places.
                    turn = None;
                    self.set_short(&link, true);
                    let places = tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return,
                        places = self.free_places() => places,
                    };
                    self.set_short(&link, false);
                    places
                }
                places => places,
            };
            if self.stop.is_cancelled() {
                return;
            }
            // Not dropped at a stop: the jobs that it takes are begun, or given back and reported.
            let started = Instant::now();
            let taken = link.queue.take(places.len());
            let taken = link.queue.in_time(taken).await;
            let turned = match taken {
                Ok((taken, _)) if !taken.is_empty() => {
                    (failures, turn) = (0, None);
                    self.begin(&link, taken, places, started).await;
                    continue;
                }
                Ok((_, next_in)) => {
                    // No places are held while it waits, so other queues can use all of them.
                    drop(places);
                    self.wait(&link, &mut turn, next_in).await
                }
                Err(error) => Err(error),
            };
            match turned {
                Ok(()) => failures = 0,
                Err(error) => {
                    turn = None;
                    if failures == 0 {
                        let queue = link.queue.name();
                        tracing::warn!(queue, %error, "no jobs were taken; trying again");
                    }
                    failures += 1;
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = pause_after(failures) => {}
                    }
                }
            }
        }
    }

    /// Waits until the queue should be looked at again: at once, if it was only just registered.
    async fn wait<'a>(
        &self,
        link: &'a Link,
        turn: &mut Option<Turn<'a>>,
        next_in: Option<Duration>,
    ) -> Result<()> {
        match turn {
            None => {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {}
                    began = link.turn() => *turn = Some(began?),
                }
            }
            Some(turn) => {
                let lease = Duration::from(link.queue.lease());
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => {}
                    () = turn.wait(next_in.unwrap_or(lease).min(lease)) => {}
                }
            }
        }
        Ok(())
    }

    fn set_short(&self, link: &Link, is_short: bool) {
        link.is_short.store(is_short, Ordering::SeqCst);
        match is_short {
            true => self.short.fetch_add(1, Ordering::SeqCst),
            false => self.short.fetch_sub(1, Ordering::SeqCst),
        };
    }

    /// Returns whether the places of ended jobs may be used for more jobs of the same queue: no other queue
    /// waits for one.
    pub(super) fn may_exchange(&self, link: &Link) -> bool {
        let own = usize::from(link.is_short.load(Ordering::SeqCst));
        !self.stop.is_cancelled() && self.short.load(Ordering::SeqCst) <= own
    }

    /// Takes all free places, if there are any.
    fn places_now(&self) -> Vec<OwnedSemaphorePermit> {
        let mut places = Vec::new();
        while places.len() < MAX_BATCH {
            let Ok(place) = self.places.clone().try_acquire_owned() else {
                break;
            };
            places.push(place);
        }
        places
    }

    /// Waits for a free place, and takes all free ones.
    pub(super) async fn free_places(&self) -> Vec<OwnedSemaphorePermit> {
        // It is never closed.
        let first = self.places.clone().acquire_owned().await;
        let mut places = self.places_now();
        places.truncate(MAX_BATCH - 1);
        places.extend(first);
        places
    }

    /// Begins a task for each job, or gives all back if the worker was told to stop.
    pub(super) async fn begin(
        self: &Arc<Self>,
        link: &Arc<Link>,
        taken: Vec<Delivery>,
        places: Vec<OwnedSemaphorePermit>,
        started: Instant,
    ) {
        if self.stop.is_cancelled() {
            return self.give_back(link, taken).await;
        }
        for (delivery, place) in taken.into_iter().zip(places) {
            link.metrics.taken(self.known(delivery.name()), &delivery);
            // Counted from now on, so that a job that is just beginning is not overlooked.
            let counted = self.jobs.token();
            let (running, link) = (self.clone(), link.clone());
            tokio::spawn(job::run(running, link, delivery, started, place, counted));
        }
    }

    /// Counts a job that has ended.
    pub(super) fn count(&self, finished: Finished) {
        if self.stop.is_cancelled() {
            self.report().count(finished);
        }
        self.drained().count(finished);
    }

    /// Gives back jobs that were taken while the worker was told to stop.
    async fn give_back(&self, link: &Link, taken: Vec<Delivery>) {
        let receipts: Vec<_> = taken.iter().map(|it| it.receipt().clone()).collect();
        let released = link.queue.release_many(&receipts);
        let finished = match link.queue.in_time(released).await {
            Ok(_) => Finished::Released,
            Err(_) => Finished::Abandoned,
        };
        let mut report = self.report();
        receipts.iter().for_each(|_| report.count(finished));
    }

    pub(super) fn drained(&self) -> std::sync::MutexGuard<'_, Drained> {
        self.drained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a worker counts the jobs of a queue.
const OBSERVED_EACH: Duration = Duration::from_secs(15);

impl Link {
    /// Waits for the turn to wait at the store, which may take long, and registers there, which may not.
    async fn turn(&self) -> Result<Turn<'_>> {
        let mut turn = self.queue.turn().await;
        self.queue.begin(&mut turn).await?;
        Ok(turn)
    }

    /// Keeps the gauges of the queue up to date, for as long as it is polled.
    async fn observe(&self) {
        loop {
            if let Ok(counts) = self.queue.in_time(self.queue.counts()).await {
                self.metrics.observe(&counts);
            }
            sleep(OBSERVED_EACH).await;
        }
    }
}

/// A task that ends with its owner.
pub(super) struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
