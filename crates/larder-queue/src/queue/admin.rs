use larder_store::Result;

use super::{Queue, State};
use crate::JobId;
use crate::record::{Cancel, Pause, Purge, Redrive};

/// How many jobs one step moves or removes, which bounds its time.
const CHUNK: u32 = 100;

/// The outcome of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a job that runs goes on until its holder looks at its lease"]
pub enum Cancelled {
    /// The job waited, or was dead, and is removed.
    Removed,
    /// The job is removed while it runs: its holder loses the lease.
    Running,
    /// There is no such job.
    Unknown,
}

impl Queue {
    /// Removes a job, whatever its state. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancellation
    /// It may or may not have been removed.
    pub async fn cancel(&self, id: &JobId) -> Result<Cancelled> {
        let cancel = Cancel {
            settings: self.settings,
            id: id.text().clone(),
        };
        self.run(&cancel).await
    }

    /// Stops all dequeues. Jobs that run go on. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pause(&self) -> Result<()> {
        self.set_paused(true).await
    }

    /// Lets jobs be taken again. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resume(&self) -> Result<()> {
        self.set_paused(false).await
    }

    /// Gives dead letters back to the queue, oldest first, at most `many`, and returns how many it gave.
    ///
    /// Their attempts begin anew, at the end of the queue, and they have no unique key any more. It takes
    /// one round trip for each 100.
    ///
    /// # Errors
    /// Those of the store. Earlier round trips were carried out.
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

    /// Removes all jobs of a state, and returns how many it removed.
    ///
    /// Holders of jobs that run lose their leases. What begins to run meanwhile is not removed, so it removes as
    /// many as run when it begins. It takes one round trip for each 100, and one more for those that run.
    ///
    /// # Errors
    /// Those of the store. Earlier round trips were carried out.
    pub async fn purge(&self, state: State) -> Result<u64> {
        // Workers go on: each job that is removed makes room for one that waits.
        let most = match state {
            State::Running => self.counts().await?.running,
            _ => u64::MAX,
        };
        let mut removed = 0;
        // Groups first: the tokens that stand for them are gone then.
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
