use std::time::Duration;

use larder::queue::periodic::{Periodic, Schedule};
use larder::queue::worker::{Backoff, JobError, State, Worker};
use larder::queue::{Job, NewJob};
use serde::{Deserialize, Serialize};

use super::{Mail, message};
use crate::clock::now_ms;
use crate::db;

/// How many letters are written at once.
const AT_ONCE: usize = 4;
/// The pauses between attempts to send a letter. They grow to a minute, and then go on until it is sent.
const BACKOFF: Backoff = Backoff::exponential(Duration::from_secs(1), Duration::from_secs(60));
/// How long letters that are being written may take after the app is told to stop.
const GRACE: Duration = Duration::from_secs(3);
/// How long before a showing its visitors are reminded.
const AHEAD_MS: i64 = 3 * 60 * 60 * 1000;

/// The job that sends a letter of the outbox.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SendLetter {
    pub(super) letter: i64,
}

impl Job for SendLetter {
    const NAME: &'static str = "send-letter";
}

/// The job that writes the reminders that are due, and deletes those that are too late.
#[derive(Debug, Serialize, Deserialize)]
struct Remind;

impl Job for Remind {
    const NAME: &'static str = "remind";
}

impl Mail {
    pub(super) fn worker(&self) -> Worker {
        Worker::new(self.queue.clone())
            .on(send_letter)
            .on(remind)
            .with_state(self.clone())
            .with_concurrency(AT_ONCE)
            .with_backoff(BACKOFF)
            .with_grace(GRACE)
    }

    /// Returns the schedule of reminders: each tick is one job, however many processes run.
    pub(super) fn reminders(&self) -> larder::Result<Periodic> {
        let schedule = Schedule::every(self.remind_every)?;
        Periodic::new(self.queue.clone()).on("reminders", schedule, |_| NewJob::new(&Remind))
    }
}

/// Writes the letter to the disk, then records that it is sent. If it runs again, it does nothing or
/// writes the same file. A reminder that comes too late is not sent.
async fn send_letter(job: SendLetter, State(mail): State<Mail>) -> Result<(), JobError> {
    let Some(letter) = db::letter(&mail.pool, job.letter, now_ms()).await? else {
        return Ok(());
    };
    let name = message::name(letter.id, letter.written_at_ms);
    let (file, text) = (format!("{name}.matinee"), message::message(&letter));
    mail.maildir.deliver(file, text).await?;
    db::note_sent(&mail.pool, &letter, now_ms()).await?;
    Ok(())
}

async fn remind(_: Remind, State(mail): State<Mail>) -> Result<(), JobError> {
    let written = db::write_reminders(&mail.pool, now_ms(), AHEAD_MS).await?;
    if written > 0 {
        mail.outbox.has_mail();
    }
    let late = db::delete_late_reminders(&mail.pool, now_ms()).await?;
    if late > 0 {
        tracing::warn!(late, "reminders were not sent before their showings began");
    }
    Ok(())
}
