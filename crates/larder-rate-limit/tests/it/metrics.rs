//! The counters of a limit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use larder_rate_limit::{FailMode, KeyBy, Quota, RateLimitLayer};
use larder_store::ErrorKind;
use larder_store::program::Record;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    with_local_recorder,
};

use crate::support::{App, Behavior, ScriptedStore, limiter, model};

/// Counters by name and labels.
#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counters {
    /// All counters that are not zero.
    fn read(&self) -> Vec<(String, u64)> {
        let counters = self.0.lock().unwrap();
        let seen = counters
            .iter()
            .map(|(name, count)| (name.clone(), count.load(Ordering::SeqCst)));
        seen.filter(|(_, count)| *count > 0).collect()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| label.value());
        let name = [key.name()].into_iter().chain(labels).collect::<Vec<_>>();
        let mut counters = self.0.lock().unwrap();
        Counter::from_arc(counters.entry(name.join(" ")).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

async fn outcomes(behavior: Behavior, fail_mode: FailMode, peers: &[&str]) -> Vec<(String, u64)> {
    let counters = Counters::default();
    let layer = with_local_recorder(&counters, || {
        let limiter = limiter(ScriptedStore::new(behavior).store(), Quota::per_hour(2));
        RateLimitLayer::new(limiter, KeyBy::peer()).with_fail_mode(fail_mode)
    });
    let app = App::new(layer);
    for peer in peers {
        match *peer {
            "" => app.send(http::Request::new(())).await.status().as_u16(),
            peer => app.status(peer).await,
        };
    }
    counters.read()
}

fn decided(outcome: &str, count: u64) -> (String, u64) {
    (
        format!("larder_rate_limit_decisions_total test {outcome}"),
        count,
    )
}

#[tokio::test]
async fn every_decision_is_counted_by_its_outcome() {
    let peers = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"];
    let fails = Behavior::Fails(ErrorKind::NotSent);
    assert_eq!(
        outcomes(Behavior::Now, FailMode::Open, &peers).await,
        [decided("allowed", 3), decided("refused", 1)]
    );
    assert_eq!(
        outcomes(fails, FailMode::Open, &peers).await,
        [decided("failed_open", 4)]
    );
    assert_eq!(
        outcomes(fails, FailMode::Closed, &peers).await,
        [decided("failed_closed", 4)]
    );
    let local = FailMode::local(model().0).unwrap();
    assert_eq!(
        outcomes(fails, local, &peers).await,
        [decided("local_allowed", 3), decided("local_refused", 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn key_timeouts_and_shared_quotas_are_counted() {
    let counters = Counters::default();
    let layer = with_local_recorder(&counters, || {
        let store = larder_moka::MokaStore::builder();
        let store = store
            .with_max_keys_of(larder_rate_limit::Tat::KIND, 1)
            .build();
        let late =
            KeyBy::from_async_fn(|_: &http::request::Parts| std::future::pending::<Option<u8>>());
        let limiter = limiter(Arc::new(store), Quota::per_hour(2));
        RateLimitLayer::new(limiter, late.or(KeyBy::peer()))
    });
    let app = App::new(layer);
    for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.1"] {
        assert_eq!(app.status(peer).await, 200);
    }
    assert_eq!(
        counters.read(),
        [
            decided("allowed", 3),
            ("larder_rate_limit_key_timeouts_total test".to_owned(), 3),
            ("larder_rate_limit_shared_total test".to_owned(), 1),
        ]
    );
}

#[tokio::test]
async fn a_request_without_a_key_is_counted() {
    assert_eq!(
        outcomes(Behavior::Now, FailMode::Open, &["", "192.0.2.1"]).await,
        [
            decided("allowed", 2),
            ("larder_rate_limit_unkeyed_total test".to_owned(), 1)
        ]
    );
}
