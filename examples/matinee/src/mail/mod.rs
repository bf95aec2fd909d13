//! Letters to visitors: the confirmation of a booking, and a reminder before the showing.
//!
//! A letter is a row of the outbox, written in the transaction of the event that it reports. The relay
//! hands it to a queue, and a worker sends it and records that. Whatever fails in between, the row is
//! still there, and is handed over again; a letter that is sent twice is one file.

mod maildir;
mod message;
mod relay;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use larder::queue::Queue;
use larder::{Store, Ttl};
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;

pub(crate) use self::relay::Outbox;

use self::maildir::Maildir;
use crate::config::Config;
use crate::errors::StartError;

/// The queue's name.
pub(crate) const QUEUE: &str = "mail";
/// Sending takes milliseconds. If a worker is killed, another one sends the letter after this time.
const LEASE: Ttl = Ttl::from_secs(5);
/// Letters are never given up: a job that is dead keeps its id, so its letter could not be handed over again.
const ATTEMPTS: u32 = u32::MAX;

/// Sends letters in the background.
#[derive(Clone)]
pub(crate) struct Mail {
    pool: SqlitePool,
    queue: Queue,
    outbox: Outbox,
    maildir: Maildir,
    remind_every: Duration,
}

impl Mail {
    /// Opens the queue and the mail directory. `outbox` signals new letters.
    pub(crate) async fn open(
        config: &Config,
        pool: SqlitePool,
        store: Arc<dyn Store>,
        outbox: Outbox,
    ) -> Result<Self, StartError> {
        let maildir = Maildir::open(&config.mail_dir).await;
        let maildir = maildir.map_err(|source| StartError::Mail {
            directory: config.mail_dir.clone(),
            source,
        })?;
        Ok(Self {
            pool,
            queue: Queue::new(store, QUEUE)?
                .with_lease(LEASE)
                .with_max_attempts(ATTEMPTS),
            outbox,
            maildir,
            remind_every: config.remind_every,
        })
    }

    /// Hands over and sends letters until `stop` is cancelled and the letters that are being sent are
    /// finished.
    pub(crate) async fn run(self, stop: CancellationToken) -> larder::Result<()> {
        let (worker, reminders) = (self.worker(), self.reminders()?);
        let relay = stop.run_until_cancelled(self.relay());
        let (report, (), _) = tokio::try_join!(
            worker.run_until(stop.cancelled()),
            reminders.run_until(stop.cancelled()).map(Ok),
            relay.map(Ok),
        )?;
        tracing::debug!(%report, "the worker of letters has stopped");
        Ok(())
    }
}
