//! The counters of a limit.

mod log_lines;
mod near_limit;
mod reasons;
mod settlements;
mod without_a_layer;

use std::sync::{Arc, Mutex};

use larder_rate_limit::{
    FailMode, KeyBy, Limit, Plans, Policy, Quota, RateLimitLayer, RateLimiter, Rule,
};
use larder_store::ErrorKind;
use larder_store::program::Record;
use larder_test::{MetricNames, MetricValues};
use metrics::with_local_recorder;

use crate::support::{App, Behavior, ScriptedStore, limiter, model};

async fn outcomes(behavior: Behavior, fail_mode: FailMode, peers: &[&str]) -> Vec<(String, u64)> {
    let counters = MetricValues::default();
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
    counters.counts()
}

fn decided(outcome: &str, count: u64) -> (String, u64) {
    (
        format!("larder_rate_limit_decisions_total test {outcome}"),
        count,
    )
}

fn refused(reason: &str, count: u64) -> (String, u64) {
    (
        format!("larder_rate_limit_refusals_total test {reason}"),
        count,
    )
}

#[tokio::test]
async fn every_decision_is_counted_by_its_outcome() {
    let peers = ["192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"];
    let fails = Behavior::Fails(ErrorKind::NotSent);
    // Of two units none is left after the second.
    let near = || ("larder_rate_limit_near_limit_total test".to_owned(), 1);
    assert_eq!(
        outcomes(Behavior::Now, FailMode::Open, &peers).await,
        [
            decided("allowed", 3),
            decided("refused", 1),
            near(),
            refused("quota", 1)
        ]
    );
    assert_eq!(
        outcomes(fails, FailMode::Open, &peers).await,
        [decided("failed_open", 4)]
    );
    assert_eq!(
        outcomes(fails, FailMode::Closed, &peers).await,
        [decided("failed_closed", 4), refused("store_failed", 4)]
    );
    let local = FailMode::local(model().0).unwrap();
    assert_eq!(
        outcomes(fails, local, &peers).await,
        [
            decided("local_allowed", 3),
            decided("local_refused", 1),
            near(),
            refused("quota", 1)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn key_timeouts_and_shared_quotas_are_counted() {
    let counters = MetricValues::default();
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
        counters.counts(),
        [
            decided("allowed", 3),
            ("larder_rate_limit_key_timeouts_total test".to_owned(), 3),
            ("larder_rate_limit_near_limit_total test".to_owned(), 1),
            ("larder_rate_limit_shared_total test".to_owned(), 1),
        ]
    );
}

#[tokio::test]
async fn of_limits_that_refuse_one_request_each_has_its_reason() {
    let counters = MetricValues::default();
    let layer = with_local_recorder(&counters, || {
        let other = RateLimiter::new(model().0, "other", Quota::per_day(2)).unwrap();
        RateLimitLayer::new(limiter(model().0, Quota::per_hour(2)), KeyBy::peer())
            .and(Limit::new(other, KeyBy::peer()))
    });
    let app = App::new(layer);
    for status in [200, 200, 429, 429] {
        assert_eq!(app.status("192.0.2.1").await, status);
    }
    let counted = counters.counts();
    let counted = counted.iter().filter(|(name, _)| name.contains("refus"));
    let of = |name: &str| (format!("larder_rate_limit_{name}"), 2);
    let expected = [
        of("decisions_total other refused"),
        of("decisions_total test refused"),
        of("refusals_total other quota"),
        of("refusals_total test quota"),
    ];
    assert!(counted.eq(expected.iter()), "{:?}", counters.counts());
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

#[tokio::test]
async fn a_limit_in_shadow_mode_is_neither_charged_nor_counted_for_what_another_limit_refuses() {
    let counters = MetricValues::default();
    let (store, _) = model();
    let watched = RateLimiter::new(store.clone(), "watched", Quota::per_hour(9)).unwrap();
    let layer = with_local_recorder(&counters, || {
        let watches = Limit::new(watched.clone(), KeyBy::everybody()).with_shadow_mode();
        RateLimitLayer::new(limiter(store, Quota::per_hour(2)), KeyBy::everybody()).and(watches)
    });
    let app = App::new(layer);
    for status in [200, 200, 429, 429, 429] {
        assert_eq!(app.status("192.0.2.1").await, status);
    }
    assert_eq!(watched.peek("everybody").await.unwrap().remaining(), 7);
    let counted = counters.counts();
    let shadow = counted.iter().filter(|(name, _)| name.contains("shadow"));
    let allowed = "larder_rate_limit_shadow_total watched allowed".to_owned();
    assert_eq!(shadow.collect::<Vec<_>>(), [&(allowed, 2)]);
}

#[tokio::test]
async fn a_limit_in_shadow_mode_counts_by_a_plan_that_is_still_to_be_found() {
    let minute = std::time::Duration::from_secs(60);
    for policy in [
        Policy::from(Rule::concurrency(1, minute)),
        Policy::new(Quota::per_hour(5)),
        Policy::unlimited(),
    ] {
        for has_costs in [false, true] {
            let counters = MetricValues::default();
            let policy = policy.clone();
            let plans = Plans::new(move |_| {
                let policy = policy.clone();
                async move { Ok::<_, std::io::Error>(policy) }
            });
            let layer = with_local_recorder(&counters, || {
                let limiter = limiter(model().0, Quota::per_hour(2)).with_plans(plans);
                let mut limit = Limit::new(limiter.unwrap(), KeyBy::peer()).with_shadow_mode();
                if has_costs {
                    limit = limit.with_cost_by(|_| 1_000);
                }
                RateLimitLayer::of(limit)
            });
            assert_eq!(App::new(layer).status("192.0.2.1").await, 200);
            while counters.counts().is_empty() {
                tokio::task::yield_now().await;
            }
            let shadow = "larder_rate_limit_shadow_total test allowed".to_owned();
            assert_eq!(counters.counts(), [(shadow, 1)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_shadow_mode_has_a_bounded_number_of_checks_under_way() {
    let counters = MetricValues::default();
    let layer = with_local_recorder(&counters, || {
        let hangs = limiter(
            ScriptedStore::new(Behavior::Hangs).store(),
            Quota::per_hour(2),
        );
        RateLimitLayer::of(Limit::new(hangs, KeyBy::peer()).with_shadow_mode())
    });
    let app = App::new(layer);
    for _ in 0..1_100 {
        assert_eq!(app.status("192.0.2.1").await, 200);
    }
    let shadow = "larder_rate_limit_shadow_total test failed".to_owned();
    assert_eq!(counters.counts(), [(shadow, 100)]);
}

#[test]
fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    with_local_recorder(&names, || {
        RateLimitLayer::new(limiter(model().0, Quota::per_hour(1)), KeyBy::peer())
    });
    assert_eq!(
        names.assert_listed("larder_rate_limit_", include_str!("../../../README.md")),
        9
    );
}

/// Keeps the lines that are logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{value:?} ");
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

#[tokio::test]
async fn a_missing_address_is_logged_once_with_the_call_that_mends_it() {
    let log = Log::default();
    let guard = larder_test::subscribe(log.clone());
    let api_key = http::HeaderName::from_static("x-api-key");
    for (key_by, expected) in [
        (
            KeyBy::peer(),
            "into_make_service_with_connect_info::<SocketAddr>()",
        ),
        (
            KeyBy::header(api_key),
            "check that the client sends the header",
        ),
    ] {
        let app = App::new(RateLimitLayer::new(
            limiter(model().0, Quota::per_hour(9)),
            key_by,
        ));
        for _ in 0..3 {
            app.send(http::Request::new(())).await;
        }
        let lines = std::mem::take(&mut *log.0.lock().unwrap());
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("found no"))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(expected), "{lines:?}");
    }
    drop(guard);
}
