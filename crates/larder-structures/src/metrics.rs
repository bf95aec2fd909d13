//! The metrics of locks. They have no labels of their own: the id of a lock may identify a visitor.

use metrics::{Unit, describe_counter, describe_histogram};

pub(crate) const ACQUIRES: &str = "larder_lock_acquires_total";
pub(crate) const WAITS: &str = "larder_lock_wait_seconds";
pub(crate) const LOST: &str = "larder_lock_lost_total";

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    describe_counter!(
        ACQUIRES,
        Unit::Count,
        "Calls that tried to take a lock or a permit, by outcome"
    );
    describe_histogram!(
        WAITS,
        Unit::Seconds,
        "How long the calls took that were allowed to wait for a lock or a permit"
    );
    describe_counter!(
        LOST,
        Unit::Count,
        "Locks and permits that were lost while a task held them"
    );
}
