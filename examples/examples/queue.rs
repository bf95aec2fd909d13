//! A job queue with a worker: mails are sent in the background, retried, and in the end given up.
//!
//! `STORE_URL` is optional.
//!
//! ```text
//! $ cargo run -p larder-examples --example queue
//! ada is welcomed
//! the mail server is away: grace is tried again
//! grace is welcomed at attempt 2
//! there is no nobody
//! 2 are done, 1 is a dead letter: there is no nobody
//! ```

use std::env::var;
use std::io::Write;
use std::time::Duration;

use larder::queue::worker::{Attempt, Backoff, JobError, State, Worker};
use larder::queue::{Job, Queue, State as JobState};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

#[derive(Serialize, Deserialize)]
struct Welcome {
    name: String,
}

impl Job for Welcome {
    const NAME: &'static str = "welcome";
}

/// The state that the handlers share.
#[derive(Clone)]
struct Mailer;

impl Mailer {
    /// Stands in for a mail server.
    fn send(&self, text: &str) -> std::io::Result<()> {
        writeln!(std::io::stdout(), "{text}")
    }
}

async fn welcome(
    job: Welcome,
    State(mailer): State<Mailer>,
    Attempt(attempt): Attempt,
) -> Result<(), JobError> {
    match job.name.as_str() {
        "grace" if attempt == 1 => {
            mailer.send("the mail server is away: grace is tried again")?;
            // Any error that `?` passes on is retried too.
            Err(JobError::retry("the mail server is away"))
        }
        "nobody" => {
            mailer.send("there is no nobody")?;
            Err(JobError::dead("there is no nobody"))
        }
        name if attempt == 1 => Ok(mailer.send(&format!("{name} is welcomed"))?),
        name => Ok(mailer.send(&format!("{name} is welcomed at attempt {attempt}"))?),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = larder::connect(&var("STORE_URL").unwrap_or("memory://".to_owned())).await?;
    let queue = Queue::new(store, "example-mail")?;
    // Jobs that an earlier run has left.
    queue.purge(JobState::Dead).await?;
    queue.purge(JobState::Done).await?;

    let (stop, stopped) = oneshot::channel::<()>();
    let worker = Worker::new(queue.clone())
        .on(welcome)
        .with_state(Mailer)
        // One at a time, so that the output is in order.
        .with_concurrency(1)
        .with_backoff(Backoff::constant(Duration::from_millis(100)));
    // In a service it waits for a signal.
    let worker = tokio::spawn(worker.run_until(async { drop(stopped.await) }));

    for name in ["ada", "grace"] {
        let name = name.to_owned();
        queue.enqueue(&Welcome { name }).await?;
    }
    while queue.counts().await?.done < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let name = "nobody".to_owned();
    queue.enqueue(&Welcome { name }).await?;
    while queue.counts().await?.dead < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stop);
    worker.await??;

    let counts = queue.counts().await?;
    let dead = queue.list(JobState::Dead, None).await?;
    let reason = dead.jobs[0].reason();
    let (done, dead) = (counts.done, counts.dead);
    Mailer.send(&format!(
        "{done} are done, {dead} is a dead letter: {reason}"
    ))?;
    Ok(())
}
