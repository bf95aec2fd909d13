use larder_layer::SharedGauges;
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, gauge};

/// The counters of one layer. They go to the recorder that is installed when the layer is built.
pub(crate) struct Metrics {
    outcomes: [Counter; 8],
    store_failed: Counter,
    stored: Counter,
    outdated: Counter,
    gave_up_waiting: Counter,
    recording_refused: Counter,
    purged: Counter,
    purges_dropped: Counter,
}

/// How a request was answered: the `outcome` of `larder_response_cache_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By a fresh stored response.
    Hit,
    /// By a stale one, which is validated in the background.
    Stale,
    /// By a stale one, because the origin failed.
    StaleIfError,
    /// By a stored one, which the origin has validated.
    Validated,
    /// By the origin.
    Miss,
    /// By the response that another request fetched at the same time.
    Collapsed,
    /// By the inner service, without a lookup.
    Bypass,
    /// With 504, because the request accepted only a stored response.
    OnlyIfCached,
}

const OUTCOMES: [(Outcome, &str); 8] = [
    (Outcome::Hit, "hit"),
    (Outcome::Stale, "stale"),
    (Outcome::StaleIfError, "stale-if-error"),
    (Outcome::Validated, "validated"),
    (Outcome::Miss, "miss"),
    (Outcome::Collapsed, "collapsed"),
    (Outcome::Bypass, "bypass"),
    (Outcome::OnlyIfCached, "only-if-cached"),
];

impl Metrics {
    pub(crate) fn new() -> Self {
        describe_metrics();
        Self {
            outcomes: OUTCOMES
                .map(|(_, outcome)| counter!("larder_response_cache_total", "outcome" => outcome)),
            store_failed: counter!("larder_response_cache_store_failures_total"),
            stored: counter!("larder_response_cache_stored_total"),
            outdated: counter!("larder_response_cache_outdated_total"),
            gave_up_waiting: counter!("larder_response_cache_waits_given_up_total"),
            recording_refused: counter!("larder_response_cache_recordings_refused_total"),
            purged: counter!("larder_response_cache_purges_total"),
            purges_dropped: counter!("larder_response_cache_purges_dropped_total"),
        }
    }

    pub(crate) fn near_entries(&self) -> Gauge {
        gauge!("larder_response_cache_near_entries")
    }

    pub(crate) fn near_bytes(&self) -> Gauge {
        gauge!("larder_response_cache_near_bytes")
    }

    pub(crate) fn fetches_in_flight(&self) -> Gauge {
        gauge!("larder_response_cache_fetches_in_flight")
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].increment(1);
    }

    pub(crate) fn store_failed(&self) {
        self.store_failed.increment(1);
    }

    pub(crate) fn stored(&self) {
        self.stored.increment(1);
    }

    /// Counts a response that was not stored, because it was purged or replaced during its fetch.
    pub(crate) fn outdated(&self) {
        self.outdated.increment(1);
    }

    pub(crate) fn gave_up_waiting(&self) {
        self.gave_up_waiting.increment(1);
    }

    /// Counts a response that was not stored, because all recordings together held too many bytes.
    pub(crate) fn recording_refused(&self) {
        self.recording_refused.increment(1);
    }

    pub(crate) fn purged(&self) {
        self.purged.increment(1);
    }

    /// Counts a purge that failed and is not tried again, because too many wait.
    pub(crate) fn purge_dropped(&self) {
        self.purges_dropped.increment(1);
    }

    /// Returns the gauges of purges that wait: their number, and the age of the oldest in seconds.
    pub(crate) fn purge_gauges(&self) -> SharedGauges<2> {
        SharedGauges::new([
            gauge!("larder_response_cache_purges_pending"),
            gauge!("larder_response_cache_purges_oldest_seconds"),
        ])
    }
}

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    for (name, text) in [
        (
            "larder_response_cache_total",
            "Requests by how they were answered",
        ),
        (
            "larder_response_cache_store_failures_total",
            "Operations of the store that failed",
        ),
        (
            "larder_response_cache_stored_total",
            "Responses that were stored",
        ),
        (
            "larder_response_cache_outdated_total",
            "Responses not stored because they were purged or replaced meanwhile",
        ),
        (
            "larder_response_cache_waits_given_up_total",
            "Requests that waited too long for another request's fetch",
        ),
        (
            "larder_response_cache_recordings_refused_total",
            "Responses not stored because all recordings together held too many bytes",
        ),
        (
            "larder_response_cache_purges_total",
            "Purges and expiries of URIs and tags",
        ),
        (
            "larder_response_cache_purges_dropped_total",
            "Purges that failed and are not tried again, because too many wait",
        ),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
    for (name, unit, text) in [
        (
            "larder_response_cache_near_entries",
            Unit::Count,
            "Responses that are kept in this process",
        ),
        (
            "larder_response_cache_near_bytes",
            Unit::Bytes,
            "Memory of the responses that are kept in this process",
        ),
        (
            "larder_response_cache_fetches_in_flight",
            Unit::Count,
            "Fetches that other requests may wait for",
        ),
        (
            "larder_response_cache_purges_pending",
            Unit::Count,
            "Purges that wait for the store",
        ),
        (
            "larder_response_cache_purges_oldest_seconds",
            Unit::Seconds,
            "Age of the oldest purge that waits for the store, added up over the layers of the process",
        ),
    ] {
        describe_gauge!(name, unit, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_counter() {
        for (at, (outcome, _)) in OUTCOMES.iter().enumerate() {
            assert_eq!(*outcome as usize, at);
        }
    }
}
