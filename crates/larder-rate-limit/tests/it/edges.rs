//! The edges of a limit, on both backends by one clock: in Rust and in Lua.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_rate_limit::{Gcra, Quota, RateLimiter, Refund, Tat};
use larder_redis::RedisStore;
use larder_store::program::Record;
use larder_store::{Key, ManualClock, Store, StoreExt, Ttl};
use larder_test::server::RedisServer;

/// A store in process and a Redis store, which read one clock.
async fn both() -> (RedisServer, [Arc<dyn Store>; 2], ManualClock) {
    let server = RedisServer::start().unwrap();
    let clock = ManualClock::default();
    let redis = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    let redis = redis.with_virtual_time(clock.clone()).connect().await;
    let moka = MokaStore::builder().with_clock(clock.clone()).build();
    (server, [Arc::new(moka), Arc::new(redis.unwrap())], clock)
}

const MICRO: Duration = Duration::from_micros(1);

#[tokio::test]
async fn a_request_passes_at_the_exact_microsecond_and_not_before_on_both() {
    let (_server, stores, clock) = both().await;
    for store in stores {
        let limiter = RateLimiter::new(store, "edge", Quota::per_second(2)).unwrap();
        for _ in 0..2 {
            assert!(limiter.check("ann").await.unwrap().is_allowed());
        }
        clock.advance(Duration::from_micros(499_999));
        for decision in [limiter.peek("ann").await, limiter.check("ann").await] {
            let decision = decision.unwrap();
            assert_eq!(
                (decision.is_allowed(), decision.retry_after()),
                (false, MICRO)
            );
        }
        clock.advance(MICRO);
        assert!(limiter.peek("ann").await.unwrap().is_allowed());
        assert!(limiter.check("ann").await.unwrap().is_allowed());
        assert!(!limiter.check("ann").await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn a_refund_is_exact_to_the_microsecond_on_both() {
    let (_server, stores, clock) = both().await;
    for store in stores {
        let quota = Quota::per_second(4);
        let programs = store.require_programs("a test").unwrap();
        let gcra = Gcra::new(quota, 1).unwrap();
        let key = Key::new(Tat::KIND, ("edge", "ann"));
        for _ in 0..2 {
            let _ = programs.run(&key, &gcra).await.unwrap();
        }
        let now = programs
            .now()
            .unwrap_or_else(|| larder_store::Clock::now(&clock));
        // Half a second is charged, and what is given back is what time has not paid off.
        for (ahead, left) in [
            (-1, 500_000),
            (0, 500_000),
            (1, 499_999),
            (300_000, 249_999),
        ] {
            let refund = Refund::new(gcra, now.plus_micros(ahead));
            let decision = programs.run(&key, &refund).await.unwrap();
            assert_eq!(decision.reset(), Duration::from_micros(left), "{ahead}");
        }
        let all = Refund::new(gcra, now.plus_micros(250_000));
        let decision = programs.run(&key, &all).await.unwrap();
        assert_eq!(
            (decision.reset(), decision.remaining()),
            (Duration::ZERO, 4)
        );
        assert!(
            programs
                .inspect::<Tat>(&key)
                .await
                .unwrap()
                .fields()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_quota_of_a_century_works_on_both() {
    let (_server, stores, _clock) = both().await;
    for store in stores {
        let century = Quota::new(1, Ttl::MAX.into());
        let limiter = RateLimiter::new(store, "century", century).unwrap();
        assert!(limiter.check("ann").await.unwrap().is_allowed());
        let refused = limiter.check("ann").await.unwrap();
        assert_eq!(refused.retry_after(), Duration::from(Ttl::MAX));
    }
}

#[tokio::test]
async fn a_visitor_with_a_long_id_is_one_visitor_and_stays_in_its_policy_on_both() {
    let (_server, stores, _clock) = both().await;
    for store in stores {
        let long = "a".repeat(10_000);
        for policy in ["pages", "search"] {
            let limiter = RateLimiter::new(store.clone(), policy, Quota::per_hour(1)).unwrap();
            assert_eq!(limiter.key(&*long).partition(), Some(policy));
            assert!(limiter.check(&*long).await.unwrap().is_allowed());
            assert!(!limiter.check(&*long).await.unwrap().is_allowed());
        }
    }
}
