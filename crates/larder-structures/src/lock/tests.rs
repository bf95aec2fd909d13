//! How long those wait that are in the queue, by a clock that only they move.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::program::Record;
use larder_store::{Clock, ErrorKind, Key, Refusal, Store, Timestamp, Ttl};
use larder_test::faulty::{Faulty, Operations, Trouble};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};

use super::permits::{Acquire, Acquired, Permits};
use super::{Lock, Order};

/// The clock of the runtime, which a test pauses.
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let micros = self.0.elapsed().as_micros() as i64;
        Timestamp::from_micros(1_700_000_000_000_000 + micros)
    }
}

fn store() -> Arc<MokaStore> {
    let clock = RuntimeClock(Instant::now());
    Arc::new(MokaStore::builder().with_clock(clock).build())
}

fn lock(store: Arc<dyn Store>, lease: Ttl) -> Lock {
    let lock = Lock::new(store, "report").unwrap();
    lock.with_lease(lease).with_order(Order::Fifo)
}

/// Waits for the lock in a task, which returns when it has it.
async fn waits(lock: &Lock) -> JoinHandle<Instant> {
    let lock = lock.clone();
    let waiting = tokio::spawn(async move {
        let guard = lock.lock(Duration::from_secs(60)).await.unwrap().unwrap();
        let taken = Instant::now();
        let _ = guard.release().await.unwrap();
        taken
    });
    // In process it comes to its pause without any other.
    for _ in 0..10 {
        yield_now().await;
    }
    assert!(!waiting.is_finished());
    waiting
}

#[tokio::test(start_paused = true)]
async fn a_place_is_given_up_after_an_outage_that_is_longer_than_the_lease() {
    let lease = Ttl::from_millis(50);
    let outage = Duration::from_millis(600);
    let steady = store();
    let faulty = Faulty::new(steady.clone());
    let switch = faulty.switch();
    let (unlucky, lock) = (lock(Arc::new(faulty), lease), lock(steady, lease));

    let guard = lock.try_lock().await.unwrap().unwrap();
    let gives_up = waits(&unlucky).await;
    let next = waits(&lock).await;
    switch.set_on(Operations::Programs, Trouble::Fail(ErrorKind::NotSent));
    gives_up.abort();
    assert!(gives_up.await.unwrap_err().is_cancelled());
    let began = Instant::now();
    let _ = guard.release().await.unwrap();
    sleep(outage).await;
    assert!(!next.is_finished());
    switch.clear();
    let waited = next.await.unwrap() - began;
    assert!(waited < outage * 2, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_that_has_no_place_in_the_queue_gives_nothing_back() {
    let lease = Ttl::from_secs(30);
    let steady = store();
    let faulty = Faulty::new(steady.clone());
    let switch = faulty.switch();
    let (unlucky, lock) = (lock(Arc::new(faulty), lease), lock(steady, lease));
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    unlucky.lock(Duration::from_secs(1)).await.unwrap_err();
    switch.clear();
    sleep(Duration::from_secs(40)).await;
    assert_eq!(switch.operations(), 1);

    let _guard = lock.try_lock().await.unwrap().unwrap();
    let mut places = Vec::new();
    for _ in 0..super::MAX_QUEUE {
        places.push(waits(&lock).await);
    }
    let full = unlucky.lock(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Refused(Refusal::Full));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(switch.operations(), 2);
    places.iter().for_each(JoinHandle::abort);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_is_repeated_in_the_background() {
    let lease = Ttl::from_secs(30);
    let faulty = Faulty::new(store());
    let switch = faulty.switch();
    let lock = lock(Arc::new(faulty), lease);
    let guard = lock.try_lock().await.unwrap().unwrap();
    switch.set_next(1, Trouble::Fail(ErrorKind::NotSent));
    guard.release().await.unwrap_err();
    let began = Instant::now();
    assert!(lock.lock(Duration::from_secs(60)).await.unwrap().is_some());
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_follower_tries_again_soon_after_each_failure() {
    let lease = Ttl::from_secs(300);
    let steady = store();
    let faulty = Faulty::new(steady.clone());
    let switch = faulty.switch();
    let (follower, lock) = (lock(Arc::new(faulty), lease), lock(steady, lease));
    let _guard = lock.try_lock().await.unwrap().unwrap();
    let following = tokio::spawn(async move {
        follower.run_while_leader(|_| std::future::ready(())).await;
    });
    // It looks every three seconds, so the failures go on for long enough to make the pauses long.
    sleep(Duration::from_secs(10)).await;
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    sleep(Duration::from_secs(20)).await;
    switch.clear();
    sleep(Duration::from_secs(120)).await;
    let before = switch.operations();
    switch.set_next(1, Trouble::Fail(ErrorKind::NotSent));
    while switch.operations() == before {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(130)).await;
    // Its place was given up; then it tried, registered and looked.
    let begun = switch.operations() - before;
    assert!(begun >= 5, "{begun}");
    following.abort();
}

#[tokio::test(start_paused = true)]
async fn the_second_in_the_queue_has_the_lock_when_the_lease_of_the_first_lapses() {
    let lease = Ttl::from_millis(200);
    let lock = lock(store(), lease);
    let key = Key::new(Permits::KIND, "report");
    let first = Acquire {
        owner: 7,
        hold_us: lease.as_micros(),
        permits: 1,
        place_us: 10_000_000,
        longest_queue: 9,
    };
    let first = async || lock.gate.programs.run(&key, &first).await.unwrap();

    let guard = lock.try_lock().await.unwrap().unwrap();
    assert!(matches!(first().await, Acquired::Busy(_)));
    let second = waits(&lock).await;
    // The second looks before the first does, which then takes the lock and dies.
    let _ = guard.release().await.unwrap();
    for _ in 0..10 {
        yield_now().await;
    }
    sleep(Duration::from_millis(100)).await;
    assert!(matches!(first().await, Acquired::Held(_, _)));
    let began = Instant::now();
    let waited = second.await.unwrap() - began;
    assert!(waited >= Duration::from(lease), "{waited:?}");
    assert!(waited < Duration::from(lease) * 2, "{waited:?}");
}
