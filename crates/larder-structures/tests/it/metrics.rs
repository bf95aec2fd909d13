//! What is counted of locks.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::{ErrorKind, ManualClock, Store, Ttl};
use larder_structures::lock::{Lock, Semaphore};
use larder_test::faulty::{Faulty, Operations, Trouble};
use larder_test::{MetricNames, MetricValues};

const SHORT: Duration = Duration::from_millis(100);

fn faulty(clock: &ManualClock) -> Faulty<MokaStore> {
    let moka = MokaStore::builder().with_clock(clock.clone()).build();
    Faulty::new(Arc::new(moka))
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_counted_by_its_outcome_and_each_lost_lock_once() {
    let counts = MetricValues::default();
    let _guard = counts.record();
    let clock = ManualClock::default();
    let faulty = faulty(&clock);
    let switch = faulty.switch();
    let store: Arc<dyn Store> = Arc::new(faulty);
    let lock = Lock::new(store.clone(), "canary").unwrap();
    let calls = Semaphore::new(store, "canary", NonZeroU32::MIN).unwrap();

    let held = lock.try_lock().await.unwrap().unwrap();
    assert!(lock.try_lock().await.unwrap().is_none());
    assert!(lock.lock(SHORT).await.unwrap().is_none());
    drop(held);
    let permit = calls.acquire(SHORT).await.unwrap().unwrap();
    let _ = permit.release().await.unwrap();
    let counted = |name, count| (format!("larder_lock_{name}"), count);
    assert_eq!(
        counts.take(),
        [
            counted("acquires_total acquired", 2),
            counted("acquires_total busy", 2),
            counted("wait_seconds", 2),
        ]
    );

    // Lost when it is dropped, and lost when it is released.
    let lock = lock.with_lease(Ttl::from_millis(300));
    for is_released in [false, true] {
        let held = lock.try_lock().await.unwrap().unwrap();
        switch.set_on(Operations::Programs, Trouble::Hang);
        held.lost().await;
        switch.clear();
        clock.advance(Duration::from_millis(300));
        match is_released {
            true => drop(held.release().await.unwrap()),
            false => drop(held),
        }
        assert_eq!(
            counts.take(),
            [
                counted("acquires_total acquired", 1),
                counted("lost_total", 1)
            ]
        );
    }
    switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
    lock.try_lock().await.unwrap_err();
    assert_eq!(counts.take(), [counted("acquires_total failed", 1)]);
    let names = counts.names();
    assert!(
        names.iter().all(|name| !name.contains("canary")),
        "{names:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_leaders_term_is_no_loss_and_that_of_its_lease_is() {
    let counts = MetricValues::default();
    let _guard = counts.record();
    let clock = ManualClock::default();
    let faulty = faulty(&clock);
    let switch = faulty.switch();
    let lock = Lock::new(Arc::new(faulty), "canary").unwrap();
    for (lease, term) in [(30_000, SHORT), (30, SHORT), (30_000, SHORT * 900)] {
        let lock = lock.clone().with_lease(Ttl::from_millis(lease));
        let lock = lock.with_max_hold(term);
        let leading = lock.run_while_leader(|_| std::future::pending::<()>());
        // The next term does not begin: the clock of the store stands still.
        tokio::time::timeout(term * 2, leading).await.unwrap_err();
        let counted = counts.take();
        let is_lost = |(name, _): &(String, u64)| name == "larder_lock_lost_total";
        assert!(
            !counted.iter().any(is_lost),
            "{lease} {term:?}: {counted:?}"
        );
        clock.advance(term * 2);
    }
    let lock = lock.with_lease(Ttl::from_millis(300));
    let leading = lock.run_while_leader(|_| {
        switch.set_on(Operations::Programs, Trouble::Hang);
        std::future::pending::<()>()
    });
    tokio::time::timeout(SHORT * 9, leading).await.unwrap_err();
    assert!(
        counts
            .take()
            .contains(&("larder_lock_lost_total".to_owned(), 1))
    );
}

#[tokio::test(start_paused = true)]
async fn each_metric_is_described_with_its_unit_and_listed_in_the_readme() {
    let names = MetricNames::default();
    let _guard = metrics::set_default_local_recorder(&names);
    larder_structures::describe_metrics();
    let lock = Lock::new(Arc::new(MokaStore::new()), "report").unwrap();
    let lock = lock.with_max_hold(SHORT);
    let held = lock.lock(SHORT).await.unwrap().unwrap();
    held.lost().await;
    drop(held);
    let listed = names.assert_listed("larder_lock_", include_str!("../../README.md"));
    assert_eq!(listed, 3);
}
