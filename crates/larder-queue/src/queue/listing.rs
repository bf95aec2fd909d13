use std::sync::Arc;
use std::time::Duration;

use larder_store::{Result, Timestamp};

use super::Queue;
use crate::body::{Body, Headers, NO_HEADERS, PayloadError};
use crate::record::{Band, Count, List, Position, Row};
use crate::{Job, JobId};

/// The number of jobs that one step lists, which limits its duration.
const MAX_PAGE: u32 = 100;

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It can be taken, or waits for its group.
    Waiting,
    /// It waits until it is due: after a delay, or for the next attempt.
    Scheduled,
    /// It is leased.
    Running,
    /// It is a dead letter.
    Dead,
    /// It is done, and only its id is remembered.
    Done,
}

impl State {
    /// The parts of the record that hold the jobs of the state.
    pub(super) fn bands(self) -> &'static [Band] {
        match self {
            Self::Waiting => &[Band::Ready, Band::InGroup],
            Self::Scheduled => &[Band::Scheduled],
            Self::Running => &[Band::Leased],
            Self::Dead => &[Band::Dead],
            Self::Done => &[Band::Done],
        }
    }
}

/// The number of jobs of a queue in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Jobs that can be taken, or wait for their group.
    pub waiting: u64,
    /// Jobs that wait until they are due.
    pub scheduled: u64,
    /// Jobs that are leased.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
    /// Done jobs that are remembered.
    pub done: u64,
    /// Whether dequeues are stopped.
    pub is_paused: bool,
    /// The longest time for which the first job of a priority has been due.
    pub oldest: Duration,
}

/// Jobs of one state.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobPage {
    /// The jobs, in the order of the queue.
    pub jobs: Vec<JobView>,
    /// Where the next page begins, which may be empty. None if this is the last one.
    pub next: Option<Cursor>,
}

/// The position at which a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    band: usize,
    position: Position,
}

/// A job in a listing.
#[derive(Clone)]
pub struct JobView {
    id: JobId,
    at: Timestamp,
    held: Option<Shown>,
}

#[derive(Clone)]
struct Shown {
    attempts: u32,
    group: Option<Arc<str>>,
    enqueued_at: Timestamp,
    reason: Arc<str>,
    progress: Arc<str>,
    body: Result<Body, PayloadError>,
}

impl Queue {
    /// Returns how many jobs there are in each state. One round trip.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn counts(&self) -> Result<Counts> {
        self.run(&Count).await
    }

    /// Returns at most a hundred jobs of a state, or a megabyte of them, from `from` on.
    ///
    /// It takes one or two round trips, and for waiting jobs one more for each hundred groups in front of them.
    ///
    /// Jobs that change their state meanwhile may be missing or appear twice.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self, state: State, from: Option<Cursor>) -> Result<JobPage> {
        let bands = state.bands();
        let mut cursor = from.unwrap_or(Cursor {
            band: 0,
            position: Position::default(),
        });
        loop {
            let Some(band) = bands.get(cursor.band).copied() else {
                let (jobs, next) = (Vec::new(), None);
                return Ok(JobPage { jobs, next });
            };
            let list = List {
                band,
                from: cursor.position.clone(),
                many: MAX_PAGE,
            };
            let listed = self.run(&list).await?;
            cursor = match listed.next {
                Some(position) => Cursor { position, ..cursor },
                None => Cursor {
                    band: cursor.band + 1,
                    position: Position::default(),
                },
            };
            let next = (cursor.band < bands.len()).then(|| cursor.clone());
            if !listed.rows.is_empty() || next.is_none() {
                let rows = listed.rows.into_iter();
                let jobs = rows.map(|row| self.view(row)).collect();
                return Ok(JobPage { jobs, next });
            }
        }
    }

    fn view(&self, row: Row) -> JobView {
        let shown = |held: crate::record::Held| Shown {
            attempts: held.attempts,
            group: held.group,
            enqueued_at: Timestamp::from_micros(held.enqueued),
            reason: held.reason,
            progress: held.progress,
            body: Body::open(&self.key, &held.body),
        };
        JobView {
            id: JobId::known(row.id),
            at: Timestamp::from_micros(row.at),
            held: row.held.map(shown),
        }
    }
}

impl JobView {
    /// Returns the id of the job.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Returns a time that depends on the state, by the store's clock: when a waiting job is due, when the lease of a
    /// running job ends, when a dead job died, or when a done job is forgotten.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns how many attempts were started.
    pub fn attempts(&self) -> u32 {
        self.held.as_ref().map_or(0, |held| held.attempts)
    }

    /// Returns the group of the job.
    pub fn group(&self) -> Option<&str> {
        self.held.as_ref()?.group.as_deref()
    }

    /// Returns when the job was enqueued, by the store's clock. None if it is done.
    pub fn enqueued_at(&self) -> Option<Timestamp> {
        self.held.as_ref().map(|held| held.enqueued_at)
    }

    /// Returns why the job last failed, or an empty text.
    pub fn reason(&self) -> &str {
        self.held.as_ref().map_or("", |held| &held.reason)
    }

    /// Returns the last [reported](crate::worker::JobContext::progress) progress, possibly of an earlier
    /// attempt, or an empty text.
    pub fn progress(&self) -> &str {
        self.held.as_ref().map_or("", |held| &held.progress)
    }

    /// Returns the name of the job. It is empty if the job is done or its bytes are damaged.
    pub fn name(&self) -> &str {
        self.body().map_or("", |body| &body.name)
    }

    /// Returns the headers of the job.
    pub fn headers(&self) -> &Headers {
        self.body().map_or(&NO_HEADERS, |body| &body.headers)
    }

    /// Decodes the job.
    ///
    /// # Errors
    /// [`PayloadError`] as for [`Delivery::job`](crate::Delivery::job), and [`PayloadError::Absent`] for a job that
    /// is done.
    pub fn job<J: Job>(&self) -> Result<J, PayloadError> {
        match &self.held {
            Some(Shown { body: Ok(body), .. }) => body.job(),
            Some(Shown {
                body: Err(error), ..
            }) => Err(error.clone()),
            None => Err(PayloadError::Absent),
        }
    }

    fn body(&self) -> Option<&Body> {
        self.held.as_ref()?.body.as_ref().ok()
    }
}

impl std::fmt::Debug for JobView {
    /// Shows no payload, header, reason or progress.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobView")
            .field("id", &self.id)
            .field("name", &self.name())
            .field("at", &self.at)
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
