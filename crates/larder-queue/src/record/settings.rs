use larder_store::program::prelude::*;

use super::packed::Packed;
use crate::queue::DEFAULT_LEASE;

/// The settings of a queue, which are sent with each step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long the record outlives its last change, its last due time and its last lease.
    pub(crate) ttl: Ttl,
    pub(crate) lease: Ttl,
    pub(crate) max_attempts: u32,
    pub(crate) max_jobs: u32,
    pub(crate) max_keys: u32,
    /// 0 means unlimited.
    pub(crate) max_running: u32,
    /// 0 means unlimited.
    pub(crate) max_per_group: u32,
    /// Whether a job that waits for a retry holds up its group.
    pub(crate) keeps_order: bool,
    /// The microseconds of one job's share; 0 means unlimited.
    pub(crate) rate_interval: i64,
    pub(crate) rate_burst: u32,
    /// In microseconds.
    pub(crate) retention: i64,
    pub(crate) max_done: u32,
    pub(crate) max_dead: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: Ttl::from_secs(30 * 86_400),
            lease: DEFAULT_LEASE,
            max_attempts: 10,
            max_jobs: 1_000_000,
            max_keys: 1_000_000,
            max_running: 0,
            max_per_group: 0,
            keeps_order: false,
            rate_interval: 0,
            rate_burst: 0,
            retention: 3_600_000_000,
            max_done: 10_000,
            max_dead: 10_000,
        }
    }
}

impl Arg for Settings {
    /// Writes the first argument of each program that changes a queue.
    fn write(&self, args: &mut Args) {
        let numbers = [
            self.ttl.as_micros(),
            self.lease.as_micros(),
            self.max_attempts.into(),
            self.max_jobs.into(),
            self.max_keys.into(),
            self.max_running.into(),
            self.max_per_group.into(),
            self.keeps_order.into(),
            self.rate_interval,
            self.rate_burst.into(),
            self.retention,
            self.max_done.into(),
            self.max_dead.into(),
        ];
        let packed = numbers.into_iter().fold(Packed::new(), Packed::int);
        args.bytes(packed.as_slice());
    }
}
