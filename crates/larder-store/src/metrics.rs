//! The names of the metrics of every store.

use metrics::{Unit, describe_counter};

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    describe_counter!(
        "larder_poisoned_total",
        Unit::Count,
        "Stored bytes that could not be read, by the kind of their key"
    );
    describe_counter!(
        "larder_sharded_lost_reads_total",
        Unit::Count,
        "Reads that missed because their shard could not be reached"
    );
}
