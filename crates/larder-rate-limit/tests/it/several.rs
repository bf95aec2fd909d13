//! Several limits in one layer, over HTTP on every store.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use larder_rate_limit::{
    Ban, FailMode, KeyBy, Limit, Policy, Quota, RateLimitLayer, RateLimiter, Reason, Report, Rule,
    Settlement,
};
use larder_store::ErrorKind;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, Behavior, ScriptedStore, from, hello, layer, lines, with};
use crate::world::on_every_store;

const HOUR: Duration = Duration::from_secs(3_600);
const ANN: &str = "192.0.2.1";

fn by_header(name: &'static str) -> KeyBy {
    KeyBy::header(HeaderName::from_static(name))
}

fn reason(response: &Response<Bytes>) -> Option<Reason> {
    let decision = response.extensions().get::<larder_rate_limit::Decision>()?;
    decision.reason()
}

const EVERYBODY: &str = "everybody";

/// Waits until so many units of the last rule are left. Over a network nobody waits for what is given back.
async fn is_left(limiter: &RateLimiter, units: u32) -> bool {
    becomes(limiter, |report| {
        report.rules().last().unwrap().remaining() == units
    })
    .await
}

/// Waits until so many units of the last rule are left and nothing is held.
async fn is_settled(limiter: &RateLimiter, units: u32) -> bool {
    becomes(limiter, |report| {
        report.rules().last().unwrap().remaining() == units && report.held() == 0
    })
    .await
}

/// Asks for at most ten seconds whether that is true of everybody's key.
async fn becomes(limiter: &RateLimiter, is_true: impl Fn(&Report) -> bool) -> bool {
    for _ in 0..2_000 {
        if is_true(&limiter.inspect(EVERYBODY).await.unwrap()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

/// Answers with the tokens that the request names.
async fn echo(request: Request<()>) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let mut response = Response::new(Full::from("answer"));
    if let Some(tokens) = request.headers().get("x-tokens") {
        response.headers_mut().insert("x-tokens", tokens.clone());
    }
    Ok(response)
}

fn tokens_of(head: &http::response::Parts) -> Option<u32> {
    head.headers.get("x-tokens")?.to_str().ok()?.parse().ok()
}

on_every_store! {
    async fn a_request_that_one_limit_refuses_is_charged_to_none(world: World) {
        let address = world.named("address", Quota::per_hour(5));
        let account = world.named("account", Quota::per_hour(2));
        let limits = layer(address.clone(), KeyBy::peer())
            .and(Limit::new(account, by_header("x-account")));
        let app = App::new(limits);
        let by = |account| with(from(ANN), "x-account", account);
        for _ in 0..2 {
            let passed = app.send(by("ann")).await;
            assert_eq!(passed.status(), 200);
            assert_eq!(
                lines(passed.headers(), "ratelimit-policy"),
                [r#""address";q=5;w=3600"#, r#""account";q=2;w=3600"#]
            );
        }
        for _ in 0..10 {
            let refused = app.send(by("ann")).await;
            assert_eq!(refused.status(), 429);
            let body = String::from_utf8(refused.body().to_vec()).unwrap();
            assert!(body.contains(r#""violated-policies":["account"]"#), "{body}");
            assert_eq!(lines(refused.headers(), "ratelimit").len(), 1);
        }
        let ann = ("ip", larder_rate_limit::Network::of(ANN.parse().unwrap()));
        assert_eq!(address.peek(ann).await.unwrap().remaining(), 3);
        assert_eq!(app.send(by("ben")).await.status(), 200);
    }

    async fn a_limit_that_replaces_another_counts_alone(world: World) {
        let pages = world.named("pages", Quota::per_hour(1));
        let partners = Limit::new(world.named("partners", Quota::per_hour(3)), KeyBy::peer())
            .with_condition(|request| request.headers().contains_key("x-partner"))
            .with_replaced("pages");
        let app = App::new(layer(pages, KeyBy::peer()).and(partners));
        let partner = || with(from(ANN), "x-partner", "yes");
        for status in [200, 200, 200, 429] {
            let response = app.send(partner()).await;
            assert_eq!(response.status(), status);
            let limits = lines(response.headers(), "ratelimit");
            assert!(limits.len() == 1 && limits[0].starts_with(r#""partners""#), "{limits:?}");
        }
        for status in [200, 429] {
            assert_eq!(app.status(ANN).await, status);
        }
    }

    async fn a_limit_replaces_neither_itself_nor_by_watching_what_is_enforced(world: World) {
        let pages = world.named("pages", Quota::per_hour(2));
        let itself = Limit::new(pages.clone(), KeyBy::peer()).with_replaced("pages");
        let watching = Limit::new(world.named("new", Quota::per_hour(9)), KeyBy::peer())
            .with_replaced("pages")
            .with_shadow_mode();
        let other = world.named("other", Quota::per_hour(100));
        let app = App::new(layer(other, KeyBy::everybody()).and(itself).and(watching));
        for status in [200, 200, 429] {
            assert_eq!(app.status(ANN).await, status);
        }
    }

    async fn a_request_that_takes_a_place_costs_what_a_function_says(world: World) {
        let policy = Policy::new(Quota::per_hour(10)).and(Rule::concurrency(5, HOUR));
        let limit = Limit::new(world.limiter(policy), KeyBy::peer()).with_cost_by(|_| 5);
        let unused = world.named("unused", Policy::unlimited());
        let app = App::new(layer(unused, KeyBy::everybody()).and(limit));
        for status in [200, 200, 429] {
            assert_eq!(app.status(ANN).await, status);
        }
    }

    async fn a_request_costs_what_a_function_says(world: World) {
        let units = |request: &larder_rate_limit::RequestHead<'_>| {
            let units = request.headers().get("x-units").and_then(|it| it.to_str().ok()?.parse().ok());
            units.unwrap_or(1)
        };
        let limit = Limit::new(world.limiter(Quota::per_hour(10)), KeyBy::peer()).with_cost_by(units);
        let unused = world.named("unused", Policy::unlimited());
        let app = App::new(layer(unused, KeyBy::everybody()).and(limit));
        for (units, status, left) in [
            ("4", 200, Some("r=6")),
            ("0", 200, None),
            ("7", 429, Some("r=6")),
            ("6", 200, Some("r=0")),
            ("1", 429, Some("r=0")),
            ("0", 200, None),
        ] {
            let response = app.send(with(from(ANN), "x-units", units)).await;
            assert_eq!(response.status(), status, "{units}");
            let limit = lines(response.headers(), "ratelimit").join(", ");
            match left {
                Some(left) => assert!(limit.contains(left), "{units}: {limit}"),
                None => assert_eq!(limit, "", "{units}"),
            }
        }
        // More than the burst is the whole burst.
        world.advance(HOUR);
        let all = || with(from(ANN), "x-units", "1000");
        assert_eq!(app.send(all()).await.status(), 200);
        assert_eq!(app.send(all()).await.status(), 429);
    }

    async fn routes_that_share_a_limiter_share_its_quota(world: World) {
        let downloads = world.named("downloads", Quota::per_hour(3));
        let films = App::new(layer(downloads.clone(), KeyBy::peer()));
        let posters = App::new(layer(downloads, KeyBy::peer()));
        for (app, status) in [(&films, 200), (&posters, 200), (&films, 200), (&posters, 429), (&films, 429)] {
            assert_eq!(app.status(ANN).await, status);
        }
    }

    async fn a_reservation_is_charged_what_the_response_says(world: World) {
        let policy = Policy::new(Quota::per_hour(100)).with_reservations(HOUR);
        let tokens = Limit::new(world.limiter(policy), KeyBy::peer()).with_cost_by(|_| 10);
        let layer = RateLimitLayer::of(tokens)
            .with_store_timeout(Duration::from_secs(30))
            .with_fail_mode(FailMode::Closed)
            .with_settled_cost(|head| head.headers.get("x-tokens")?.to_str().ok()?.parse().ok());
        let service = service_fn(|request: Request<()>| async move {
            let mut response = Response::new(Full::from("answer"));
            if let Some(tokens) = request.headers().get("x-tokens") {
                response.headers_mut().insert("x-tokens", tokens.clone());
            }
            let says = request.headers().get("x-says").map(|says| says.as_bytes().to_vec());
            let settlement = match says.as_deref() {
                Some(b"refund") => Some(Settlement::Refund),
                Some(b"five") => Some(Settlement::Cost(5)),
                _ => None,
            };
            if let Some(settlement) = settlement {
                response.extensions_mut().insert(settlement);
            }
            Ok(response)
        });
        let app = App::around(layer.layer(service));
        for (name, value, status, left) in [
            ("x-tokens", "30", 200, "r=70"),
            ("x-says", "refund", 200, "r=70"),
            ("x-says", "five", 200, "r=65"),
            ("x-none", "", 200, "r=55"),
            // It cost more than was left, so the rest is owed.
            ("x-tokens", "80", 200, "r=0"),
            ("x-tokens", "1", 429, "r=0"),
        ] {
            let response = app.send(with(from(ANN), name, value)).await;
            assert_eq!(response.status(), status, "{name} {value}");
            let limit = lines(response.headers(), "ratelimit").join(", ");
            assert!(limit.contains(left), "{name} {value}: {limit}");
        }
    }

    async fn whoever_is_refused_too_often_is_banned(world: World) {
        let policy = Policy::new(Quota::per_hour(1)).with_ban(Ban::after(2, HOUR, 24 * HOUR));
        let limiter = world.limiter(policy);
        let app = App::new(layer(limiter, KeyBy::peer()));
        assert_eq!(app.status(ANN).await, 200);
        let mut reasons = Vec::new();
        for _ in 0..4 {
            let refused = app.send(from(ANN)).await;
            assert_eq!(refused.status(), 429);
            reasons.push(reason(&refused));
            if reason(&refused) == Some(Reason::Ban) {
                let body = String::from_utf8(refused.body().to_vec()).unwrap();
                assert!(body.contains("#abnormal-usage-detected"), "{body}");
                let wait: u64 = lines(refused.headers(), "retry-after")[0].parse().unwrap();
                assert!(wait > 23 * 3_600, "{wait}");
                let limit = format!(r#""test";r=0;t={wait}"#);
                assert_eq!(lines(refused.headers(), "ratelimit"), [limit]);
            }
        }
        assert_eq!(reasons[0], Some(Reason::Quota));
        assert_eq!(reasons[3], Some(Reason::Ban));
        assert_eq!(app.status("192.0.2.2").await, 200);
    }

    async fn a_limit_in_shadow_mode_refuses_nothing_and_says_nothing(world: World) {
        let pages = world.named("pages", Quota::per_hour(20));
        let search = Limit::new(world.named("search", Quota::per_hour(1)), KeyBy::peer());
        let app = App::new(layer(pages, KeyBy::peer()).and(search.with_shadow_mode()));
        for _ in 0..5 {
            let passed = app.send(from(ANN)).await;
            assert_eq!(passed.status(), 200);
            assert_eq!(lines(passed.headers(), "ratelimit-policy"), [r#""pages";q=20;w=3600"#]);
        }
    }

    async fn a_limit_in_shadow_mode_gives_back_what_the_response_gives_back(world: World) {
        for (name, policy) in [
            ("guesses", Policy::from(Quota::per_hour(3))),
            ("places", Policy::new(Rule::concurrency(9, HOUR)).and(Quota::per_hour(3))),
        ] {
            let guesses = world.named(name, policy);
            let pages = world.named("pages", Quota::per_hour(99));
            let watches = Limit::new(guesses.clone(), KeyBy::everybody()).with_shadow_mode();
            let layer = layer(pages, KeyBy::peer())
                .and(watches)
                .with_refund_if(|head| head.headers.contains_key("x-right"));
            let service = service_fn(|request: Request<()>| async move {
                let mut response = Response::new(Full::<Bytes>::default());
                if let Some(right) = request.headers().get("x-right") {
                    response.headers_mut().insert("x-right", right.clone());
                }
                Ok::<_, std::convert::Infallible>(response)
            });
            let app = App::around(layer.layer(service));
            assert_eq!(app.status(ANN).await, 200);
            assert!(is_left(&guesses, 2).await, "{name}");
            for _ in 0..2 {
                assert_eq!(app.send(with(from(ANN), "x-right", "yes")).await.status(), 200);
                assert!(is_left(&guesses, 2).await, "{name}");
            }
            assert_eq!(app.status(ANN).await, 200);
            assert!(is_left(&guesses, 1).await, "{name}");
        }
    }

    async fn a_limit_in_shadow_mode_settles_its_reservations(world: World) {
        let tokens = world.named("tokens", Policy::new(Quota::per_hour(100)).with_reservations(HOUR));
        let watches = Limit::new(tokens.clone(), KeyBy::everybody())
            .with_cost_by(|_| 10)
            .with_shadow_mode();
        let layer = layer(world.named("pages", Quota::per_hour(99)), KeyBy::peer())
            .and(watches)
            .with_settled_cost(tokens_of);
        let app = App::around(layer.layer(service_fn(echo)));
        for (name, value, left) in [
            ("x-tokens", "30", 70),
            ("x-tokens", "0", 70),
            ("x-none", "", 60),
            ("x-tokens", "5", 55),
        ] {
            assert_eq!(app.send(with(from(ANN), name, value)).await.status(), 200);
            assert!(is_settled(&tokens, left).await, "{name} {value}");
        }
    }

    async fn what_a_limit_has_charged_and_taken_comes_back_if_another_refuses(world: World) {
        let places = Policy::new(Rule::concurrency(9, HOUR)).and(Quota::per_hour(9));
        let tokens = Policy::new(Quota::per_hour(9)).with_reservations(HOUR);
        for (name, policy) in [("places", places), ("tokens", tokens)] {
            let watched = world.named(name, policy);
            let refuses = world.named(&format!("after.{name}"), Quota::per_hour(1));
            let layer = layer(watched.clone(), KeyBy::everybody())
                .and(Limit::new(refuses, KeyBy::peer()))
                .with_settled_cost(tokens_of);
            let app = App::around(layer.layer(service_fn(echo)));
            for status in [200, 429, 429] {
                assert_eq!(app.status(ANN).await, status, "{name}");
            }
            assert!(is_settled(&watched, 8).await, "{name}");
        }
    }

    async fn a_client_is_told_the_longest_wait_though_a_place_is_what_it_lacks_first(world: World) {
        let places = world.named("places", Rule::concurrency(1, HOUR / 60));
        let pages = world.named("pages", Quota::per_hour(1));
        let service = layer(places, KeyBy::peer())
            .and(Limit::new(pages, KeyBy::peer()))
            .layer(hello());
        let held = service.clone().oneshot(from(ANN)).await.unwrap();
        let refused = service.oneshot(from(ANN)).await.unwrap();
        assert_eq!(lines(refused.headers(), "retry-after"), ["3600"]);
        drop(held);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unlimited_limit_asks_no_store() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let limiter =
        |name: &str, policy: Policy| RateLimiter::new(store.clone(), name, policy).unwrap();
    let free = Limit::new(limiter("health", Policy::unlimited()), KeyBy::everybody())
        .with_condition(|request| request.uri().path() == "/health")
        .with_replaced("pages");
    let pages = limiter("pages", Quota::per_hour(1).into());
    let app = App::new(layer(pages, KeyBy::peer()).and(free));
    let to = |path: &str| {
        let mut request = from(ANN);
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    for _ in 0..3 {
        assert_eq!(app.send(to("/health")).await.status(), 200);
    }
    assert_eq!(app.send(to("/")).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_refuses_is_heard_though_another_has_no_answer() {
    let world = crate::world::World::memory().await;
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let broken = RateLimiter::new(store, "broken", Quota::per_hour(9)).unwrap();
    let pages = world.named("pages", Quota::per_hour(1));
    assert!(pages.check("ann").await.unwrap().is_allowed());
    let both = larder_rate_limit::Limits::new()
        .with(&broken, "ann")
        .with(&pages, "ann");
    let decisions = both.check().await.unwrap();
    assert_eq!(decisions.refused().map(|(policy, _)| policy), Some("pages"));
    assert!(both_of(&broken, &pages, "ben").await.is_err());
}

async fn both_of(
    broken: &RateLimiter,
    pages: &RateLimiter,
    visitor: &'static str,
) -> larder_store::Result<larder_rate_limit::Decisions> {
    let limits = larder_rate_limit::Limits::new();
    limits
        .with(broken, visitor)
        .with(pages, visitor)
        .check()
        .await
}

#[tokio::test(start_paused = true)]
async fn without_a_store_a_request_that_one_limit_refuses_is_charged_to_none() {
    let store = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let limiter =
        |name: &str, of| RateLimiter::new(store.clone(), name, Quota::per_hour(of)).unwrap();
    let memory = std::sync::Arc::new(larder_moka::MokaStore::new());
    let local = FailMode::Local(larder_rate_limit::LocalStore::new(memory).unwrap());
    let by_account = Limit::new(limiter("account", 1), by_header("x-account"));
    let layer = RateLimitLayer::new(limiter("address", 3), KeyBy::peer()).with_fail_mode(local);
    let app = App::new(layer.and(by_account));
    let by = |account| with(from(ANN), "x-account", account);
    assert_eq!(app.send(by("ann")).await.status(), 200);
    for _ in 0..5 {
        assert_eq!(app.send(by("ann")).await.status(), 429);
    }
    for account in ["ben", "cleo"] {
        assert_eq!(app.send(by(account)).await.status(), 200);
    }
    assert_eq!(app.send(by("dora")).await.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn a_visitor_whose_plan_cannot_be_charged_is_not_let_in_for_it() {
    let world = crate::world::World::memory().await;
    let plans = larder_rate_limit::Plans::new(|_| async {
        Ok::<_, std::io::Error>(Policy::from(Quota::per_minute(5)))
    });
    let limiter = world.limiter(Quota::per_minute(600)).with_cost(10).unwrap();
    let limiter = limiter.with_plans(plans).unwrap();
    let app = App::new(RateLimitLayer::new(limiter, KeyBy::peer()));
    assert_eq!(app.status(ANN).await, 503);
}

#[tokio::test(start_paused = true)]
async fn what_a_request_holds_comes_back_if_another_limit_has_no_answer() {
    let world = crate::world::World::memory().await;
    let failing = ScriptedStore::new(Behavior::Fails(ErrorKind::NotSent)).store();
    let failing = RateLimiter::new(failing, "failing", Quota::per_hour(9)).unwrap();
    let tokens = Policy::new(Quota::per_hour(5)).with_reservations(HOUR);
    for (name, policy) in [
        ("places", Rule::concurrency(1, HOUR).into()),
        ("tokens", tokens),
    ] {
        let limit = Limit::new(world.named(name, policy), KeyBy::peer());
        let alone = RateLimitLayer::of(limit.clone()).with_settled_cost(|_| Some(5));
        let both = layer(failing.clone(), KeyBy::peer())
            .and(limit)
            .with_settled_cost(|_| None);
        assert_eq!(App::new(both).status(ANN).await, 503, "{name}");
        assert_eq!(App::new(alone).status(ANN).await, 200, "{name}");
    }
}
