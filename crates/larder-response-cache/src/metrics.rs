use metrics::Counter;

/// The counters of one layer. They go to the recorder that is installed when the layer is built.
///
/// `larder_response_cache_total` counts requests by `outcome`; the other counters say what happens
/// to the store and to those who wait.
pub(crate) struct Metrics {
    outcomes: [Counter; 8],
    store_failed: Counter,
    stored: Counter,
    refused: Counter,
    gave_up_waiting: Counter,
    recording_refused: Counter,
    purged: Counter,
}

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// From what is stored, fresh.
    Hit,
    /// From what is stored, stale, while it is validated in the background.
    Stale,
    /// From what is stored, stale, as the origin failed.
    StaleIfError,
    /// From what is stored, after the origin said that it is current.
    Validated,
    /// By the origin.
    Miss,
    /// By what another request fetched at the same time.
    Collapsed,
    /// By the inner service, with nothing looked up.
    Bypass,
    /// With 504, as the request asked.
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
        let named = |name: &'static str| metrics::counter!(name);
        Self {
            outcomes: OUTCOMES.map(
                |(_, outcome)| metrics::counter!("larder_response_cache_total", "outcome" => outcome),
            ),
            store_failed: named("larder_response_cache_store_failures_total"),
            stored: named("larder_response_cache_stored_total"),
            refused: named("larder_response_cache_outdated_total"),
            gave_up_waiting: named("larder_response_cache_waits_given_up_total"),
            recording_refused: named("larder_response_cache_recordings_refused_total"),
            purged: named("larder_response_cache_purges_total"),
        }
    }

    pub(crate) fn answered(&self, answer: Outcome) {
        self.outcomes[answer as usize].increment(1);
    }

    pub(crate) fn store_failed(&self) {
        self.store_failed.increment(1);
    }

    pub(crate) fn stored(&self) {
        self.stored.increment(1);
    }

    /// A response was not stored, as it was purged or replaced while it was fetched.
    pub(crate) fn outdated(&self) {
        self.refused.increment(1);
    }

    pub(crate) fn gave_up_waiting(&self) {
        self.gave_up_waiting.increment(1);
    }

    /// A response was not stored, as those that are being stored held too much together.
    pub(crate) fn recording_refused(&self) {
        self.recording_refused.increment(1);
    }

    pub(crate) fn purged(&self) {
        self.purged.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_own_counter() {
        for (at, (answer, _)) in OUTCOMES.iter().enumerate() {
            assert_eq!(*answer as usize, at);
        }
    }
}
