//! The support desk: what it sees and changes of one visitor.

use std::time::Duration;

use larder_rate_limit::{KeyBy, Network, Plans, Policy, Quota, Reason, Rule};
use larder_store::ErrorKind;

use crate::algorithms::each;
use crate::support::{App, from, layer};
use crate::world::{World, on_every_store, passed};

const SECOND: Duration = Duration::from_secs(1);
const ANN: &str = "192.0.2.1";

/// Checks that a request is refused with a problem of this type.
async fn is_refused(app: &App, problem: &str, policy: &str) {
    let refused = app.send(from(ANN)).await;
    assert_eq!(refused.status(), 429, "{policy}");
    let body = String::from_utf8(refused.body().to_vec()).unwrap();
    assert!(body.contains(problem), "{policy}: {body}");
}

on_every_store! {
    async fn the_support_desk_sets_and_resets_what_a_visitor_has_used(world: World) {
        for (name, policy) in each(5, SECOND) {
            let limiter = world.named(name, policy);
            let report = limiter.set("ada", 4).await.unwrap();
            assert_eq!(report.decision().remaining(), 1, "{name}");
            assert_eq!(passed(&limiter, "ada", 3).await, 1, "{name}");
            let report = limiter.reset("ada").await.unwrap();
            assert_eq!(report.decision().remaining(), 5, "{name}");
            assert_eq!(passed(&limiter, "ada", 9).await, 5, "{name}");
            assert_eq!(limiter.peek("grace").await.unwrap().remaining(), 5, "{name}");
        }
    }

    async fn a_ban_by_hand_refuses_every_request_until_it_ends_or_is_forgiven(world: World) {
        for (name, policy) in each(5, SECOND) {
            let limiter = world.named(name, policy);
            assert!(limiter.check("ada").await.unwrap().is_allowed());
            let report = limiter.ban("ada", 60 * SECOND).await.unwrap();
            assert_eq!(report.ban(), Some(60 * SECOND), "{name}");
            let banned = limiter.check("ada").await.unwrap();
            assert_eq!((banned.reason(), banned.retry_after()), (Some(Reason::Ban), 60 * SECOND));
            assert_eq!(limiter.inspect("ada").await.unwrap().ban(), Some(60 * SECOND));
            assert!(limiter.check("grace").await.unwrap().is_allowed());
            let report = limiter.forgive("ada").await.unwrap();
            assert_eq!(report.ban(), None);
            // What was used before stays.
            assert_eq!(report.decision().remaining(), 4, "{name}");
            limiter.ban("ada", 60 * SECOND).await.unwrap();
            world.advance(60 * SECOND);
            assert!(limiter.check("ada").await.unwrap().is_allowed(), "{name}");
            limiter.ban("ada", 60 * SECOND).await.unwrap();
            let report = limiter.reset("ada").await.unwrap();
            assert_eq!((report.ban(), report.decision().remaining()), (None, 5), "{name}");
        }
    }

    async fn what_is_given_back_during_a_ban_is_there_after_it(world: World) {
        for (name, policy) in each(5, 100 * SECOND) {
            let limiter = world.named(name, policy);
            let charged = limiter.check("ada").await.unwrap();
            limiter.ban("ada", SECOND).await.unwrap();
            let banned = limiter.refund("ada", charged).await.unwrap();
            assert_eq!((banned.reason(), banned.remaining()), (Some(Reason::Ban), 5), "{name}");
            world.advance(SECOND);
            assert_eq!(limiter.peek("ada").await.unwrap().remaining(), 5, "{name}");
        }
    }

    async fn the_desk_sees_what_a_visitor_holds_and_a_reset_leaves_it(world: World) {
        let policy = Policy::new(Rule::concurrency(2, 60 * SECOND)).and(Quota::per_hour(10));
        let limiter = world.limiter(policy);
        let _permit = limiter.acquire("ada").await.unwrap().held().unwrap();
        let report = limiter.inspect("ada").await.unwrap();
        assert_eq!(report.held(), 1);
        let left: Vec<_> = report.rules().iter().map(|rule| rule.remaining()).collect();
        assert_eq!(left, [1, 9]);
        let report = limiter.reset("ada").await.unwrap();
        let left: Vec<_> = report.rules().iter().map(|rule| rule.remaining()).collect();
        assert_eq!((report.held(), left), (1, vec![1, 10]));
    }

    async fn a_layer_refuses_and_admits_a_visitor_as_the_desk_says(world: World) {
        for (name, policy) in each(5, 60 * SECOND) {
            let limiter = world.named(name, policy);
            let app = App::new(layer(limiter.clone(), KeyBy::peer()));
            let ann = || ("ip", Network::of(ANN.parse().unwrap()));
            assert_eq!(app.status(ANN).await, 200, "{name}");
            limiter.ban(ann(), 60 * SECOND).await.unwrap();
            is_refused(&app, "#abnormal-usage-detected", name).await;
            limiter.forgive(ann()).await.unwrap();
            assert_eq!(app.status(ANN).await, 200, "{name}");
            limiter.set(ann(), 5).await.unwrap();
            is_refused(&app, "#quota-exceeded", name).await;
            limiter.reset(ann()).await.unwrap();
            assert_eq!(app.status(ANN).await, 200, "{name}");
            assert_eq!(app.status("192.0.2.2").await, 200, "{name}");
        }
    }
}

#[tokio::test]
async fn what_the_desk_cannot_do_is_an_error_that_says_why() {
    let world = World::memory().await;
    let limiter = world.limiter(Quota::per_hour(5));
    let error = limiter.ban("ada", Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("10 years"), "{error}");
    let unlimited = world.limiter(Policy::unlimited());
    let error = unlimited.ban("ada", SECOND).await.unwrap_err();
    assert!(error.to_string().contains("without rules"), "{error}");
}

#[tokio::test]
async fn the_desk_speaks_of_one_unit_and_an_inspection_of_the_limiters_cost() {
    let world = World::memory().await;
    for (name, policy) in each(12, 60 * SECOND) {
        if policy.has_concurrency() {
            continue;
        }
        let limiter = world.named(name, policy).with_cost(10).unwrap();
        let set = limiter.set("ada", 7).await.unwrap().decision();
        assert_eq!((set.is_allowed(), set.cost()), (true, 1), "{name}");
        let seen = limiter.inspect("ada").await.unwrap().decision();
        assert_eq!((seen.is_allowed(), seen.cost()), (false, 10), "{name}");
    }
}

#[tokio::test]
async fn who_looks_at_a_cost_that_can_never_pass_is_told_so_as_who_is_charged() {
    let world = World::memory().await;
    let plans = Plans::new(|_| async { Ok::<_, std::io::Error>(Policy::from(Quota::per_hour(5))) });
    let limiter = world.limiter(Quota::per_hour(50)).with_cost(10).unwrap();
    let limiter = limiter.with_plans(plans).unwrap();
    for error in [
        limiter.check("ada").await.unwrap_err(),
        limiter.peek("ada").await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
