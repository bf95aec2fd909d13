//! The support desk and the plans of visitors.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_rate_limit::{Plans, Policy, Quota, RateLimiter, Reason, Rule};
use larder_store::ErrorKind;

use super::MINUTE;
use crate::world::{World, on_every_store};

/// A process whose plans are of one rule, until they have a second one, or are not found.
struct Process {
    limiter: RateLimiter,
    is_new: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
}

impl Process {
    fn new(world: &World) -> Self {
        let (is_new, fails) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let flags = (is_new.clone(), fails.clone());
        let plans = Plans::new(move |_| {
            let [is_new, fails] = [&flags.0, &flags.1].map(|flag| flag.load(Ordering::SeqCst));
            let hourly = Policy::new(Quota::per_hour(50));
            let policy = if is_new {
                hourly.and(Rule::sliding_log(20, 60 * MINUTE))
            } else {
                hourly
            };
            async move {
                if fails {
                    Err(std::io::Error::other("no database"))
                } else {
                    Ok(policy)
                }
            }
        });
        let limiter = world.limiter(Quota::per_hour(2)).with_plans(plans).unwrap();
        Self {
            limiter,
            is_new,
            fails,
        }
    }

    async fn left_of_the_second_rule(&self) -> u32 {
        self.limiter.inspect("acme").await.unwrap().rules()[1].remaining()
    }
}

on_every_store! {
    async fn the_desk_goes_by_the_newest_plan_though_an_older_one_is_kept(world: World) {
        let (here, there) = (Process::new(&world), Process::new(&world));
        assert!(here.limiter.check("acme").await.unwrap().is_allowed());
        for process in [&here, &there] {
            process.is_new.store(true, Ordering::SeqCst);
        }
        let _ = there.limiter.check_cost("acme", 3).await.unwrap();
        let report = here.limiter.ban("acme", MINUTE).await.unwrap();
        assert_eq!(report.rules().len(), 2);
        assert_eq!(there.limiter.check("acme").await.unwrap().reason(), Some(Reason::Ban));
        here.limiter.forgive("acme").await.unwrap();
        assert_eq!(there.left_of_the_second_rule().await, 17);
    }

    async fn the_desk_changes_nothing_by_a_policy_that_would_forget_what_a_plan_counts(world: World) {
        let (knows, knows_not) = (Process::new(&world), Process::new(&world));
        knows.is_new.store(true, Ordering::SeqCst);
        knows_not.fails.store(true, Ordering::SeqCst);
        let _ = knows.limiter.check_cost("acme", 3).await.unwrap();
        // It looks, and is so counted by the limiter's own policy for a while.
        knows_not.limiter.inspect("acme").await.unwrap();
        for error in [
            knows_not.limiter.forgive("acme").await.unwrap_err(),
            knows_not.limiter.set("acme", 1).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotSent);
            assert!(error.to_string().contains("reset the visitor"), "{error}");
        }
        assert_eq!(knows.left_of_the_second_rule().await, 17);
        // A limiter that has found the plan once continues to use it.
        knows.fails.store(true, Ordering::SeqCst);
        knows.limiter.forgive("acme").await.unwrap();
        assert_eq!(knows.left_of_the_second_rule().await, 17);
    }

    async fn a_ban_and_a_reset_need_no_plan(world: World) {
        let (knows, knows_not) = (Process::new(&world), Process::new(&world));
        knows.is_new.store(true, Ordering::SeqCst);
        knows_not.fails.store(true, Ordering::SeqCst);
        let _ = knows.limiter.check_cost("acme", 3).await.unwrap();
        knows_not.limiter.ban("acme", MINUTE).await.unwrap();
        assert_eq!(knows.limiter.check("acme").await.unwrap().reason(), Some(Reason::Ban));
        knows_not.limiter.reset("acme").await.unwrap();
        let report = knows.limiter.inspect("acme").await.unwrap();
        let left: Vec<_> = report.rules().iter().map(|rule| rule.remaining()).collect();
        assert_eq!((report.ban(), left), (None, vec![50, 20]));
    }
}
