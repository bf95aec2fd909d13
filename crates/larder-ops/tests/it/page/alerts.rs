//! The alerts of the documentation see the first event of each counter.

use std::sync::Arc;

use larder_moka::MokaStore;
use larder_queue::worker::Worker;
use larder_queue::{Job, Queue};
use larder_rate_limit::{Quota, RateLimiter};
use larder_response_cache::ResponseCacheLayer;
use larder_session::Sessions;
use larder_store::Store;
use larder_test::MetricValues;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Mail {}

impl Job for Mail {
    const NAME: &'static str = "mail";
}

/// The names and queries of the alerts.
fn alerts() -> Vec<(&'static str, &'static str)> {
    let page = include_str!("../../../../../docs/alerts.yml");
    let rules = page.split("- alert: ").skip(1).map(|rule| {
        let mut lines = rule.lines();
        let name = lines.next().unwrap();
        (name, lines.next().unwrap().trim())
    });
    rules.collect()
}

/// The counters that exist before anything has happened.
async fn registered_at_the_start() -> Vec<String> {
    let metrics = MetricValues::default();
    let guard = metrics.record();
    let store: Arc<dyn Store> = Arc::new(MokaStore::new());
    drop(RateLimiter::new(store.clone(), "pages", Quota::per_hour(2)).unwrap());
    drop(Sessions::new(store.clone()).unwrap());
    drop(ResponseCacheLayer::new(store.clone()));
    let queue = Queue::new(store, "mail").unwrap();
    let worker = Worker::new(queue).on(async |_: Mail| ());
    worker.drain().await.unwrap();
    drop(guard);
    metrics.names()
}

#[tokio::test]
async fn each_alert_on_the_rise_of_a_counter_sees_its_first_event() {
    let registered = registered_at_the_start().await;
    let mut seen = 0;
    for (alert, query) in alerts() {
        // A ratio of hits is about much traffic, not about the first event.
        if alert == "LarderHitRatioDropped" {
            continue;
        }
        let increases = query.split("increase(").skip(1);
        for rise in increases.chain(query.split("rate(").skip(1)) {
            let is_part = |sign: char| !(sign.is_ascii_lowercase() || sign == '_');
            let counter = rise.split(is_part).next().unwrap();
            let starts_at_zero = registered.iter().any(|name| {
                let (name, _) = name.split_once(' ').unwrap_or((name, ""));
                name == counter
            });
            let is_new = format!("{counter} unless {counter} offset ");
            assert!(
                starts_at_zero || query.contains(&is_new),
                "{alert}: {query}"
            );
            seen += 1;
        }
    }
    assert!(seen > 14, "{seen}");
}

#[test]
fn dead_letters_that_no_worker_counted_are_seen_in_the_depth() {
    let all = alerts();
    let (_, query) = all
        .iter()
        .find(|(name, _)| *name == "LarderDeadLetters")
        .unwrap();
    let depth = "max by (queue, partition) (larder_queue_depth{state=\"dead\"}";
    assert!(
        // What one partition has lost does not hide what another has got.
        query.contains(&format!(
            "sum by (queue) (clamp_min({depth}) - {depth} offset 15m), 0)) > 0"
        )),
        "{query}"
    );
}
