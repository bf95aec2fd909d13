//! The names of the metrics of servers. `server` is an address without user and password.

use metrics::{Unit, describe_counter, describe_gauge};

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    for (name, text) in [
        (
            "larder_redis_timeouts_total",
            "Operations that got no answer within the timeout",
        ),
        (
            "larder_redis_connections_replaced_total",
            "Connections that were replaced because they broke",
        ),
        (
            "larder_redis_overloaded_total",
            "Operations that were refused because too many were in flight",
        ),
        (
            "larder_redis_fast_failures_total",
            "Operations that failed at once because there was no connection",
        ),
        (
            "larder_redis_unconfirmed_total",
            "Writes that too few replicas confirmed",
        ),
        (
            "larder_redis_replica_fallbacks_total",
            "Reads that went to the master after a replica gave no value",
        ),
        (
            "larder_redis_bus_reconnects_total",
            "Connections of subscriptions that were replaced",
        ),
        (
            "larder_redis_redirects_total",
            "Redirects of a cluster that were followed, by kind",
        ),
        (
            "larder_redis_topology_reads_total",
            "Reads of the slots of a cluster, by outcome",
        ),
        (
            "larder_redis_topology_changes_total",
            "Changes of the masters of slots of a cluster",
        ),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
    for (name, text) in [
        (
            "larder_redis_breaker_open",
            "1 while there is no connection and operations fail at once",
        ),
        (
            "larder_redis_replicas",
            "Replicas that are fresh enough to read",
        ),
    ] {
        describe_gauge!(name, Unit::Count, text);
    }
}
