//! The metrics of this process, as the page shows them.

mod recorder;
mod series;
mod snapshot;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use metrics::{Key, Recorder};
use tokio::runtime::Handle;
use tokio::time::{MissedTickBehavior, interval};

pub use recorder::FiguresRecorder;
use series::Series;
pub(super) use snapshot::Snapshot;

/// The maximum number of series that are kept. Others only go to the exporter, and the page says so.
const MAX_SERIES: usize = 1_000;
/// The time between two samples of a series.
const SAMPLED_EVERY: Duration = Duration::from_secs(5);

/// Keeps the metrics of larder in this process, for the page.
///
/// It is placed in front of the app's own exporter, and passes everything on. For series whose names begin
/// with `larder_` it also keeps the value, and a sample every five seconds for the last ten minutes: at most
/// a thousand series, in about 1 MB. A recorded metric costs one or two more atomic additions. Clones are cheap
/// and share everything.
///
/// ```
/// use larder_ops::page::Figures;
///
/// // In an app the exporter is that of Prometheus or OpenTelemetry.
/// let exporter = metrics::NoopRecorder;
/// let figures = Figures::new();
/// metrics::set_global_recorder(figures.recorder(exporter)).expect("no recorder is installed");
/// // From here on build the layers, and hand `figures` to the page.
/// ```
#[derive(Clone, Default)]
pub struct Figures {
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    series: RwLock<HashMap<Key, Arc<Series>>>,
    is_full: AtomicBool,
    is_sampled: AtomicBool,
}

impl Figures {
    /// Makes empty figures.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a recorder that keeps the metrics of larder and passes all metrics on to `exporter`.
    ///
    /// Install it with `metrics::set_global_recorder`, before the layers are built.
    pub fn recorder<R: Recorder>(&self, exporter: R) -> FiguresRecorder<R> {
        FiguresRecorder::new(self.clone(), exporter)
    }

    /// Returns the series of a key. None if it is not one of larder's, or there are too many.
    fn keep(&self, key: &Key, make: fn() -> Series) -> Option<Arc<Series>> {
        if !key.name().starts_with("larder_") {
            return None;
        }
        let mut series = self
            .kept
            .series
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = series.get(key) {
            return Some(known.clone());
        }
        if series.len() >= MAX_SERIES {
            self.kept.is_full.store(true, Ordering::Relaxed);
            return None;
        }
        let new = Arc::new(make());
        series.insert(key.clone(), new.clone());
        Some(new)
    }

    /// Returns the current state of all series.
    pub(super) fn snapshot(&self) -> Snapshot {
        let series = self
            .kept
            .series
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let series = series
            .iter()
            .map(|(key, series)| (key.clone(), series.clone()));
        Snapshot::new(series.collect(), self.kept.is_full.load(Ordering::Relaxed))
    }

    /// Takes a sample every five seconds, for as long as the figures are in use. Needs a runtime.
    pub(super) fn start_sampling(&self) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        if self.kept.is_sampled.swap(true, Ordering::Relaxed) {
            return;
        }
        runtime.spawn(sample_while_used(Arc::downgrade(&self.kept)));
    }
}

async fn sample_while_used(kept: Weak<Kept>) {
    let mut ticks = interval(SAMPLED_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(kept) = kept.upgrade() else { return };
        let series = kept.series.read().unwrap_or_else(PoisonError::into_inner);
        series.values().for_each(|series| series.sample());
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use metrics::{NoopRecorder, counter, gauge, histogram, with_local_recorder};

    use super::*;

    /// Counts by a recorder whose exporter is another one.
    fn counted(count: impl FnOnce()) -> (Snapshot, Snapshot) {
        let (figures, exported) = (Figures::new(), Figures::new());
        let recorder = figures.recorder(exported.recorder(NoopRecorder));
        with_local_recorder(&recorder, count);
        (figures.snapshot(), exported.snapshot())
    }

    #[test]
    fn figures_add_up_over_labels_and_are_passed_on() {
        let both = counted(|| {
            for (kind, tier, hits) in [("film", "near", 5), ("film", "far", 2), ("seat", "near", 1)]
            {
                counter!("larder_hits", "kind" => kind, "tier" => tier).increment(hits);
            }
            counter!("larder_total").absolute(7);
            counter!("larder_total").absolute(6);
            let depth = gauge!("larder_depth");
            depth.set(4.0);
            depth.increment(1.5);
            depth.decrement(0.5);
            histogram!("larder_seconds").record(0.5);
            histogram!("larder_seconds").record(1.0);
            counter!("app_requests").increment(1);
        });
        for figures in [both.0, both.1] {
            assert_eq!(figures.total("larder_hits", &[]), 8.0);
            assert_eq!(figures.total("larder_hits", &[("kind", "film")]), 7.0);
            assert_eq!(
                figures.total("larder_hits", &[("kind", "film"), ("tier", "far")]),
                2.0
            );
            assert_eq!(figures.total("larder_hits", &[("kind", "actor")]), 0.0);
            let kinds: Vec<_> = figures.values("larder_hits", "kind").into_iter().collect();
            assert_eq!(kinds, ["film", "seat"]);
            assert_eq!(figures.total("larder_total", &[]), 7.0);
            assert_eq!(figures.total("larder_depth", &[]), 5.0);
            let seconds = figures.figure("larder_seconds", &[]);
            assert_eq!((seconds.total, seconds.sum), (2.0, 1.5));
            // Metrics of other libraries are not kept.
            assert!(!figures.has("app_requests"));
        }
    }

    #[test]
    fn series_past_the_cap_are_not_kept_and_that_is_known() {
        let (figures, _) = counted(|| {
            for at in 0..MAX_SERIES + 50 {
                counter!("larder_hits", "kind" => at.to_string()).increment(1);
            }
            // A known metric is still counted.
            counter!("larder_hits", "kind" => "0").increment(1);
        });
        assert!(figures.is_full);
        assert_eq!(figures.total("larder_hits", &[]), MAX_SERIES as f64 + 1.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_history_is_bounded_and_says_by_how_much_a_counter_rose() {
        let figures = Figures::new();
        figures.start_sampling();
        let recorder = figures.recorder(NoopRecorder);
        for at in 0..300 {
            with_local_recorder(&recorder, || {
                counter!("larder_hits").increment(if at % 2 == 0 { 3 } else { 0 });
                gauge!("larder_depth").set(f64::from(at));
            });
            tokio::time::sleep(SAMPLED_EVERY).await;
        }
        let snapshot = figures.snapshot();
        let hits = snapshot.figure("larder_hits", &[]).history;
        assert!(hits.len() <= series::SAMPLES && hits.iter().all(|rise| [0.0, 3.0].contains(rise)));
        assert!(hits.iter().sum::<f64>() > 150.0, "{hits:?}");
        let depth = snapshot.figure("larder_depth", &[]).history;
        assert!(depth.len() <= series::SAMPLES + 1 && depth.last() == Some(&299.0));
    }
}
