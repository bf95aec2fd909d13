//! The metrics of a queue. None contains a job's id or payload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::worker::Finished;
use crate::{Counts, Delivery};

/// The counter of jobs that are added to a queue.
pub(crate) fn enqueued(queue: &str) -> Counter {
    describe_metrics();
    counter!("larder_queue_enqueued_total", "queue" => queue.to_owned())
}

/// The counter of jobs of a queue that could not be read when they were taken.
pub(crate) fn unreadable(queue: &str) -> Counter {
    counter!("larder_queue_unreadable_total", "queue" => queue.to_owned())
}

/// The metrics of one queue as a worker sees it.
pub(crate) struct Metrics {
    queue: Arc<str>,
    /// The names are those of handlers, so there are few.
    jobs: Mutex<HashMap<&'static str, Arc<JobMetrics>>>,
    depth: [Depth; 4],
    oldest: Gauge,
}

/// The gauge of a state, and the number of jobs in it.
type Depth = (Gauge, fn(&Counts) -> u64);

/// The metrics of the jobs of one name.
pub(crate) struct JobMetrics {
    taken: Counter,
    done: Counter,
    failed: Counter,
    dead: Counter,
    released: Counter,
    lost: Counter,
    lateness: Histogram,
    duration: Histogram,
}

impl Metrics {
    /// The metrics of a partition. A queue has one, unless it is partitioned.
    pub(crate) fn new(queue: &str, partition: u16) -> Self {
        describe_metrics();
        let (queue, partition): (Arc<str>, _) = (queue.into(), partition.to_string());
        let depth = |state: &'static str| {
            let (queue, partition) = (queue.to_string(), partition.clone());
            gauge!("larder_queue_depth", "queue" => queue, "partition" => partition, "state" => state)
        };
        Self {
            depth: [
                (depth("waiting"), |counts| counts.waiting),
                (depth("scheduled"), |counts| counts.scheduled),
                (depth("running"), |counts| counts.running),
                (depth("dead"), |counts| counts.dead),
            ],
            oldest: gauge!(
                "larder_queue_oldest_seconds",
                "queue" => queue.to_string(), "partition" => partition.clone()
            ),
            jobs: Mutex::default(),
            queue,
        }
    }

    /// Returns the metrics of the jobs of one name.
    pub(crate) fn of(&self, job: &'static str) -> Arc<JobMetrics> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = jobs.entry(job);
        metrics
            .or_insert_with(|| Arc::new(JobMetrics::new(&self.queue, job)))
            .clone()
    }

    /// Counts a job that was taken, and how late it was.
    pub(crate) fn taken(&self, job: &'static str, delivery: &Delivery) {
        let metrics = self.of(job);
        metrics.taken.increment(1);
        let late = delivery.taken_at().since(delivery.due_at());
        metrics.lateness.record(late);
    }

    /// Records how many jobs there are, and how long the oldest has been due.
    pub(crate) fn observe(&self, counts: &Counts) {
        for (gauge, count) in &self.depth {
            gauge.set(count(counts) as f64);
        }
        self.oldest.set(counts.oldest.as_secs_f64());
    }
}

impl JobMetrics {
    fn new(queue: &str, job: &'static str) -> Self {
        let count = |name: &'static str| counter!(name, "queue" => queue.to_owned(), "job" => job);
        let measure =
            |name: &'static str| histogram!(name, "queue" => queue.to_owned(), "job" => job);
        Self {
            taken: count("larder_queue_taken_total"),
            done: count("larder_queue_done_total"),
            failed: count("larder_queue_failed_total"),
            dead: count("larder_queue_dead_total"),
            released: count("larder_queue_released_total"),
            lost: count("larder_queue_lost_leases_total"),
            lateness: measure("larder_queue_lateness_seconds"),
            duration: measure("larder_queue_duration_seconds"),
        }
    }

    pub(crate) fn ran(&self, time: Duration) {
        self.duration.record(time);
    }

    pub(crate) fn finished(&self, finished: Finished) {
        let counter = match finished {
            Finished::Done => &self.done,
            Finished::Failed => &self.failed,
            Finished::Dead => {
                self.failed.increment(1);
                &self.dead
            }
            Finished::Snoozed | Finished::Released => &self.released,
            Finished::LeaseLost => &self.lost,
            // It is logged; this process does not learn what happens to the job.
            Finished::Abandoned => return,
        };
        counter.increment(1);
    }
}

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    let counters = [
        ("larder_queue_enqueued_total", "Jobs that were added"),
        ("larder_queue_taken_total", "Attempts that began"),
        ("larder_queue_done_total", "Jobs that were acknowledged"),
        ("larder_queue_failed_total", "Attempts that failed"),
        (
            "larder_queue_dead_total",
            "Jobs that became dead letters when their attempt failed",
        ),
        (
            "larder_queue_released_total",
            "Jobs that were snoozed or released, uncounted",
        ),
        (
            "larder_queue_lost_leases_total",
            "Attempts that ended after they had lost their lease",
        ),
        (
            "larder_queue_unreadable_total",
            "Jobs that could not be read when they were taken",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, Unit::Count, text);
    }
    describe_histogram!(
        "larder_queue_lateness_seconds",
        Unit::Seconds,
        "Time from when a job was due until it was taken"
    );
    describe_histogram!(
        "larder_queue_duration_seconds",
        Unit::Seconds,
        "Duration of handlers"
    );
    describe_gauge!("larder_queue_depth", Unit::Count, "Jobs by state");
    describe_gauge!(
        "larder_queue_oldest_seconds",
        Unit::Seconds,
        "Time for which the oldest ready job has been due"
    );
}
