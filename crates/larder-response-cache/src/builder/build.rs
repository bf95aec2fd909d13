use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use larder_layer::SingleFlight;
use larder_store::{Error, ErrorKind, Result};

use super::ResponseCacheBuilder;
use crate::ResponseCacheLayer;
use crate::engine::MAX_SELECTING_FIELDS;
use crate::metrics::Metrics;
use crate::miss::Marks;
use crate::pending_purges::PendingPurges;
use crate::request::RequestPolicy;
use crate::response::{RecordingLimit, is_name};
use crate::state::CacheState;
use crate::storage::{Far, Storage, near};

/// The default limit on the bytes of all bodies that are being stored at once.
const MAX_RECORDING: usize = 64 * 1024 * 1024;

/// How long no response is validated in the background after its fetch has failed, or its validation was in vain.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// The longest that a request waits for others. Longer timeouts could overflow.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

impl ResponseCacheBuilder {
    /// Builds the layer. Its metrics go to the recorder that is installed now.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is not a token, there are too many key fields, the wait timeout or the cap
    /// on a body or on variants is zero, or the cap on recordings is less than one body of the largest size.
    pub fn build(self) -> Result<ResponseCacheLayer> {
        self.check()?;
        Ok(self.build_unchecked())
    }

    fn check(&self) -> Result<()> {
        let wrong = if !is_name(&self.name) {
            "the name must be a token of at most 64 characters that begins with a letter or '*'"
        } else if self.key_fields.len() > MAX_SELECTING_FIELDS / 2 {
            "there must be at most 8 key fields"
        } else if self.max_variants == 0 {
            "the cap on variants must be at least 1"
        } else if self.max_body == 0 {
            "the cap on the bytes of a body must be at least 1"
        } else if self.max_recording.is_some_and(|max| max < self.max_body) {
            "the cap on recordings must be at least the cap on the bytes of a body"
        } else if self.wait_timeout.is_zero() {
            "the wait timeout must be longer than zero"
        } else {
            return Ok(());
        };
        let detail = format!("response cache: {wrong}");
        Err(Error::new("build", ErrorKind::Invalid, detail))
    }

    /// Builds the layer of options that are known to be valid.
    pub(crate) fn build_unchecked(self) -> ResponseCacheLayer {
        let metrics = Arc::new(Metrics::new());
        let default_recording = MAX_RECORDING.max(self.max_body);
        let max_recording = self.max_recording.unwrap_or(default_recording);
        ResponseCacheLayer::from_state(CacheState {
            requests: RequestPolicy {
                profile: self.policy.profile,
                scheme: self.scheme.map(|scheme| scheme.as_str().into()),
                query: self.query,
                key_fields: self.key_fields,
            },
            storage: Storage {
                near: near(self.max_near_bytes, &metrics),
                far: Far::new(self.store, self.store_timeout, metrics.clone(), self.policy),
                clock: self.clock,
                metrics: metrics.clone(),
                near_ttl: self.near_ttl,
                stale_while_disconnected: whole_seconds(self.stale_while_disconnected),
                max_variants: self.max_variants,
                last_fetch: AtomicI64::new(0),
                purges: PendingPurges::new(metrics.purge_gauges()),
            },
            // There are no more fetches than requests, which the server bounds.
            flights: SingleFlight::with_gauge(usize::MAX, metrics.fetches_in_flight()),
            hit_for_miss: Marks::new(whole_seconds(self.hit_for_miss_ttl)),
            failed: Marks::new(FAILED_PAUSE),
            metrics,
            name: self.name.into(),
            max_body: self.max_body,
            recordings: Arc::new(RecordingLimit::new(max_recording)),
            wait_timeout: self.wait_timeout.min(MAX_WAIT),
        })
    }
}

/// Rounds up to whole seconds, in which HTTP counts.
fn whole_seconds(time: Duration) -> Duration {
    let has_part = time.subsec_nanos() > 0;
    Duration::from_secs(time.as_secs().saturating_add(u64::from(has_part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_rounded_up() {
        for (millis, seconds) in [(0, 0), (1, 1), (900, 1), (1_000, 1), (1_500, 2)] {
            let rounded = whole_seconds(Duration::from_millis(millis));
            assert_eq!(rounded, Duration::from_secs(seconds), "{millis}");
        }
        assert_eq!(whole_seconds(Duration::MAX), Duration::from_secs(u64::MAX));
    }
}
