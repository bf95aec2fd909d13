use larder_store::Result;

use super::{Queue, State};
use crate::JobId;
use crate::record::{Cancel, Pause, Purge, Redrive};

/// The number of jobs that one step moves or removes, which limits its duration.
const CHUNK: u32 = 100;

/// The outcome of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a running job continues until its holder checks its lease"]
pub enum Cancelled {
    /// The job was waiting, scheduled or dead, and is removed.
    Removed,
    /// The job was running, and is removed: its holder loses the lease.
    Running,
    /// There is no such job: it is done, was removed before, or never existed. A repeated call after a lost reply
    /// returns this too.
    Unknown,
}

impl Queue {
    /// Removes a job that waits, runs or is dead. One round trip.
    ///
    /// A job that is done is [`Unknown`](Cancelled::Unknown).
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// The job may or may not have been removed.
    pub async fn cancel(&self, id: &JobId) -> Result<Cancelled> {
        let cancel = Cancel {
            settings: self.settings,
            id: id.text().clone(),
        };
        self.run(&cancel).await
    }

    /// Stops all dequeues. Running jobs continue. One round trip.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// The queue may or may not have been paused.
    pub async fn pause(&self) -> Result<()> {
        self.set_paused(true).await
    }

    /// Resumes dequeues after a [`pause`](Self::pause). One round trip.
    ///
    /// # Errors
    /// Those of the store. Repeating the call is safe.
    ///
    /// # Cancellation
    /// The queue may or may not have been resumed.
    pub async fn resume(&self) -> Result<()> {
        self.set_paused(false).await
    }

    /// Puts at most `many` dead letters back into the queue, oldest first, and returns their number.
    ///
    /// They go to the end of the queue, their attempts are counted from zero, and they no longer have a unique key. It
    /// takes one round trip per 100 jobs.
    ///
    /// # Errors
    /// Those of the store. Earlier round trips took effect.
    ///
    /// # Cancellation
    /// Some of the jobs may have been moved.
    pub async fn redrive(&self, many: u64) -> Result<u64> {
        let mut moved = 0;
        while moved < many {
            let chunk = (many - moved).min(u64::from(CHUNK)) as u32;
            let redrive = Redrive {
                settings: self.settings,
                many: chunk,
            };
            let now = self.run(&redrive).await?;
            moved += now;
            if now < u64::from(chunk) {
                break;
            }
        }
        Ok(moved)
    }

    /// Removes all jobs of a state, and returns their number.
    ///
    /// Holders of running jobs lose their leases. Jobs that start meanwhile stay: of running jobs it removes as
    /// many as there are when it begins. It takes one round trip per 100 jobs, and one more for running jobs.
    ///
    /// # Errors
    /// Those of the store. Earlier round trips took effect.
    ///
    /// # Cancellation
    /// Some of the jobs may have been removed.
    pub async fn purge(&self, state: State) -> Result<u64> {
        // Workers continue meanwhile: each job that is removed makes room for a waiting one.
        let most = match state {
            State::Running => self.counts().await?.running,
            _ => u64::MAX,
        };
        let mut removed = 0;
        // The groups first: that removes the tokens that stand for them.
        for band in state.bands().iter().rev() {
            while removed < most {
                let many = (most - removed).min(u64::from(CHUNK)) as u32;
                let purge = Purge {
                    settings: self.settings,
                    band: *band,
                    many,
                };
                let now = self.run(&purge).await?;
                removed += now;
                if now < u64::from(many) {
                    break;
                }
            }
        }
        Ok(removed)
    }

    async fn set_paused(&self, is_paused: bool) -> Result<()> {
        let pause = Pause {
            settings: self.settings,
            is_paused,
        };
        self.run(&pause).await
    }
}
