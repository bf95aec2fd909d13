//! The names of the metrics of topics and logs. None contains an id or an event.

use metrics::{Unit, describe_counter};

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    let counters = [
        (
            "larder_topic_gaps_total",
            "Gaps that were reported to subscribers of an id",
        ),
        (
            "larder_topic_lagged_total",
            "Events for which a subscriber was too slow",
        ),
        (
            "larder_topic_undecodable_total",
            "Messages that are not of the type of the topic",
        ),
        (
            "larder_topic_unannounced_total",
            "Messages that are in the history but were not sent on the bus",
        ),
        (
            "larder_log_deliveries_total",
            "Deliveries that a running consumer has settled, by outcome",
        ),
        (
            "larder_log_lost_total",
            "Events that were removed before a group was done with them",
        ),
        (
            "larder_log_undecodable_total",
            "Events that were read and are not of the type of the log",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, Unit::Count, text);
    }
}
