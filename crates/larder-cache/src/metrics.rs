use std::time::Duration;

use larder_layer::Failure;
use larder_store::{Error, ErrorKind, Kind};
use metrics::{Counter, Histogram, counter, histogram};

/// The metrics of a cache, registered once, when it is built.
pub(crate) struct Metrics {
    pub(crate) near_hits: Counter,
    pub(crate) far_hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) coalesced: Counter,
    pub(crate) outdated: Counter,
    pub(crate) loaded: Counter,
    pub(crate) failed: Counter,
    pub(crate) panicked: Counter,
    pub(crate) timed_out: Counter,
    pub(crate) overloaded: Counter,
    pub(crate) abandoned: Counter,
    pub(crate) far_get_errors: Counter,
    pub(crate) far_put_errors: Counter,
    pub(crate) far_encode_errors: Counter,
    pub(crate) far_delete_errors: Counter,
    load_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(kind: Kind) -> Self {
        let kind = kind.name();
        let hits = |tier: &'static str| counter!("larder_cache_hits_total", "kind" => kind, "tier" => tier);
        let loads = |outcome: &'static str| counter!("larder_cache_loads_total", "kind" => kind, "outcome" => outcome);
        let far_errors = |operation: &'static str| counter!("larder_cache_far_errors_total", "kind" => kind, "operation" => operation);
        Self {
            near_hits: hits("near"),
            far_hits: hits("far"),
            misses: counter!("larder_cache_misses_total", "kind" => kind),
            coalesced: counter!("larder_cache_coalesced_total", "kind" => kind),
            outdated: counter!("larder_cache_outdated_total", "kind" => kind),
            loaded: loads("ok"),
            failed: loads("error"),
            panicked: loads("panic"),
            timed_out: loads("timeout"),
            overloaded: loads("overloaded"),
            abandoned: loads("abandoned"),
            far_get_errors: far_errors("get"),
            far_put_errors: far_errors("put"),
            far_encode_errors: far_errors("encode"),
            far_delete_errors: far_errors("delete"),
            load_seconds: histogram!("larder_cache_load_seconds", "kind" => kind),
        }
    }

    /// Counts a far write that failed: as `encode` if the codec cannot read the value back.
    pub(crate) fn far_write_failed(&self, error: &Error) {
        if error.kind() == ErrorKind::Invalid {
            self.far_encode_errors.increment(1);
        } else {
            self.far_put_errors.increment(1);
        }
    }

    /// Counts a load that ended without a value.
    pub(crate) fn load_failed(&self, failure: Failure) {
        match failure {
            Failure::Panicked => self.panicked.increment(1),
            Failure::TimedOut => self.timed_out.increment(1),
            Failure::Abandoned => self.abandoned.increment(1),
        }
    }

    /// Counts a load that returned a value.
    pub(crate) fn loaded(&self, took: Duration) {
        self.loaded.increment(1);
        self.load_seconds.record(took);
    }
}
