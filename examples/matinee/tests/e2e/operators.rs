//! The pages and log lines for operators.

use std::thread;
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::visitor::Visitor;

on_both_backends! {
    the_first_line_tells_the_address_and_the_store,
    a_healthy_app_says_so,
    the_metrics_hold_the_counters_of_larder,
    a_request_keeps_its_id_only_where_it_looks_like_one,
}

fn the_first_line_tells_the_address_and_the_store(plan: Plan) {
    let mut app = plan.open();
    let store = if app.shares_a_store() {
        format!("store={}", app.redis().url())
    } else {
        "store=memory://".to_owned()
    };
    for server in app.servers() {
        let line = server.opening_line();
        assert!(line.contains(&format!("address=http://{}", server.address())));
        assert!(line.contains(&store), "{line}");
    }
}

fn a_healthy_app_says_so(plan: Plan) {
    let app = plan.open();
    let alive = app.get("/healthz");
    assert_eq!((alive.status.as_u16(), &*alive.body), (200, "alive\n"));

    // On a busy machine the store may miss its deadline now and then.
    let since = Instant::now();
    let ready = loop {
        let ready = app.get("/readyz");
        assert_eq!(ready.status, 200);
        let ready = ready.json();
        if ready["status"] == "ready" {
            break ready;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "{ready}");
        thread::sleep(Duration::from_millis(50));
    };
    let parts = ready["parts"].as_array().unwrap();
    let told: Vec<_> = parts
        .iter()
        .map(|part| (part["name"].as_str().unwrap(), &part["status"]))
        .collect();
    assert_eq!(told, [("database", &"ok".into()), ("store", &"ok".into())]);
}

fn the_metrics_hold_the_counters_of_larder(plan: Plan) {
    let app = plan.open();
    for path in ["/films/1", "/films/1", "/api/films/1", "/api/films"] {
        assert_eq!(app.get(path).status, 200);
    }
    let metrics = app.get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    for (name, labels, value) in [
        ("larder_cache_misses_total", &["kind=\"film\""][..], 1),
        ("larder_cache_misses_total", &["kind=\"catalogue\""], 1),
        (
            "larder_cache_hits_total",
            &["kind=\"film\"", "tier=\"near\""],
            1,
        ),
        (
            "larder_cache_loads_total",
            &["kind=\"film\"", "outcome=\"ok\""],
            1,
        ),
        ("larder_response_cache_total", &["outcome=\"hit\""], 1),
        (
            "larder_rate_limit_decisions_total",
            &["outcome=\"allowed\""],
            3,
        ),
        ("larder_rate_limit_decisions_total", &[], 3),
        (
            "http_request_duration_seconds_count",
            &["route=\"/films/{id}\""],
            2,
        ),
    ] {
        assert_eq!(metrics.metric(name, labels), value, "{name} {labels:?}");
    }
    let told = metrics.body.contains("larder_redis_");
    assert_eq!(told, app.shares_a_store(), "{}", metrics.body);
}

fn a_request_keeps_its_id_only_where_it_looks_like_one(plan: Plan) {
    let app = plan.open();
    let id_of = |id: &str| {
        let visitor = Visitor::new().with("x-request-id", id);
        let answer = visitor.get(app.first(), "/healthz");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(id_of("proxy-1"), "proxy-1");
    for id in ["", "a b", "a\"}: forged=\"line", &"x".repeat(10_000)] {
        let given = id_of(id);
        assert_ne!(given, id);
        assert_eq!(given.len(), 36, "{given}");
    }
}
