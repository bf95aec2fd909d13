use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use larder_store::{Error, ErrorKind, Result};
use tower::{Layer, Service};

use super::Backoff;
use super::error::BoxError;
use super::handler::Handler;
use super::report::Report;
use super::run::Running;
use super::service::{Decoding, Handlers, JobRequest, JobService, WithState, dispatch};
use crate::{Job, MAX_DELAY, Queue};

/// Takes jobs from queues and runs their handlers. See the [module](super) for the rules.
///
/// `S` is the state that handlers still lack; [`with_state`](Self::with_state) provides it.
#[derive(Clone)]
pub struct Worker<S = ()> {
    pub(super) queues: Vec<Queue>,
    handlers: Handlers<S>,
    layers: Vec<Arc<dyn Fn(JobService) -> JobService + Send + Sync>>,
    settings: Settings,
    /// The name of jobs that have two handlers.
    ambiguous: Option<&'static str>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) concurrency: usize,
    pub(super) backoff: Backoff,
    pub(super) grace: Duration,
    pub(super) max_run: Duration,
    force: Option<Shared<BoxFuture<'static, ()>>>,
}

const DEFAULT_CONCURRENCY: usize = 16;
const MAX_CONCURRENCY: usize = 1 << 20;
const DEFAULT_GRACE: Duration = Duration::from_secs(25);
const DEFAULT_MAX_RUN: Duration = Duration::from_secs(24 * 3_600);

impl<S> Worker<S> {
    /// Makes a worker that takes jobs from `queue`.
    pub fn new(queue: Queue) -> Self {
        Self {
            queues: vec![queue],
            handlers: HashMap::new(),
            layers: Vec::new(),
            settings: Settings {
                concurrency: DEFAULT_CONCURRENCY,
                backoff: Backoff::default(),
                grace: DEFAULT_GRACE,
                max_run: DEFAULT_MAX_RUN,
                force: None,
            },
            ambiguous: None,
        }
    }

    /// Takes jobs from another queue too. All queues share the concurrency limit and the handlers.
    #[must_use]
    pub fn with_queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// Runs the jobs of one type with `handler`: see [`Handler`].
    ///
    /// A worker with two handlers for jobs of one name runs none: [`run_until`](Worker::run_until),
    /// [`drain`](Worker::drain) and [`run_inline`](Worker::run_inline) return an error.
    #[must_use]
    pub fn on<H, M>(mut self, handler: H) -> Self
    where
        H: Handler<M, S>,
        M: 'static,
    {
        let name = <H::Job as Job>::NAME;
        let before = self.handlers.insert(name, Arc::new(Decoding::new(handler)));
        if before.is_some() {
            self.ambiguous = Some(name);
        }
        self
    }

    /// Provides the state of the handlers so far, for [`State`](super::State).
    #[must_use]
    pub fn with_state<Next>(self, state: S) -> Worker<Next>
    where
        S: Clone + Send + Sync + 'static,
    {
        let handlers = self.handlers.into_iter().map(|(name, handler)| {
            let state = state.clone();
            let handler: Arc<dyn super::service::Run<Next>> =
                Arc::new(WithState { handler, state });
            (name, handler)
        });
        Worker {
            queues: self.queues,
            handlers: handlers.collect(),
            layers: self.layers,
            settings: self.settings,
            ambiguous: self.ambiguous,
        }
    }

    /// Wraps all handlers in a tower layer, such as a timeout. The last one is the outermost.
    ///
    /// An error of the layer itself is a failure that is retried.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<JobService> + Send + Sync + 'static,
        L::Service: Service<JobRequest, Response = ()> + Clone + Send + Sync + 'static,
        <L::Service as Service<JobRequest>>::Error: Into<BoxError>,
        <L::Service as Service<JobRequest>>::Future: Send + 'static,
    {
        let wrap = move |service: JobService| service.wrapped(&layer);
        self.layers.push(Arc::new(wrap));
        self
    }

    /// Sets how many jobs run at once, over all queues. The default is 16, the minimum 1.
    #[must_use]
    pub fn with_concurrency(mut self, jobs: usize) -> Self {
        self.settings.concurrency = jobs.clamp(1, MAX_CONCURRENCY);
        self
    }

    /// Sets the pauses before failed jobs are tried again. See [`Backoff`] for the default.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Backoff) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// Sets how long running jobs may take once the worker is told to stop. The default is 25 s, so that it ends
    /// within the 30 s that orchestrators allow.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// Ends the grace period once `signal` resolves, for example at a second signal.
    #[must_use]
    pub fn with_force(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.settings.force = Some(signal.boxed().shared());
        self
    }

    /// Sets how long the lease of one run is renewed, at most ten years. The default is 24 h.
    ///
    /// A handler that hangs for longer loses its lease, and the job is run again. The handler occupies its slot
    /// until it returns: use a [layer](Self::layer) such as tower's timeout to end it.
    #[must_use]
    pub fn with_max_run(mut self, time: Duration) -> Self {
        self.settings.max_run = time.min(MAX_DELAY);
        self
    }
}

impl Worker {
    /// Runs until `stop` resolves and running jobs have ended, and reports their outcomes.
    ///
    /// It then takes no more jobs, at once and on all queues, and continues to renew the leases of those that
    /// run. After the grace period their contexts are [cancelled](super::JobContext::cancelled). A second later
    /// handlers that still run are dropped, and their jobs released: available at once, with the attempt
    /// uncounted. A handler that blocks its thread cannot be dropped; its job is abandoned, and available when
    /// its lease ends. [`with_force`](Self::with_force) skips the wait.
    ///
    /// With a `CancellationToken` of tokio-util, pass `token.cancelled_owned()`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] at once if jobs of one name have two handlers. An error of the store never ends it.
    ///
    /// # Cancellation
    /// Dropping the future stops taking jobs and drops the handlers. Their jobs are available when their leases
    /// end. Let `stop` resolve instead.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<Report> {
        let running = self.running("run_until")?;
        Ok(running.run(&self.queues, stop).await)
    }

    /// Checks that each job has one handler.
    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        let Some(name) = self.ambiguous else {
            return Ok(());
        };
        let text = format!("jobs named '{name}' have two handlers: register one with Worker::on");
        // A worker is often spawned, and its result read only when the app ends.
        tracing::error!("a worker does not run: {text}");
        Err(Error::new(operation, ErrorKind::Invalid, text))
    }

    pub(super) fn running(&self, operation: &'static str) -> Result<Arc<Running>> {
        self.check(operation)?;
        let names: HashSet<_> = self.handlers.keys().copied().collect();
        Ok(Running::new(self.settings.clone(), self.service(), names))
    }

    pub(super) fn service(&self) -> JobService {
        let service = dispatch(Arc::new(self.handlers.clone()));
        self.layers
            .iter()
            .fold(service, |service, layer| layer(service))
    }
}

impl Settings {
    /// Waits until the worker is told to end at once.
    pub(super) async fn forced(&self) {
        match &self.force {
            Some(signal) => signal.clone().await,
            None => std::future::pending().await,
        }
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queues: Vec<_> = self.queues.iter().map(Queue::name).collect();
        f.debug_struct("Worker")
            .field("queues", &queues)
            .field("jobs", &self.handlers.keys())
            .field("concurrency", &self.settings.concurrency)
            .finish_non_exhaustive()
    }
}
