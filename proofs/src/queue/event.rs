use std::fmt;
use std::str::FromStr;

/// Something that a producer or a worker did with a job, from when to when.
///
/// Its text is one line, as one process passes it to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id of the job.
    pub job: String,
    /// The time of the request, in microseconds of the machine's clock.
    pub began: u64,
    /// The time of the answer.
    pub ended: u64,
    /// The operation and its outcome.
    pub what: What,
}

/// An operation and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The queue acknowledged that it has the job.
    Enqueued,
    /// The job was taken as this attempt, under this fence.
    Taken {
        /// The number of the attempt.
        attempt: u32,
        /// The fence of the lease.
        fence: u64,
    },
    /// The work is done. Written before the ack is sent, so it is known of workers that are killed.
    Worked(u64),
    /// The ack with this fence was accepted.
    Acked(u64),
    /// The ack with this fence was refused.
    Refused(u64),
    /// The answer to the ack with this fence was lost.
    Lost(u64),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, attempt, fence) = match self.what {
            What::Enqueued => ("enqueued", 0, 0),
            What::Taken { attempt, fence } => ("taken", attempt, fence),
            What::Worked(fence) => ("worked", 0, fence),
            What::Acked(fence) => ("acked", 0, fence),
            What::Refused(fence) => ("refused", 0, fence),
            What::Lost(fence) => ("lost", 0, fence),
        };
        let (job, began, ended) = (&self.job, self.began, self.ended);
        write!(f, "{what} {job} {attempt} {fence} {began} {ended}")
    }
}

impl FromStr for Event {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let read = || {
            let mut words = line.split(' ');
            let (what, job) = (words.next()?, words.next()?.to_owned());
            let mut next = || words.next()?.parse::<u64>().ok();
            let (attempt, fence) = (u32::try_from(next()?).ok()?, next()?);
            let what = match what {
                "enqueued" => What::Enqueued,
                "taken" => What::Taken { attempt, fence },
                "worked" => What::Worked(fence),
                "acked" => What::Acked(fence),
                "refused" => What::Refused(fence),
                "lost" => What::Lost(fence),
                _ => return None,
            };
            let (began, ended) = (next()?, next()?);
            Some(Self {
                job,
                began,
                ended,
                what,
            })
        };
        read().ok_or_else(|| format!("not an event: {line}"))
    }
}
