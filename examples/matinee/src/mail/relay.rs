use std::sync::Arc;
use std::time::Duration;

use larder::queue::{JobId, NewJob};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Mail;
use super::message::name;
use super::worker::SendLetter;
use crate::clock::now_ms;
use crate::db::{self, WaitingLetter};

/// Wakes the relay of this process when a letter has been written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox(Arc<Notify>);

/// How often the relay looks for letters without being woken, such as those of a process that died.
const LOOK: Duration = Duration::from_secs(5);
/// A letter that is still not sent after this time is handed over again: the store may have lost
/// it.
const AGAIN_MS: i64 = 60_000;
/// How many letters are handed over together.
const BATCH: u32 = 100;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

impl Outbox {
    /// Signals that a letter was written and committed.
    pub(crate) fn has_mail(&self) {
        self.0.notify_one();
    }
}

impl Mail {
    /// Keeps handing the letters of the outbox to the queue.
    pub(super) async fn relay(&self) {
        // The first pass takes all letters that are left: the store in this process has forgotten
        // what it had.
        let mut before_ms = now_ms();
        loop {
            match self.hand_over(before_ms).await {
                Ok(all) if all == BATCH as usize => continue,
                Ok(_) => {
                    let _ = timeout(LOOK, self.outbox.0.notified()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "letters were not handed to the queue; trying again");
                    sleep(PAUSE).await;
                    continue;
                }
            }
            before_ms = now_ms() - AGAIN_MS;
        }
    }

    /// Hands over one batch, and returns the number of its letters.
    ///
    /// A letter has one job, however often it is handed over, because the queue recognizes its id.
    pub(super) async fn hand_over(&self, before_ms: i64) -> Result<usize, HandOverError> {
        let letters = db::letters_to_hand(&self.pool, before_ms, now_ms(), BATCH).await?;
        if letters.is_empty() {
            return Ok(0);
        }
        let job = |letter: &WaitingLetter| {
            let job = NewJob::new(&SendLetter { letter: letter.id });
            JobId::new(&name(letter.id, letter.written_at_ms)).map(|id| job.with_id(id))
        };
        let jobs = letters.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        let results = self.queue.enqueue_many(jobs).await;
        let all = letters.len();
        let handed = letters.into_iter().zip(&results);
        let handed: Vec<_> = handed
            .filter_map(|(letter, result)| result.is_ok().then_some(letter.id))
            .collect();
        db::note_handed(&self.pool, &handed, now_ms()).await?;
        results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(all)
    }
}

/// Why letters were not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandOverError {
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the store did not answer: {0}")]
    Store(#[from] larder::Error),
}
