//! The shared quotas of visitors with different plans.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_moka::MokaStore;
#[cfg(feature = "calendar")]
use larder_rate_limit::Calendar;
use larder_rate_limit::{Plans, Policy, Quota, RateLimiter, Rule, Usage, Window};
use larder_store::ErrorKind;
#[cfg(feature = "calendar")]
use larder_store::ManualClock;
use larder_store::program::Record;

#[tokio::test]
async fn strangers_with_different_plans_do_not_forget_the_counts_of_each_other() {
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, 2);
    let hour = Duration::from_secs(3_600);
    let plans = Plans::new(move |visitor: String| async move {
        Ok::<_, std::io::Error>(match visitor.starts_with('w') {
            true => Policy::new(Rule::fixed_window(3, Window::every(hour))),
            false => Policy::new(Quota::per_hour(3)),
        })
    });
    let limiter = RateLimiter::new(Arc::new(store.build()), "test", Quota::per_hour(3));
    let limiter = limiter.unwrap().with_plans(plans).unwrap();
    for known in ["first", "second"] {
        assert!(!limiter.check(known).await.unwrap().is_shared());
    }
    let mut passed = 0;
    for number in 0..50 {
        for plan in ["g", "w"] {
            let decision = limiter.check(format!("{plan}{number}")).await.unwrap();
            assert!(decision.is_shared());
            passed += u32::from(decision.is_allowed());
            let same = limiter.check(format!("{plan}{number}")).await.unwrap();
            if same.is_allowed() {
                let _ = limiter
                    .refund(format!("{plan}{number}"), same)
                    .await
                    .unwrap();
            }
        }
    }
    // There is room for two quotas, and for the last one of each plan.
    assert!((6..=12).contains(&passed), "{passed}");
}

/// Plans with a quota of as many units as the id of the visitor says.
fn plans_by_id() -> Plans {
    Plans::new(|visitor: String| async move {
        let limit = visitor.trim_start_matches(|c: char| !c.is_ascii_digit());
        Ok::<_, std::io::Error>(Policy::new(Quota::per_hour(limit.parse().unwrap())))
    })
}

#[tokio::test]
async fn visitors_with_more_sets_of_rules_than_there_is_room_for_are_limited_too() {
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, 1);
    let limiter = RateLimiter::new(Arc::new(store.build()), "test", Quota::per_hour(1));
    let limiter = limiter.unwrap().with_plans(plans_by_id()).unwrap();
    for (visitor, is_shared) in [("a2", false), ("b3", true), ("c4", true)] {
        let decision = limiter.check(visitor).await.unwrap();
        assert!(decision.is_allowed());
        assert_eq!(decision.is_shared(), is_shared, "{visitor}");
    }
    // Neither a quota of few nor one of all with its rules has room.
    let mut charged = None;
    for left in (0..5).rev() {
        let decision = limiter.check("d5").await.unwrap();
        assert!(decision.is_allowed() && decision.is_shared());
        assert_eq!(decision.remaining(), left);
        charged = Some(decision);
    }
    assert!(!limiter.check("d5").await.unwrap().is_allowed());
    let back = limiter.refund("d5", charged.unwrap()).await.unwrap();
    assert_eq!(back.remaining(), 1);
    // It has no other record than this one.
    assert!(limiter.check("e6").await.unwrap().is_shared());
    assert_eq!(limiter.check("a2").await.unwrap().remaining(), 0);
}

#[tokio::test]
async fn a_refund_gives_nothing_to_a_shared_quota_of_other_rules() {
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, 2);
    let limit = Arc::new(AtomicU32::new(5));
    let plans = Plans::new({
        let limit = limit.clone();
        move |_| {
            let policy = Policy::new(Quota::per_hour(limit.load(Ordering::SeqCst)));
            async move { Ok::<_, std::io::Error>(policy) }
        }
    });
    let limiter = RateLimiter::new(Arc::new(store.build()), "test", Quota::per_hour(1));
    let limiter = limiter.unwrap().with_plans(plans).unwrap();
    for known in ["first", "second"] {
        assert!(!limiter.check(known).await.unwrap().is_shared());
    }
    let charged = limiter.check("ann").await.unwrap();
    assert!(charged.is_shared());
    limit.store(7, Ordering::SeqCst);
    limiter.forget_plan("ann");
    assert_eq!(limiter.check("ann").await.unwrap().remaining(), 6);
    let error = limiter.refund("ann", charged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert!(error.to_string().contains("has changed"), "{error}");
    assert_eq!(limiter.check("ann").await.unwrap().remaining(), 5);
    // The plan that was charged applies again.
    limit.store(5, Ordering::SeqCst);
    limiter.forget_plan("ann");
    let back = limiter.refund("ann", charged).await.unwrap();
    assert_eq!(back.remaining(), 5);
}

#[cfg(feature = "calendar")]
#[tokio::test]
async fn strangers_with_different_calendars_do_not_forget_the_counts_of_each_other() {
    let clock = ManualClock::default();
    let store = MokaStore::builder().with_max_keys_of(Usage::KIND, 2);
    let store = Arc::new(store.with_clock(clock.clone()).build());
    let plans = Plans::new(|visitor: String| async move {
        let calendar = match visitor.starts_with('d') {
            true => Calendar::daily("UTC"),
            false => Calendar::monthly("UTC"),
        };
        let rule = Rule::fixed_window(3, calendar.unwrap().into());
        Ok::<_, std::io::Error>(Policy::new(rule))
    });
    let limiter = RateLimiter::new(store, "test", Quota::per_hour(3)).unwrap();
    let limiter = limiter.with_plans(plans).unwrap();
    for known in ["first", "second"] {
        assert!(!limiter.check(known).await.unwrap().is_shared());
    }
    // The clock of the test begins with a month.
    let mut passed_in_month = 0;
    for _ in 0..4 {
        for plan in ["m", "d"] {
            for number in 0..50 {
                let decision = limiter.check(format!("{plan}{number}")).await.unwrap();
                assert!(decision.is_shared());
                passed_in_month += u32::from(decision.is_allowed() && plan == "m");
            }
        }
        clock.advance(Duration::from_secs(24 * 3_600));
    }
    // There is room for two quotas, and for the last one of each plan.
    assert!((3..=9).contains(&passed_in_month), "{passed_in_month}");
}
