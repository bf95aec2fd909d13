//! The worker: takes jobs from queues and runs their handlers.
//!
//! ```
//! # use std::sync::Arc;
//! # use std::time::Duration;
//! # use larder_queue::{Job, Queue};
//! # use larder_queue::worker::{Attempt, Backoff, JobError, State, Worker};
//! # use serde::{Deserialize, Serialize};
//! #[derive(Serialize, Deserialize)]
//! struct Welcome {
//!     user: u64,
//! }
//!
//! impl Job for Welcome {
//!     const NAME: &'static str = "welcome";
//! }
//!
//! #[derive(Clone)]
//! struct Mailer;
//!
//! async fn welcome(job: Welcome, State(mailer): State<Mailer>, attempt: Attempt) -> Result<(), JobError> {
//!     // Sends the mail. With `?`, any error lets the job be retried.
//! #   let _ = (job.user, mailer, attempt);
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> larder_store::Result<()> {
//! # let store = Arc::new(larder_moka::MokaStore::new());
//! let queue = Queue::new(store, "mail")?;
//! let stop = async { /* waits for a signal, in a service */ };
//! let report = Worker::new(queue)
//!     .on(welcome)
//!     .with_state(Mailer)
//!     .with_concurrency(16)
//!     .with_backoff(Backoff::exponential(Duration::from_secs(5), Duration::from_secs(3_600)))
//!     .run_until(stop)
//!     .await?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Rules
//! 1. A worker takes only as many jobs as it has free slots ([`with_concurrency`](Worker::with_concurrency)): none
//!    waits in its memory.
//! 2. While a handler runs its lease is renewed. If the lease is lost, the job's [context](JobContext) is
//!    cancelled, and the queue refuses the handler's later outcome.
//! 3. If a handler returns `Ok`, its job is acknowledged. Acknowledgements are gathered and sent together.
//! 4. A failed job is retried after the [`Backoff`], up to
//!    [`Queue::with_max_attempts`](crate::Queue::with_max_attempts) attempts, and is then a dead letter; a
//!    [`JobError`] can decide otherwise. A panic is a failure, and so is a payload that cannot be decoded,
//!    or a job without a handler: neither ends the worker.
//! 5. After an error of the store, the call is tried again after a random pause, of up to 50 ms at first and up
//!    to 5 s later. It never ends the worker. An outcome is sent until the queue has it, and occupies its slot
//!    meanwhile.
//! 6. When the worker is told to stop it takes no more jobs, at once and on all its queues, and waits for
//!    the grace period. Then the contexts are cancelled, and a moment later handlers are dropped and their
//!    jobs released, uncounted and available at once. See [`Worker::run_until`].
//!
//! # Deployment caveat
//! A job can run twice: if its worker was stopped for longer than its lease, or died after the work and
//! before the acknowledgement. Make the work idempotent, or let the system that it writes to check the
//! [fence](JobContext::fence).

mod backoff;
mod builder;
mod clock;
mod context;
mod drain;
mod error;
mod handler;
mod job;
mod lease;
mod pauses;
mod progress;
mod report;
mod run;
mod service;
mod settle;

pub use backoff::Backoff;
pub use builder::Worker;
pub use clock::TokioClock;
pub use context::{JobContext, TRACEPARENT};
pub use drain::Drained;
pub use error::{BoxError, IntoOutcome, JobError, JobErrorKind};
pub use handler::{Attempt, FromContext, Handler, HandlerFuture, State};
pub(crate) use pauses::pause_after;
pub(crate) use report::Finished;
pub use report::Report;
pub use service::{JobRequest, JobService};
