use std::num::NonZeroU32;

use larder_store::Ttl;

use super::Queue;
use crate::new_job::MAX_DELAY;

/// The default lease of a delivery, unless it is extended: 30 seconds.
pub const DEFAULT_LEASE: Ttl = Ttl::from_secs(30);

/// The default maximum payload, in bytes: 128 KiB.
pub(super) const DEFAULT_MAX_PAYLOAD: usize = 128 * 1024;

/// The number of unique keys that a queue for fewer jobs holds: keys may outlive their jobs.
const KEYS: u32 = 100_000;

/// The longest time that a setting takes: ten years.
const LONGEST: Ttl = Ttl::from_secs(MAX_DELAY.as_secs());

impl Queue {
    /// Sets the lease of a delivery, at most ten years. The default is [`DEFAULT_LEASE`].
    #[must_use]
    pub fn with_lease(mut self, lease: Ttl) -> Self {
        self.settings.lease = lease.min(LONGEST);
        self
    }

    /// Sets how many times a job is attempted before it is dead, at least 1; 0 counts as 1. The default is 10.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// Sets the maximum size of a payload with its headers, in bytes. The default is 128 KiB.
    #[must_use]
    pub fn with_max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets how many jobs may wait and run, at least 1; 0 counts as 1. The default is a million.
    ///
    /// Any further job is refused with [`Refusal::Full`](larder_store::Refusal::Full). Dead letters do not
    /// count until [`redrive`](Self::redrive) puts them back, which may exceed the limit. The queue also holds at most
    /// this many unique keys, or 100,000 if that is more. A key may outlive its job: each tick of a
    /// [periodic](crate::periodic) job keeps one for an hour, for example.
    #[must_use]
    pub fn with_max_jobs(mut self, jobs: u32) -> Self {
        self.settings.max_jobs = jobs.max(1);
        self.settings.max_keys = jobs.max(KEYS);
        self
    }

    /// Sets how many jobs run at once, over all processes. There is no limit by default.
    #[must_use]
    pub fn with_max_running(mut self, jobs: NonZeroU32) -> Self {
        self.settings.max_running = jobs.get();
        self
    }

    /// Sets how many jobs of one [group](crate::NewJob::with_group) run at once, over all processes.
    ///
    /// There is no limit by default.
    #[must_use]
    pub fn with_max_running_per_group(mut self, jobs: NonZeroU32) -> Self {
        self.settings.max_per_group = jobs.get();
        self
    }

    /// Runs the jobs of each [group](crate::NewJob::with_group) one after the other, in order.
    ///
    /// The next job of a group is taken when the one before it is done or dead: a job that waits for its next
    /// attempt holds up its group. A job with a delay takes its place in the order when it is due.
    #[must_use]
    pub fn with_ordered_groups(mut self) -> Self {
        self.settings.max_per_group = 1;
        self.settings.keeps_order = true;
        self
    }

    /// Limits how many jobs are taken in each period on average, over all processes.
    ///
    /// That many may be taken at once; after that one by one, each when its share of the period has passed
    /// (GCRA). There is no limit by default.
    #[must_use]
    pub fn with_rate(mut self, jobs: NonZeroU32, per: Ttl) -> Self {
        self.settings.rate_interval = (per.as_micros() / i64::from(jobs.get())).max(1);
        self.settings.rate_burst = jobs.get();
        self
    }

    /// Sets how long the id of a done job is remembered, at most ten years. The default is an hour.
    ///
    /// Until then the same id is a [`Duplicate`](crate::Enqueued::Duplicate), and a repeated
    /// acknowledgement is [`AlreadyDone`](crate::Settled::AlreadyDone). Only the id and the time are kept.
    #[must_use]
    pub fn with_retention(mut self, retention: Ttl) -> Self {
        self.settings.retention = retention.min(LONGEST).as_micros();
        self
    }

    /// Sets how many ids of done jobs are remembered; the oldest go first. The default is 10,000; 0 remembers
    /// none.
    #[must_use]
    pub fn with_max_done(mut self, ids: u32) -> Self {
        self.settings.max_done = ids;
        self
    }

    /// Sets how many dead letters are kept; the oldest go first. The default is 10,000.
    #[must_use]
    pub fn with_max_dead(mut self, jobs: u32) -> Self {
        self.settings.max_dead = jobs;
        self
    }

    /// Sets how long the queue lives after its last change, its last due time and the end of its last lease. The
    /// default is 30 days, the maximum ten years.
    ///
    /// When it ends, all jobs are lost, waiting and dead ones too: choose a TTL far longer than the queue may ever be
    /// unused. It is renewed once a sixteenth of it has passed.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Ttl) -> Self {
        self.settings.ttl = ttl.min(LONGEST);
        self
    }
}
