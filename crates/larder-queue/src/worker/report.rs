use std::fmt;

/// The outcomes of the jobs that were running when a worker was told to stop.
///
/// If the reply to an outcome is lost, it is sent again. If the queue then answers that the lease is lost, the job
/// counts as what was sent: most likely the first request was carried out. An acknowledgement counts so only if the
/// queue [remembers](crate::Queue::with_max_done) no done jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Jobs that are done.
    pub done: u64,
    /// Attempts that failed, after which the job is tried again.
    pub failed: u64,
    /// Jobs that became dead letters.
    pub dead: u64,
    /// Runs whose handler has snoozed the job.
    pub snoozed: u64,
    /// Jobs that were given back to the queue: they are available at once, and their attempt is not counted.
    pub released: u64,
    /// Jobs whose handler did not stop, or whose outcome the queue does not have: it was not reached, or the
    /// lease was lost. They are available again when their lease ends, and their attempt is counted.
    pub abandoned: u64,
}

impl Report {
    pub(super) fn count(&mut self, finished: Finished) {
        match finished {
            Finished::Done => self.done += 1,
            Finished::Failed => self.failed += 1,
            Finished::Dead => self.dead += 1,
            Finished::Snoozed => self.snoozed += 1,
            Finished::Released => self.released += 1,
            Finished::Abandoned | Finished::LeaseLost => self.abandoned += 1,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            done,
            failed,
            dead,
            snoozed,
            released,
            abandoned,
        } = self;
        write!(
            f,
            "{done} done, {failed} failed, {dead} dead, {snoozed} snoozed, {released} released, {abandoned} abandoned"
        )
    }
}

/// How the run of a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// It is done.
    Done,
    /// It will be retried.
    Failed,
    /// It is a dead letter.
    Dead,
    /// Its handler has snoozed it.
    Snoozed,
    /// Its lease was lost.
    LeaseLost,
    /// It was given back, because the worker is stopping.
    Released,
    /// The queue could not be reached.
    Abandoned,
}
