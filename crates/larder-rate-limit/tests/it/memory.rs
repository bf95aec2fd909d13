//! Refusals that a process remembers, so that a flood costs few calls to the store.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use larder_rate_limit::{
    Ban, Decision, FailMode, KeyBy, Limit, Policy, Quota, RateLimitLayer, RateLimiter, Reason,
    RefusalMemory, Rule,
};
use larder_store::ErrorKind;
use tokio::sync::Notify;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{App, Behavior, ScriptedStore, from, hello, limiter, lines, with};

const ANN: &str = "192.0.2.1";
const SLOW: Behavior = Behavior::After(Duration::from_millis(1));
const FAILS: Behavior = Behavior::Fails(ErrorKind::NotSent);

fn layer(store: &ScriptedStore, memory: RefusalMemory) -> RateLimitLayer {
    let limiter = limiter(store.store(), Quota::new(1, Duration::from_secs(10)));
    RateLimitLayer::new(limiter, KeyBy::peer())
        .with_fail_mode(FailMode::Closed)
        .with_refusal_memory(memory)
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_visitor_does_not_reach_the_store_and_never_past_the_reset() {
    let store = ScriptedStore::new(SLOW);
    let memory = RefusalMemory::new(100).with_max_age(Duration::from_secs(60));
    let app = App::new(layer(&store, memory));
    for (status, reason) in [(200, None), (429, Some(Reason::Quota))] {
        let response = app.send(from(ANN)).await;
        assert_eq!(response.status(), status);
        let decision = response.extensions().get::<Decision>();
        assert_eq!(decision.and_then(Decision::reason), reason);
    }
    // From now on, a request that calls the store gets a 503.
    store.set(FAILS);
    for _ in 0..1_000 {
        assert_eq!(app.status(ANN).await, 429);
    }
    assert_eq!(app.status("192.0.2.2").await, 503, "it has no refusal");
    tokio::time::advance(Duration::from_secs(7)).await;
    let refused = app.send(from(ANN)).await;
    assert_eq!(lines(refused.headers(), "retry-after"), ["3"]);
    let decision = refused.extensions().get::<Decision>().unwrap();
    assert_eq!(decision.reason(), Some(Reason::Remembered));
    // At the right time the store is asked again, and not a moment earlier.
    tokio::time::advance(decision.retry_after()).await;
    assert_eq!(app.status(ANN).await, 503);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_refusal_never_tells_a_client_to_come_back_too_early() {
    let second = Duration::from_secs(1);
    // The store decides three seconds after it was asked, in which nothing comes back yet.
    let store = ScriptedStore::new(Behavior::After(3 * second));
    let memory = RefusalMemory::new(100).with_max_age(60 * second);
    let app = App::new(layer(&store, memory).with_store_timeout(30 * second));
    let wait = async || {
        let refused = app.send(from(ANN)).await;
        let decision = *refused.extensions().get::<Decision>().unwrap();
        (decision.reason().unwrap(), decision.retry_after())
    };
    assert_eq!(app.status(ANN).await, 200);
    assert_eq!(wait().await, (Reason::Quota, 10 * second));
    assert_eq!(wait().await, (Reason::Remembered, 10 * second));
    tokio::time::advance(6 * second).await;
    assert_eq!(wait().await, (Reason::Remembered, 4 * second));
    // It is forgotten before that, so that it cannot outlive the refusal.
    tokio::time::advance(second).await;
    assert_eq!(wait().await.0, Reason::Quota);
}

/// A layer of 10 units for each 10 s, whose requests cost what they say, and its answer to one of them. A request with
/// an account also needs one of its units, of which there is one an hour.
struct Priced(ScriptedStore, App);

impl Priced {
    fn new() -> Self {
        let store = ScriptedStore::new(SLOW);
        let limiter = limiter(store.store(), Quota::new(10, Duration::from_secs(10)));
        let limit = Limit::new(limiter, KeyBy::peer()).with_cost_by(|request| {
            let units = request.headers().get("x-units");
            units
                .and_then(|units| units.to_str().ok()?.parse().ok())
                .unwrap_or(1)
        });
        let accounts = ScriptedStore::new(SLOW);
        let accounts = RateLimiter::new(accounts.store(), "account", Quota::per_hour(1)).unwrap();
        let by_account = Limit::new(accounts, KeyBy::peer())
            .with_condition(|request| request.headers().contains_key("x-account"));
        let memory = RefusalMemory::new(100).with_max_age(Duration::from_secs(60));
        let layer = RateLimitLayer::of(limit)
            .and(by_account)
            .with_fail_mode(FailMode::Closed)
            .with_refusal_memory(memory);
        Self(store, App::new(layer))
    }

    /// The reason of a refusal, and its wait in seconds. None if the request passes.
    async fn ask(&self, units: u32) -> Option<(Reason, u64)> {
        let (reason, wait, cost) = self.answer(from(ANN), units).await?;
        if reason != Reason::StoreFailed {
            assert_eq!(cost, units);
        }
        Some((reason, wait))
    }

    /// The same for a request with an account, which costs it one unit.
    async fn ask_with_account(&self, units: u32) -> Option<(Reason, u64)> {
        let request = with(from(ANN), "x-account", "ada");
        let (reason, wait, _) = self.answer(request, units).await?;
        Some((reason, wait))
    }

    async fn answer(&self, request: Request<()>, units: u32) -> Option<(Reason, u64, u32)> {
        let request = with(request, "x-units", &units.to_string());
        let response = self.1.send(request).await;
        let decision = response.extensions().get::<Decision>()?;
        let reason = decision.reason()?;
        let wait: u64 = lines(response.headers(), "retry-after")[0].parse().unwrap();
        assert_eq!(wait, decision.retry_after().as_secs_f64().ceil() as u64);
        Some((reason, wait, decision.cost()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_refusal_of_a_cheap_request_does_not_tell_its_wait_to_a_costlier_one() {
    let app = Priced::new();
    assert_eq!(app.ask(10).await, None);
    assert_eq!(app.ask(1).await, Some((Reason::Quota, 1)));
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 10)));
    // Both are remembered now, and what costs more than the cheap one is refused as certainly.
    app.0.set(FAILS);
    for _ in 0..100 {
        for (units, wait) in [(1, 1), (10, 10), (5, 10)] {
            assert_eq!(app.ask(units).await, Some((Reason::Remembered, wait)));
        }
    }
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(app.ask(10).await, Some((Reason::Remembered, 9)));
    for units in [1, 5] {
        let asked = app.ask(units).await;
        assert_eq!(asked, Some((Reason::StoreFailed, 1)), "{units}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_cheap_request_is_charged_makes_a_costlier_one_wait_longer_at_once() {
    let app = Priced::new();
    assert_eq!(app.ask(5).await, None);
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 5)));
    assert_eq!(app.ask(10).await, Some((Reason::Remembered, 5)));
    assert_eq!(app.ask(1).await, None);
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 6)));
}

#[tokio::test(start_paused = true)]
async fn a_charge_whose_answer_is_lost_makes_a_costlier_request_wait_longer_at_once() {
    let app = Priced::new();
    assert_eq!(app.ask_with_account(0).await, None);
    assert_eq!(app.ask(5).await, None);
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 5)));
    app.0.set(Behavior::LosesAnswers);
    assert_eq!(app.ask(1).await, Some((Reason::StoreFailed, 1)));
    app.0.set(SLOW);
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 6)));
    // Here the other limit refuses.
    app.0.set(Behavior::LosesAnswers);
    let asked = app.ask_with_account(1).await;
    assert_eq!(asked, Some((Reason::Quota, 3_600)));
    app.0.set(SLOW);
    assert_eq!(app.ask(10).await, Some((Reason::Quota, 7)));
}

#[tokio::test(start_paused = true)]
async fn a_charge_in_shadow_mode_makes_a_costlier_request_wait_longer_at_once() {
    for behavior in [SLOW, Behavior::Now] {
        let store = ScriptedStore::new(behavior);
        let pages = limiter(store.store(), Quota::new(10, Duration::from_secs(10)));
        let all = pages.clone().with_cost(10).unwrap();
        let memory = RefusalMemory::new(100);
        let shadow = Limit::new(pages, KeyBy::peer()).with_shadow_mode();
        let shadow = App::new(RateLimitLayer::of(shadow).with_refusal_memory(memory.clone()));
        let costly = RateLimitLayer::new(all, KeyBy::peer()).with_refusal_memory(memory);
        let costly = App::new(costly);
        for wait in ["1", "2"] {
            assert_eq!(shadow.status(ANN).await, 200);
            // It is charged in the background.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let refused = costly.send(from(ANN)).await;
            assert_eq!(lines(refused.headers(), "retry-after"), [wait]);
            let decision = refused.extensions().get::<Decision>().unwrap();
            assert_eq!(decision.reason(), Some(Reason::Quota), "{behavior:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_misses_a_charge_of_another_layer_is_not_remembered() {
    let milli = Duration::from_millis(1);
    let store = ScriptedStore::new(SLOW);
    let pages = limiter(store.store(), Quota::new(10, Duration::from_secs(10)));
    let search = pages.clone().with_cost(5).unwrap();
    let memory = RefusalMemory::new(100);
    // The layer knows its answer only when this store has answered too.
    let late = ScriptedStore::new(Behavior::After(10 * milli));
    let late = RateLimiter::new(late.store(), "late", Quota::per_hour(99)).unwrap();
    let search = RateLimitLayer::new(search, KeyBy::peer())
        .and(Limit::new(late, KeyBy::peer()))
        .with_refusal_memory(memory.clone());
    let search = Arc::new(App::new(search));
    let pages = RateLimitLayer::new(pages, KeyBy::peer()).with_refusal_memory(memory);
    let pages = App::new(pages);
    for _ in 0..6 {
        assert_eq!(pages.status(ANN).await, 200);
    }
    let refused = tokio::spawn({
        let search = search.clone();
        async move { search.status(ANN).await }
    });
    tokio::time::sleep(5 * milli).await;
    assert_eq!(pages.status(ANN).await, 200);
    assert_eq!(refused.await.unwrap(), 429);
    let refused = search.send(from(ANN)).await;
    assert_eq!(lines(refused.headers(), "retry-after"), ["2"]);
    let decision = refused.extensions().get::<Decision>().unwrap();
    assert_eq!(decision.reason(), Some(Reason::Quota));
}

#[tokio::test(start_paused = true)]
async fn what_the_support_desk_gives_back_takes_effect_after_a_second() {
    let store = ScriptedStore::new(SLOW);
    let app = App::new(layer(&store, RefusalMemory::new(100)));
    for status in [200, 429] {
        assert_eq!(app.status(ANN).await, status);
    }
    store.set(FAILS);
    tokio::time::advance(RefusalMemory::DEFAULT_MAX_AGE - Duration::from_millis(10)).await;
    assert_eq!(app.status(ANN).await, 429);
    tokio::time::advance(Duration::from_millis(10)).await;
    assert_eq!(app.status(ANN).await, 503, "the store is asked again");
}

#[tokio::test(start_paused = true)]
async fn what_the_layer_gives_back_itself_takes_effect_at_once() {
    let store = ScriptedStore::new(SLOW);
    let (inside, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (notifies, waits) = (inside.clone(), gate.clone());
    let service = service_fn(move |_: Request<()>| {
        notifies.notify_one();
        let gate = waits.clone();
        async move {
            gate.notified().await;
            Ok(Response::new(Full::from("right")))
        }
    });
    let layer = layer(&store, RefusalMemory::new(100)).with_refund_if(|_| true);
    let app = Arc::new(App::around(layer.layer(service)));
    for refund in [SLOW, Behavior::LosesAnswers] {
        let first = tokio::spawn({
            let app = app.clone();
            async move { app.status(ANN).await }
        });
        inside.notified().await;
        assert_eq!(app.status(ANN).await, 429);
        store.set(refund);
        gate.notify_one();
        assert_eq!(first.await.unwrap(), 200);
        store.set(SLOW);
        gate.notify_one();
        assert_eq!(app.status(ANN).await, 200, "{refund:?}");
        inside.notified().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_refusals_are_remembered_than_there_is_room_for() {
    let store = ScriptedStore::new(SLOW);
    let app = App::new(layer(&store, RefusalMemory::new(32)));
    for number in 0..200_u32 {
        let peer = std::net::Ipv4Addr::from(number).to_string();
        for status in [200, 429] {
            assert_eq!(app.status(&peer).await, status);
        }
    }
    store.set(FAILS);
    let mut remembered = 0;
    for number in 0..200_u32 {
        let peer = std::net::Ipv4Addr::from(number).to_string();
        remembered += u32::from(app.status(&peer).await == 429);
    }
    assert!(remembered <= 40, "{remembered}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_reaches_the_store_until_it_has_banned_and_no_longer() {
    let hour = Duration::from_secs(3_600);
    let store = ScriptedStore::new(SLOW);
    let policy = Policy::new(Quota::per_hour(1)).with_ban(Ban::after(3, hour, hour));
    let limiter = RateLimiter::new(store.store(), "test", policy).unwrap();
    let layer = RateLimitLayer::new(limiter, KeyBy::peer())
        .with_fail_mode(FailMode::Closed)
        .with_refusal_memory(RefusalMemory::new(100));
    let app = App::new(layer);
    let quota = Some(Reason::Quota);
    for expected in [None, quota, quota, Some(Reason::Ban)] {
        let response = app.send(from(ANN)).await;
        let decision = response.extensions().get::<Decision>();
        assert_eq!(decision.and_then(Decision::reason), expected);
    }
    store.set(FAILS);
    for _ in 0..100 {
        assert_eq!(app.status(ANN).await, 429);
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_limit_gives_back_because_another_refuses_takes_effect_at_once() {
    let milli = Duration::from_millis(1);
    let store = ScriptedStore::new(SLOW);
    let limiter = |name: &str| RateLimiter::new(store.store(), name, Quota::per_hour(1)).unwrap();
    let by_account = KeyBy::header(http::HeaderName::from_static("x-account"));
    let accounts = limiter("account");
    let layer = RateLimitLayer::new(limiter("address"), KeyBy::peer())
        .and(Limit::new(accounts.clone(), by_account.clone()))
        .with_fail_mode(FailMode::Closed)
        .with_refusal_memory(RefusalMemory::new(100));
    let app = Arc::new(App::new(layer));
    let by = |account| with(from(ANN), "x-account", account);
    assert_eq!(
        App::new(RateLimitLayer::new(accounts, by_account))
            .send(by("ada"))
            .await
            .status(),
        200
    );
    // The account of the first is used up: its address is charged, and then gets that back. The second
    // comes in between.
    let first = tokio::spawn({
        let app = app.clone();
        async move { app.send(by("ada")).await.status() }
    });
    tokio::time::sleep(milli / 2).await;
    assert_eq!(app.send(by("grace")).await.status(), 429);
    assert_eq!(first.await.unwrap(), 429);
    assert_eq!(app.send(by("grace")).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_one_limit_gives_back_because_another_has_no_answer_takes_effect_at_once() {
    let milli = Duration::from_millis(1);
    let (store, hangs) = (
        ScriptedStore::new(SLOW),
        ScriptedStore::new(Behavior::Hangs),
    );
    let limiter = |store: &ScriptedStore, name: &str| {
        RateLimiter::new(store.store(), name, Quota::per_hour(1)).unwrap()
    };
    let addresses = limiter(&store, "address");
    let memory = RefusalMemory::new(100);
    let outer = RateLimitLayer::new(addresses.clone(), KeyBy::peer())
        .and(Limit::new(limiter(&hangs, "account"), KeyBy::peer()))
        .with_fail_mode(FailMode::Closed)
        .with_refusal_memory(memory.clone());
    let outer = App::new(outer);
    let inner = RateLimitLayer::new(addresses, KeyBy::peer()).with_refusal_memory(memory);
    let inner = App::new(inner);
    // The address is charged, and gets that back when the account has no answer. Another request comes in between.
    let first = tokio::spawn(async move { outer.status(ANN).await });
    tokio::time::sleep(100 * milli).await;
    assert_eq!(inner.status(ANN).await, 429);
    assert_eq!(first.await.unwrap(), 503);
    // Past the timeout, giving back goes on in the background.
    tokio::time::sleep(5 * milli).await;
    assert_eq!(inner.status(ANN).await, 200);
}

/// An app that limits addresses and accounts, with the answers to a request of both.
struct Two(App);

impl Two {
    fn new(store: &ScriptedStore, address: Policy, account: Policy) -> Self {
        let limit = |name: &str, policy, key_by| {
            let limiter = RateLimiter::new(store.store(), name, policy).unwrap();
            Limit::new(limiter, key_by)
        };
        let by_account = KeyBy::header(http::HeaderName::from_static("x-account"));
        let layer = RateLimitLayer::of(limit("address", address, KeyBy::peer()))
            .and(limit("account", account, by_account))
            .with_fail_mode(FailMode::Closed)
            .with_refusal_memory(RefusalMemory::new(100));
        Self(App::new(layer))
    }

    /// The reason of a refusal, and its wait in seconds. None if the request passes.
    async fn ask(&self, address: &str, account: &str) -> Option<(Reason, u64)> {
        let response = self.0.send(with(from(address), "x-account", account)).await;
        let reason = response.extensions().get::<Decision>()?.reason()?;
        let wait = lines(response.headers(), "retry-after")[0];
        Some((reason, wait.parse().unwrap()))
    }
}

const TEN_SECONDS: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_remembered_refusal_hides_neither_the_ban_nor_the_longer_wait_of_another_limit() {
    let store = ScriptedStore::new(SLOW);
    let address = Policy::from(Quota::new(1, TEN_SECONDS));
    let account = Policy::new(Quota::per_hour(1)).with_ban(Ban::after(3, HOUR, 2 * HOUR));
    let app = Two::new(&store, address, account);
    let quota = Some((Reason::Quota, 3_600));
    let ban = Some((Reason::Ban, 7_200));
    for expected in [None, quota, quota, ban] {
        assert_eq!(app.ask(ANN, "ada").await, expected);
    }
    // From now on, a request that calls the store gets a 503.
    store.set(FAILS);
    for _ in 0..100 {
        let asked = app.ask(ANN, "ada").await;
        assert_eq!(asked, Some((Reason::Remembered, 7_200)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_that_one_of_several_limits_refuses_reaches_the_store_once_for_each_visitor() {
    let store = ScriptedStore::new(SLOW);
    let address = Policy::from(Quota::new(1, TEN_SECONDS));
    let app = Two::new(&store, address, Quota::per_hour(2).into());
    assert_eq!(app.ask(ANN, "ada").await, None);
    for account in ["ada", "grace"] {
        assert_eq!(app.ask(ANN, account).await, Some((Reason::Quota, 10)));
    }
    store.set(FAILS);
    for _ in 0..100 {
        for account in ["ada", "grace"] {
            let asked = app.ask(ANN, account).await;
            assert_eq!(asked, Some((Reason::Remembered, 10)), "{account}");
        }
    }
    // Of another account it is not known how long it has to wait.
    let asked = app.ask(ANN, "mary").await;
    assert_eq!(asked, Some((Reason::StoreFailed, 1)));
    // Nobody is let in by what is remembered.
    let asked = app.ask("192.0.2.2", "ada").await;
    assert_eq!(asked, Some((Reason::StoreFailed, 1)));
    store.set(SLOW);
    // What a limit would let pass is forgotten when it is charged.
    assert_eq!(app.ask("192.0.2.2", "ada").await, None);
    assert_eq!(app.ask(ANN, "ada").await, Some((Reason::Quota, 1_800)));
    assert_eq!(app.ask(ANN, "ada").await, Some((Reason::Remembered, 1_800)));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_lacking_is_remembered_only_beside_the_refusal_of_another_limit() {
    let store = ScriptedStore::new(SLOW);
    let limit = |name: &str, policy: Policy| {
        let limiter = RateLimiter::new(store.store(), name, policy).unwrap();
        Limit::new(limiter, KeyBy::peer())
    };
    for (pages, third) in [(1, 429), (2, 503)] {
        store.set(SLOW);
        let quota = Quota::new(pages, TEN_SECONDS);
        let service = RateLimitLayer::of(limit(&format!("pages.{pages}"), quota.into()))
            .and(limit(
                &format!("places.{pages}"),
                Rule::concurrency(1, HOUR).into(),
            ))
            .with_fail_mode(FailMode::Closed)
            .with_refusal_memory(RefusalMemory::new(100).with_max_age(Duration::MAX))
            .layer(hello());
        let held = service.clone().oneshot(from(ANN)).await.unwrap();
        assert_eq!(held.status(), 200);
        for status in [429, third] {
            let refused = service.clone().oneshot(from(ANN)).await.unwrap();
            assert_eq!(refused.status(), status, "{pages}");
            if status == 429 {
                assert_eq!(lines(refused.headers(), "retry-after"), ["3600"]);
            }
            store.set(FAILS);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn at_least_one_refusal_is_remembered() {
    let store = ScriptedStore::new(SLOW);
    let app = App::new(layer(&store, RefusalMemory::new(0)));
    for status in [200, 429] {
        assert_eq!(app.status(ANN).await, status);
    }
    store.set(FAILS);
    assert_eq!(app.status(ANN).await, 429);
}
