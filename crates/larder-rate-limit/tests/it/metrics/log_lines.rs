//! The log lines of a failure, and what they leave out.

use std::time::Duration;

use larder_rate_limit::{KeyBy, Limit, Plans, Policy, Quota, RateLimitLayer, RateLimiter};
use larder_store::ErrorKind;

use super::Log;
use crate::support::{App, Behavior, ScriptedStore, from, limiter, model, with};

fn take(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.0.lock().unwrap())
}

#[tokio::test]
async fn a_plan_lookup_that_fails_is_logged_without_the_visitor() {
    let log = Log::default();
    let guard = larder_test::subscribe(log.clone());
    let plans = Plans::new(|id: String| async move {
        Err::<Policy, _>(std::io::Error::other(format!("no such tenant: {id}")))
    });
    let limiter = limiter(model().0, Quota::per_hour(9)).with_plans(plans);
    let key_by = KeyBy::header(http::HeaderName::from_static("x-api-key"));
    let app = App::new(RateLimitLayer::new(limiter.unwrap(), key_by));
    let request = with(from("192.0.2.1"), "x-api-key", "secret-4711");
    assert_eq!(app.send(request).await.status(), 200);
    let lines = take(&log);
    let found: Vec<_> = lines.iter().filter(|line| line.contains("plan")).collect();
    assert_eq!(found.len(), 1, "{lines:?}");
    let is_said = ["the lookup of plans fails", "test"].map(|text| found[0].contains(text));
    assert_eq!(is_said, [true; 2], "{lines:?}");
    // No store fails.
    assert!(!found[0].contains("store"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("4711")), "{lines:?}");
    drop(guard);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_logged_though_another_limit_refuses() {
    let log = Log::default();
    let guard = larder_test::subscribe(log.clone());
    let limit = |name: &str, behavior| {
        let store = ScriptedStore::new(behavior).store();
        RateLimiter::new(store, name, Quota::per_hour(1)).unwrap()
    };
    let full = limit("full", Behavior::After(Duration::from_millis(1)));
    assert!(full.check("everybody").await.unwrap().is_allowed());
    let hangs = limit("hangs", Behavior::Hangs);
    let layer = RateLimitLayer::new(hangs, KeyBy::peer());
    let app = App::new(layer.and(Limit::new(full, KeyBy::everybody())));
    for _ in 0..3 {
        assert_eq!(app.status("192.0.2.1").await, 429);
    }
    let lines = take(&log);
    let lines: Vec<_> = lines.iter().filter(|line| line.contains("fails")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let is_said = ["'hangs'", "did not answer within 250ms"].map(|it| lines[0].contains(it));
    assert_eq!(is_said, [true; 2], "{lines:?}");
    drop(guard);
}

#[tokio::test]
async fn a_cost_that_can_never_pass_is_not_logged_as_a_store_that_fails() {
    let log = Log::default();
    let guard = larder_test::subscribe(log.clone());
    let plans = Plans::new(|_| async { Ok::<_, std::io::Error>(Policy::from(Quota::per_hour(5))) });
    let costly = limiter(model().0, Quota::per_hour(600))
        .with_cost(10)
        .unwrap();
    let costly = costly.with_plans(plans).unwrap();
    let pages = RateLimiter::new(model().0, "pages", Quota::per_hour(9)).unwrap();
    let alone = RateLimitLayer::new(costly.clone(), KeyBy::peer());
    let together = RateLimitLayer::new(pages, KeyBy::peer()).and(Limit::new(costly, KeyBy::peer()));
    for layer in [alone, together] {
        let app = App::new(layer);
        for _ in 0..3 {
            assert_eq!(app.status("192.0.2.1").await, 503);
        }
        let lines = take(&log);
        assert!(
            lines
                .iter()
                .all(|line| !line.contains("fails") && !line.contains("pages")),
            "{lines:?}"
        );
        let said: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("cannot charge"))
            .collect();
        assert_eq!(said.len(), 1, "{lines:?}");
        assert!(said[0].contains("at most the burst"), "{lines:?}");
    }
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let failing = RateLimitLayer::new(limiter(failing, Quota::per_hour(9)), KeyBy::peer());
    assert_eq!(App::new(failing).status("192.0.2.1").await, 200);
    let lines = take(&log);
    assert!(
        lines.iter().any(|line| line.contains("the store fails")),
        "{lines:?}"
    );
    drop(guard);
}
