use std::time::Duration;

use larder_layer::Failure;
use larder_store::{Error, Kind};
use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::far::is_refused_by_codec;
use crate::stats::Striped;

/// The metrics of a cache, registered once, when it is built.
pub(crate) struct Metrics {
    kind: &'static str,
    pub(crate) near_hits: Counted,
    pub(crate) far_hits: Counted,
    pub(crate) misses: Counted,
    pub(crate) not_found: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) stale: Counted,
    pub(crate) outdated: Counter,
    pub(crate) loaded: Counted,
    pub(crate) absent: Counter,
    pub(crate) failed: Counted,
    pub(crate) panicked: Counted,
    pub(crate) timed_out: Counted,
    pub(crate) overloaded: Counter,
    pub(crate) abandoned: Counter,
    pub(crate) refreshed: Counter,
    pub(crate) refreshes_failed: Counter,
    pub(crate) recursive: Counter,
    pub(crate) leads: Counter,
    pub(crate) follows: Counter,
    pub(crate) overtaken: Counter,
    pub(crate) far_get_errors: Counter,
    pub(crate) far_put_errors: Counter,
    pub(crate) far_encode_errors: Counter,
    pub(crate) far_delete_errors: Counter,
    pub(crate) far_lease_errors: Counter,
    pub(crate) far_publish_errors: Counter,
    pub(crate) far_skipped: Counter,
    pub(crate) messages: Counter,
    pub(crate) gaps: Counter,
    pub(crate) pending: Gauge,
    pub(crate) oldest_pending: Gauge,
    pub(crate) invalidations_dropped: Counter,
    pub(crate) checked: Counter,
    pub(crate) inconsistent: Counter,
    load_seconds: Histogram,
    value_bytes: Histogram,
}

/// A counter that can also be read in this process.
pub(crate) struct Counted {
    metric: Counter,
    count: Striped,
}

impl Counted {
    fn new(metric: Counter) -> Self {
        Self {
            metric,
            count: Striped::default(),
        }
    }

    pub(crate) fn increment(&self) {
        self.metric.increment(1);
        self.count.add_one();
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.sum()
    }
}

impl Metrics {
    pub(crate) fn new(kind: Kind) -> Self {
        describe_metrics();
        let kind = kind.name();
        let plain = |name: &'static str| counter!(name, "kind" => kind);
        let hits = |tier: &'static str| {
            Counted::new(counter!("larder_cache_hits_total", "kind" => kind, "tier" => tier))
        };
        let loads = |outcome: &'static str| counter!("larder_cache_loads_total", "kind" => kind, "outcome" => outcome);
        let refreshes = |outcome: &'static str| counter!("larder_cache_refreshes_total", "kind" => kind, "outcome" => outcome);
        let leases = |role: &'static str| counter!("larder_cache_leases_total", "kind" => kind, "role" => role);
        let far_errors = |operation: &'static str| counter!("larder_cache_far_errors_total", "kind" => kind, "operation" => operation);
        Self {
            kind,
            near_hits: hits("near"),
            far_hits: hits("far"),
            misses: Counted::new(plain("larder_cache_misses_total")),
            not_found: plain("larder_cache_not_found_total"),
            coalesced: plain("larder_cache_coalesced_total"),
            stale: Counted::new(plain("larder_cache_stale_total")),
            outdated: plain("larder_cache_outdated_total"),
            loaded: Counted::new(loads("ok")),
            absent: loads("not_found"),
            failed: Counted::new(loads("error")),
            panicked: Counted::new(loads("panic")),
            timed_out: Counted::new(loads("timeout")),
            overloaded: loads("overloaded"),
            abandoned: loads("abandoned"),
            refreshed: refreshes("ok"),
            refreshes_failed: refreshes("error"),
            recursive: loads("recursive"),
            leads: leases("lead"),
            follows: leases("follow"),
            overtaken: leases("overtaken"),
            far_get_errors: far_errors("get"),
            far_put_errors: far_errors("put"),
            far_encode_errors: far_errors("encode"),
            far_delete_errors: far_errors("delete"),
            far_lease_errors: far_errors("lease"),
            far_publish_errors: far_errors("publish"),
            far_skipped: plain("larder_cache_far_skipped_total"),
            messages: plain("larder_cache_messages_total"),
            gaps: plain("larder_cache_gaps_total"),
            pending: gauge!("larder_cache_invalidations_pending", "kind" => kind),
            oldest_pending: gauge!("larder_cache_invalidations_oldest_seconds", "kind" => kind),
            invalidations_dropped: plain("larder_cache_invalidations_dropped_total"),
            checked: plain("larder_cache_checked_total"),
            inconsistent: plain("larder_cache_inconsistent_total"),
            load_seconds: histogram!("larder_cache_load_seconds", "kind" => kind),
            value_bytes: histogram!("larder_cache_value_bytes", "kind" => kind),
        }
    }

    pub(crate) fn near_entries(&self) -> Gauge {
        gauge!("larder_cache_near_entries", "kind" => self.kind)
    }

    pub(crate) fn near_bytes(&self) -> Gauge {
        gauge!("larder_cache_near_bytes", "kind" => self.kind)
    }

    pub(crate) fn loads_in_flight(&self) -> Gauge {
        gauge!("larder_cache_loads_in_flight", "kind" => self.kind)
    }

    /// Counts a far write that failed: as `encode` if the codec cannot read the value back.
    pub(crate) fn far_write_failed(&self, error: &Error) {
        if is_refused_by_codec(error) {
            self.far_encode_errors.increment(1);
        } else {
            self.far_put_errors.increment(1);
        }
    }

    /// Counts a load that ended without a value.
    pub(crate) fn load_failed(&self, failure: Failure) {
        match failure {
            Failure::Panicked => self.panicked.increment(),
            Failure::TimedOut => self.timed_out.increment(),
            Failure::Abandoned => self.abandoned.increment(1),
        }
    }

    /// Counts a load that returned a value.
    pub(crate) fn loaded(&self, took: Duration) {
        self.loaded.increment();
        self.load_seconds.record(took);
    }

    /// Records the size of a value that is written far.
    pub(crate) fn written(&self, bytes: usize) {
        self.value_bytes.record(bytes as f64);
    }
}

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    let counters = [
        ("larder_cache_hits_total", "Reads that a tier answered"),
        (
            "larder_cache_misses_total",
            "Reads that neither tier answered",
        ),
        (
            "larder_cache_not_found_total",
            "Reads answered by a cached 'not found'",
        ),
        (
            "larder_cache_coalesced_total",
            "Callers that waited for the load of another",
        ),
        (
            "larder_cache_stale_total",
            "Values served after they were no longer fresh",
        ),
        (
            "larder_cache_outdated_total",
            "Values not kept because their key or a tag was changed meanwhile",
        ),
        (
            "larder_cache_rejected_total",
            "Far values that the check of the cache rejected",
        ),
        ("larder_cache_loads_total", "Loads by outcome"),
        (
            "larder_write_behind_writes_total",
            "Write-behind writes by outcome",
        ),
        (
            "larder_cache_refreshes_total",
            "Refreshes in the background by outcome",
        ),
        (
            "larder_cache_leases_total",
            "Elections between processes by the role of this one",
        ),
        (
            "larder_cache_far_errors_total",
            "Failures of the far store by operation",
        ),
        (
            "larder_cache_far_skipped_total",
            "Reads that skipped the far store, because it keeps failing or the key is quarantined",
        ),
        (
            "larder_cache_messages_total",
            "Messages about invalidations in other processes",
        ),
        (
            "larder_cache_gaps_total",
            "Times that messages may have been lost",
        ),
        (
            "larder_cache_invalidations_dropped_total",
            "Failed invalidations past the cap, which are not replayed",
        ),
        (
            "larder_cache_checked_total",
            "Near copies that were compared with the far store",
        ),
        (
            "larder_cache_inconsistent_total",
            "Near copies that differed from the far store",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, Unit::Count, text);
    }
    for (name, unit, text) in [
        (
            "larder_cache_near_entries",
            Unit::Count,
            "Near copies, including those whose deadline has passed",
        ),
        (
            "larder_cache_near_bytes",
            Unit::Bytes,
            "Weight of the near copies by the weigher of the app, which should count bytes",
        ),
        (
            "larder_cache_loads_in_flight",
            Unit::Count,
            "Loads that are running, including the far reads before them",
        ),
        (
            "larder_cache_invalidations_pending",
            Unit::Count,
            "Invalidations that the far store has not confirmed",
        ),
        (
            "larder_cache_invalidations_oldest_seconds",
            Unit::Seconds,
            "Age of the oldest invalidation that the far store has not confirmed",
        ),
        (
            "larder_write_behind_waiting",
            Unit::Count,
            "Write-behind writes that wait in the journal",
        ),
        (
            "larder_write_behind_oldest_seconds",
            Unit::Seconds,
            "Age of the oldest write-behind write that waits in the journal",
        ),
    ] {
        describe_gauge!(name, unit, text);
    }
    describe_histogram!(
        "larder_cache_load_seconds",
        Unit::Seconds,
        "Duration of loads that returned a value"
    );
    describe_histogram!(
        "larder_cache_value_bytes",
        Unit::Bytes,
        "Size of values written to the far store, with their envelope"
    );
}
