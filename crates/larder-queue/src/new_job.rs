use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use larder_store::{Error, ErrorKind, Result, Ttl};

use crate::body::{self, Headers};
use crate::{Job, JobId};

/// The maximum delay of a job: ten years.
pub const MAX_DELAY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The maximum length of a group and of a unique key, in bytes.
const MAX_KEY: usize = 256;

/// A job to be enqueued, with its options.
///
/// A reference to a [`Job`] converts into one without options. An option that is out of bounds is an error
/// when the job is enqueued.
///
/// ```
/// # use std::time::Duration;
/// # use larder_queue::{Job, NewJob, Priority, Queue, Until};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Reminder { booking: u64 }
/// # impl Job for Reminder { const NAME: &'static str = "reminder"; }
/// # async fn example(queue: &Queue) -> larder_store::Result<()> {
/// let reminder = NewJob::new(&Reminder { booking: 42 })
///     .with_delay(Duration::from_secs(3_600))
///     .with_priority(Priority::High)
///     .with_unique("reminder-42", Until::Done);
/// queue.enqueue(reminder).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct NewJob {
    pub(crate) id: JobId,
    pub(crate) name: Arc<str>,
    pub(crate) payload: Result<Bytes, ErrorText>,
    pub(crate) headers: Headers,
    pub(crate) due: Due,
    pub(crate) priority: Priority,
    pub(crate) unique: Option<(Arc<str>, Until)>,
    pub(crate) replaces: bool,
    pub(crate) group: Option<Arc<str>>,
}

/// Why a job cannot be enqueued.
pub(crate) type ErrorText = &'static str;

/// When a job may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// This many microseconds after the enqueue, by the store's clock.
    In(i64),
    /// At this time, in microseconds.
    At(i64),
}

/// The priority of a job. All waiting jobs of a priority are taken before those of the next.
///
/// A priority that is never empty starves the lower ones: use a separate queue for those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    Urgent,
    /// Before normal jobs.
    High,
    /// The default.
    #[default]
    Normal,
    /// After all others.
    Low,
}

/// How long a job owns its unique key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until the job is done, dead or cancelled.
    Done,
    /// Until the job is first taken: another one can be enqueued while this one runs.
    Started,
    /// For this time after the enqueue, whatever happens to the job.
    Ttl(Ttl),
}

impl NewJob {
    /// Makes a new job under a random id.
    pub fn new<J: Job>(job: &J) -> Self {
        let payload = body::encode(job);
        Self {
            payload,
            ..Self::of(J::NAME)
        }
    }

    /// Makes a new job from a payload in any format, for handlers that decode it themselves.
    pub fn raw(name: &str, payload: impl Into<Bytes>) -> Self {
        Self {
            payload: Ok(payload.into()),
            ..Self::of(name)
        }
    }

    fn of(name: &str) -> Self {
        Self {
            id: JobId::random(),
            name: name.into(),
            payload: Ok(Bytes::new()),
            headers: Headers::new(),
            due: Due::In(0),
            priority: Priority::default(),
            unique: None,
            replaces: false,
            group: None,
        }
    }

    /// Sets the id. The default is random.
    ///
    /// Send the same request again after [`ErrorKind::MayHaveRun`]: if the first one was carried out, the
    /// answer is [`Duplicate`](crate::Enqueued::Duplicate) with this id.
    #[must_use]
    pub fn with_id(mut self, id: JobId) -> Self {
        self.id = id;
        self
    }

    /// Hides the job for this long after the enqueue. At most [`MAX_DELAY`].
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.due = Due::In(micros(delay));
        self
    }

    /// Hides the job until `time`, which is compared with the store's clock.
    ///
    /// A time in the past means now. The latest time is the beginning of the year 2100.
    #[must_use]
    pub fn with_at(mut self, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.due = Due::At(micros(since));
        self
    }

    /// Sets the priority. The default is [`Priority::Normal`].
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Adds nothing while another job owns this key. The key is 1 to 256 bytes.
    #[must_use]
    pub fn with_unique(mut self, key: &str, until: Until) -> Self {
        self.unique = Some((key.into(), until));
        self.replaces = false;
        self
    }

    /// Runs the job once nothing has been enqueued under this key for `quiet`.
    ///
    /// While the first job of the key waits, each further job replaces its payload, headers and name, and
    /// restarts its delay; the answer is then [`Duplicate`](crate::Enqueued::Duplicate) with the id of the
    /// first. Once that job has been taken, the next one is new. The key is 1 to 256 bytes.
    #[must_use]
    pub fn with_debounce(mut self, key: &str, quiet: Duration) -> Self {
        self.unique = Some((key.into(), Until::Started));
        self.replaces = true;
        self.with_delay(quiet)
    }

    /// Puts the job into a group, such as a tenant. The group is 1 to 256 bytes.
    ///
    /// Groups of one priority take turns, one job each, so a flood in one does not hold up the others. A
    /// job without a group is a group of its own. See
    /// [`with_max_running_per_group`](crate::Queue::with_max_running_per_group) and
    /// [`with_ordered_groups`](crate::Queue::with_ordered_groups).
    #[must_use]
    pub fn with_group(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Adds a header, such as `traceparent`. Headers count towards the maximum payload.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// Returns the id under which the job will be enqueued.
    pub fn id(&self) -> &JobId {
        &self.id
    }

    pub(crate) fn check(&self) -> Result<()> {
        let is_key = |key: &Arc<str>| (1..=MAX_KEY).contains(&key.len()) && !key.contains('\0');
        let text = match () {
            () if self.group.as_ref().is_some_and(|group| !is_key(group)) => {
                "the group of a job must be 1 to 256 bytes without NUL: use an id"
            }
            () if self.unique.as_ref().is_some_and(|(key, _)| !is_key(key)) => {
                "a unique key must be 1 to 256 bytes without NUL: use an id, or a hash"
            }
            () if matches!(self.due, Due::In(micros) if micros > MAX_DELAY_US) => {
                "a job can be delayed by at most ten years"
            }
            () if matches!(self.due, Due::At(micros) if micros > LATEST_US) => {
                "a job cannot be scheduled for later than the beginning of the year 2100"
            }
            () => return Ok(()),
        };
        Err(Error::new("enqueue", ErrorKind::Invalid, text))
    }
}

impl fmt::Debug for NewJob {
    /// Shows no payload, header, unique key or group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewJob")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("due", &self.due)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

impl<J: Job> From<&J> for NewJob {
    fn from(job: &J) -> Self {
        Self::new(job)
    }
}

const MAX_DELAY_US: i64 = MAX_DELAY.as_micros() as i64;

/// The year 2100: later due times would overlap the next band of the record.
const LATEST_US: i64 = 4_102_444_800_000_000;

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
