use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::util::{BoxCloneSyncService, MapErr};
use tower::{Layer, Service, ServiceExt};

use super::JobContext;
use super::error::{BoxError, JobError};
use super::handler::{Handler, HandlerFuture};

/// A job on its way through the layers to its handler.
#[derive(Clone, Debug)]
pub struct JobRequest {
    context: JobContext,
}

impl JobRequest {
    pub(super) fn new(context: JobContext) -> Self {
        Self { context }
    }

    /// Returns the run of the job: its name, id, attempt, headers and lease.
    pub fn context(&self) -> &JobContext {
        &self.context
    }
}

/// The handlers of a worker as a tower service, which layers wrap.
#[derive(Clone)]
pub struct JobService(BoxCloneSyncService<JobRequest, (), JobError>);

impl JobService {
    /// Runs a job through the layers to its handler.
    pub(super) fn run(
        &self,
        request: JobRequest,
    ) -> impl Future<Output = Result<(), JobError>> + use<> {
        self.0.clone().oneshot(request)
    }

    /// Wraps the service in a layer, which may have boxed the errors of jobs.
    pub(super) fn wrapped<L>(self, layer: &L) -> Self
    where
        L: Layer<Self>,
        L::Service: Service<JobRequest, Response = ()> + Clone + Send + Sync + 'static,
        <L::Service as Service<JobRequest>>::Error: Into<BoxError>,
        <L::Service as Service<JobRequest>>::Future: Send + 'static,
    {
        let unboxed =
            |error: <L::Service as Service<JobRequest>>::Error| JobError::from_box(error.into());
        Self(BoxCloneSyncService::new(MapErr::new(
            layer.layer(self),
            unboxed,
        )))
    }
}

impl Service<JobRequest> for JobService {
    type Response = ();
    type Error = JobError;
    type Future = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), JobError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: JobRequest) -> Self::Future {
        self.0.call(request)
    }
}

impl fmt::Debug for JobService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobService").finish_non_exhaustive()
    }
}

/// The handlers of a worker by the names of their jobs.
pub(super) type Handlers<S> = HashMap<&'static str, Arc<dyn Run<S>>>;

/// A handler with its type erased.
pub(super) trait Run<S>: Send + Sync {
    fn run(&self, context: JobContext, state: S) -> HandlerFuture;
}

/// A handler of jobs that are decoded first.
pub(super) struct Decoding<H, M> {
    handler: H,
    _arguments: PhantomData<fn() -> M>,
}

impl<H, M> Decoding<H, M> {
    pub(super) fn new(handler: H) -> Self {
        Self {
            handler,
            _arguments: PhantomData,
        }
    }
}

impl<S, M: 'static, H: Handler<M, S>> Run<S> for Decoding<H, M> {
    fn run(&self, context: JobContext, state: S) -> HandlerFuture {
        match context.delivery().job() {
            Ok(job) => self.handler.clone().call(job, context, state),
            Err(error) => Box::pin(std::future::ready(Err(error.into()))),
        }
    }
}

/// A handler with its state.
pub(super) struct WithState<S> {
    pub(super) handler: Arc<dyn Run<S>>,
    pub(super) state: S,
}

impl<S: Clone + Send + Sync, Any> Run<Any> for WithState<S> {
    fn run(&self, context: JobContext, _: Any) -> HandlerFuture {
        self.handler.run(context, self.state.clone())
    }
}

/// The innermost service: finds the handler by the name of the job.
#[derive(Clone)]
struct Dispatch(Arc<Handlers<()>>);

impl Service<JobRequest> for Dispatch {
    type Response = ();
    type Error = JobError;
    type Future = HandlerFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), JobError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, JobRequest { context }: JobRequest) -> HandlerFuture {
        if let Some(handler) = self.0.get(context.name()) {
            return handler.run(context, ());
        }
        let error = match context.delivery().payload() {
            // A newer version of the application may know this job.
            Ok(_) => JobError::retry(format!(
                "no handler for jobs named '{}': add one with Worker::on",
                context.name()
            )),
            Err(damaged) => damaged.into(),
        };
        Box::pin(std::future::ready(Err(error)))
    }
}

/// Makes the service of the handlers.
pub(super) fn dispatch(handlers: Arc<Handlers<()>>) -> JobService {
    JobService(BoxCloneSyncService::new(Dispatch(handlers)))
}
