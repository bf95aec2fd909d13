use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use super::JobContext;
use super::error::{IntoOutcome, JobError};
use crate::Job;

/// The future of a handler.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<(), JobError>> + Send>>;

/// An async function that runs the jobs of one type.
///
/// It takes the job, and then up to six arguments that implement [`FromContext`]: [`State`], [`Attempt`],
/// [`JobContext`], or types of your own. It returns nothing, or a result whose error converts into a
/// [`JobError`]. The trait is implemented for such functions; you need not implement it.
///
/// ```
/// # use larder_queue::Job;
/// # use larder_queue::worker::{Attempt, JobError, State};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Confirmation;
/// # impl Job for Confirmation { const NAME: &'static str = "confirmation"; }
/// # #[derive(Clone)]
/// # struct Mailer;
/// async fn confirm(job: Confirmation, State(mailer): State<Mailer>, attempt: Attempt) -> Result<(), JobError> {
///     // ...
/// #   let _ = (job, mailer, attempt);
///     Ok(())
/// }
/// ```
///
/// The compiler infers `M`, which distinguishes functions with different arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run jobs",
    note = "a handler is `async fn(job, ..) -> Result<(), E>`, where the first argument implements `Job`, the others implement `FromContext`, and `E` converts into `JobError`"
)]
pub trait Handler<M, S>: Clone + Send + Sync + 'static {
    /// The jobs that it runs.
    type Job: Job;

    /// Runs a job.
    fn call(self, job: Self::Job, context: JobContext, state: S) -> HandlerFuture;
}

/// An argument of a handler in addition to the job.
///
/// # Implementing
/// It is made before the handler runs. An error is the outcome of the job.
pub trait FromContext<S>: Sized {
    /// The error if the argument cannot be made.
    type Error: Into<JobError>;

    /// Makes the argument.
    ///
    /// Defined by the implementor; the handler then does not run.
    fn from_context(context: &JobContext, state: &S) -> Result<Self, Self::Error>;
}

/// The state that the worker was given, as an argument of a handler.
#[derive(Clone, Copy, Debug, Default)]
pub struct State<S>(pub S);

/// The number of this attempt, from 1, as an argument of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt(pub u32);

impl<S: Clone> FromContext<S> for State<S> {
    type Error = Infallible;

    fn from_context(_: &JobContext, state: &S) -> Result<Self, Infallible> {
        Ok(Self(state.clone()))
    }
}

impl<S> FromContext<S> for Attempt {
    type Error = Infallible;

    fn from_context(context: &JobContext, _: &S) -> Result<Self, Infallible> {
        Ok(Self(context.attempt()))
    }
}

impl<S> FromContext<S> for JobContext {
    type Error = Infallible;

    fn from_context(context: &JobContext, _: &S) -> Result<Self, Infallible> {
        Ok(context.clone())
    }
}

macro_rules! handler {
    ($($argument:ident),*) => {
        #[diagnostic::do_not_recommend]
        #[allow(non_snake_case, unused_variables, reason = "an argument is called as its type is")]
        impl<F, Fut, S, J, $($argument,)*> Handler<(J, $($argument,)*), S> for F
        where
            F: FnOnce(J, $($argument,)*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output: IntoOutcome> + Send,
            J: Job + Send + 'static,
            S: Send + 'static,
            $($argument: FromContext<S> + Send,)*
        {
            type Job = J;

            fn call(self, job: J, context: JobContext, state: S) -> HandlerFuture {
                Box::pin(async move {
                    $(let $argument = $argument::from_context(&context, &state).map_err(Into::into)?;)*
                    drop((context, state));
                    self(job, $($argument,)*).await.into_outcome()
                })
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);
handler!(A, B, C, D, E, G);
