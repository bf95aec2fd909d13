//! Locks: one holder at a time, fences that rise, and what a holder hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use larder_store::lease::Fence;
use larder_store::program::Record;
use larder_store::{ErrorKind, Key, Store, Ttl};
use larder_structures::lock::{Lock, LockGuard, Order, Permits, Released};
use larder_test::faulty::{Faulty, Operations, Trouble};
use larder_worlds::{World, on_every_store, until};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{End, scripted};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A bound on what happens at once, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn lock(world: &World) -> Lock {
    Lock::new(world.store.clone(), "report").unwrap()
}

async fn taken(lock: &Lock) -> LockGuard {
    lock.try_lock().await.unwrap().unwrap()
}

/// The lines of the lock's record that begin with `name`.
async fn shown(world: &World, name: &str) -> Vec<String> {
    let programs = world.store.clone().programs().unwrap();
    let key = Key::new(Permits::KIND, "report");
    let shown = programs.inspect::<Permits>(&key).await.unwrap();
    let lines = shown.fields().iter();
    let lines = lines.filter(|(line, _)| line.starts_with(name));
    lines.map(|(_, value)| value.clone()).collect()
}

async fn is_queued(world: &World, number: usize) {
    until("queued", async || {
        shown(world, "queue").await == [number.to_string()]
    })
    .await;
}

on_every_store! { memory, redis, cluster;
    async fn without_time_to_wait_a_free_lock_is_taken_all_the_same(world: World) {
        for order in [Order::Any, Order::Fifo] {
            let lock = lock(&world).with_order(order);
            let guard = lock.lock(Duration::ZERO).await.unwrap().expect("it is free");
            assert!(lock.lock(Duration::ZERO).await.unwrap().is_none());
            assert_eq!(guard.release().await.unwrap(), Released::InTime);
        }
    }

    async fn a_lock_has_one_holder_at_a_time_and_each_has_a_higher_fence(world: World) {
        let (lock, holders) = (lock(&world), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..8).map(|_| {
            let (lock, holders) = (lock.clone(), holders.clone());
            tokio::spawn(async move {
                let mut fences = Vec::new();
                for _ in 0..5 {
                    let guard = lock.lock(LONG).await.unwrap().unwrap();
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    yield_now().await;
                    holders.fetch_sub(1, Ordering::SeqCst);
                    fences.push(guard.fence());
                    assert_eq!(guard.release().await.unwrap(), Released::InTime);
                }
                fences
            })
        }).collect();
        let mut all = Vec::new();
        for task in tasks {
            let fences = timeout(LONG, task).await.unwrap().unwrap();
            assert!(fences.is_sorted());
            all.extend(fences);
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 40, "a fence was given twice");
    }

    async fn who_waits_gets_the_lock_when_it_is_released(world: World) {
        let lock = lock(&world);
        let guard = taken(&lock).await;
        assert!(lock.try_lock().await.unwrap().is_none());
        let waiting = tokio::spawn({
            let lock = lock.clone();
            async move { lock.lock(LONG).await.unwrap().unwrap().fence() }
        });
        sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished());
        let fence = guard.fence();
        assert_eq!(guard.release().await.unwrap(), Released::InTime);
        assert!(timeout(SOON, waiting).await.unwrap().unwrap() > fence);
    }

    async fn who_waits_gets_the_lock_of_a_holder_that_has_died_when_its_lease_ends(world: World) {
        let lock = lock(&world).with_lease(Ttl::from_secs(300));
        let dead = taken(&lock).await;
        let fence = dead.fence();
        // Nobody gives it back, and its next renewal is far away.
        std::mem::forget(dead);
        world.advance(Duration::from_millis(299_999));
        assert!(lock.try_lock().await.unwrap().is_none());
        world.advance(Duration::from_millis(1));
        let next = timeout(SOON, lock.lock(LONG)).await.unwrap().unwrap().unwrap();
        assert!(next.fence() > fence);
    }

    async fn an_attempt_ends_with_its_time(world: World) {
        let lock = lock(&world);
        let guard = taken(&lock).await;
        let started = Instant::now();
        assert!(lock.lock(Duration::from_millis(100)).await.unwrap().is_none());
        assert!(started.elapsed() >= Duration::from_millis(100));
        assert!(!guard.is_lost());
        assert_eq!(guard.release().await.unwrap(), Released::InTime);
    }

    async fn a_lock_that_is_dropped_is_released(world: World) {
        let lock = lock(&world);
        let guard = taken(&lock).await;
        let lost = guard.lost();
        drop(guard);
        timeout(SOON, lost).await.unwrap();
        let next = timeout(SOON, lock.lock(LONG)).await.unwrap();
        assert!(next.unwrap().is_some());
    }

    async fn a_release_says_that_somebody_else_holds_the_lock(world: World) {
        let lock = lock(&world).with_lease(Ttl::from_secs(30));
        let late = taken(&lock).await;
        world.advance(Duration::from_secs(30));
        let next = taken(&lock).await;
        assert!(next.fence() > late.fence());
        assert_eq!(late.release().await.unwrap(), Released::AlreadyLost);
        assert!(lock.try_lock().await.unwrap().is_none(), "it released another's lock");
        assert_eq!(next.release().await.unwrap(), Released::InTime);
    }

    async fn a_lock_in_order_is_given_to_who_waits_longest(world: World) {
        let lock = lock(&world).with_order(Order::Fifo);
        let guard = taken(&lock).await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..4 {
            let (lock, order) = (lock.clone(), order.clone());
            waiting.push(tokio::spawn(async move {
                let guard = lock.lock(LONG).await.unwrap().unwrap();
                order.lock().unwrap().push(number);
                let _ = guard.release().await.unwrap();
            }));
            is_queued(&world, number + 1).await;
        }
        // One leaves, and its place is free.
        waiting.remove(1).abort();
        is_queued(&world, 3).await;
        assert!(lock.try_lock().await.unwrap().is_none());
        let _ = guard.release().await.unwrap();
        for waiting in waiting {
            timeout(SOON, waiting).await.unwrap().unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [0, 2, 3]);
    }

    async fn an_attempt_whose_answer_was_lost_leaves_no_lock_behind(world: World) {
        let (store, switch) = world.faulty();
        let unlucky = Lock::new(store, "report").unwrap();
        switch.set_next(1, Trouble::LoseAnswer);
        let error = unlucky.try_lock().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun);
        let next = timeout(SOON, lock(&world).lock(LONG)).await.unwrap();
        assert!(next.unwrap().is_some());
    }

    async fn what_an_attempt_may_have_taken_is_released_once_the_store_answers_again(world: World) {
        let (store, switch) = world.faulty();
        let unlucky = Lock::new(store, "report").unwrap();
        switch.set_next(1, Trouble::LoseAnswer);
        unlucky.try_lock().await.unwrap_err();
        switch.set(Trouble::Fail(ErrorKind::NotSent));
        // In process it was released at once; over a network the first attempt to do so fails.
        tokio::time::sleep(Duration::from_millis(50)).await;
        switch.clear();
        let next = timeout(SOON, lock(&world).lock(LONG)).await.unwrap();
        assert!(next.unwrap().is_some());
    }

    async fn a_release_that_may_have_run_stays_so_if_the_store_fails_when_it_is_sent_again(world: World) {
        let ends = [End::Well, End::Fails(ErrorKind::MayHaveRun), End::Fails(ErrorKind::NotSent)];
        let lock = Lock::new(scripted(&world.store, &ends), "report").unwrap();
        let error = taken(&lock).await.release().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MayHaveRun, "{error}");
    }

    async fn a_release_whose_answer_was_lost_is_found_out(world: World) {
        let (store, switch) = world.faulty();
        let unlucky = Lock::new(store, "report").unwrap();
        let guard = unlucky.try_lock().await.unwrap().unwrap();
        switch.set_next(1, Trouble::LoseAnswer);
        assert_eq!(guard.release().await.unwrap(), Released::InTime);
        assert!(lock(&world).try_lock().await.unwrap().is_some());
    }

    async fn a_holder_is_told_by_its_own_clock_though_the_store_never_answers(world: World) {
        let (store, switch) = world.faulty();
        let lock = Lock::new(store, "report").unwrap();
        let lock = lock.with_lease(Ttl::from_millis(300));
        let started = Instant::now();
        let guard = lock.try_lock().await.unwrap().unwrap();
        switch.set_on(Operations::Programs, Trouble::Hang);
        timeout(SOON, guard.lost()).await.unwrap();
        assert!(guard.is_lost());
        assert!(started.elapsed() >= Duration::from_millis(290));
        switch.clear();
        // It is not released: somebody else may hold it by now.
        drop(guard);
        assert!(lock.try_lock().await.unwrap().is_none());
    }

    async fn a_holder_is_told_when_the_store_has_given_its_lock_away(world: World) {
        let lock = lock(&world).with_lease(Ttl::from_secs(3));
        let guard = taken(&lock).await;
        world.advance(Duration::from_secs(3));
        let next = taken(&lock).await;
        let started = Instant::now();
        timeout(SOON, guard.lost()).await.unwrap();
        // By its renewal after a third of the lease, or by the end of it.
        assert!(started.elapsed() < SOON);
        assert!(!next.is_lost());
    }

    async fn a_lock_is_renewed_while_its_guard_lives(world: World) {
        let lock = lock(&world).with_lease(Ttl::from_secs(3));
        let guard = taken(&lock).await;
        // The store's clock is never ahead of ours, so a renewal comes in time.
        for _ in 0..45 {
            sleep(Duration::from_millis(100)).await;
            world.advance(Duration::from_millis(100));
        }
        assert!(!guard.is_lost());
        assert!(lock.try_lock().await.unwrap().is_none());
        assert_eq!(guard.release().await.unwrap(), Released::InTime);
    }

    async fn a_holder_that_is_stuck_loses_the_lock(world: World) {
        let most = Duration::from_millis(700);
        let lock = lock(&world).with_lease(Ttl::from_millis(300)).with_max_hold(most);
        let guard = taken(&lock).await;
        let started = Instant::now();
        timeout(SOON, guard.lost()).await.unwrap();
        assert!(started.elapsed() < most + SOON);
        world.advance(most);
        assert!(lock.try_lock().await.unwrap().is_some());
    }

    async fn leadership_passes_on_and_the_work_of_who_lost_it_is_dropped(world: World) {
        let lock = lock(&world);
        let first = lock.clone();
        let led = Arc::new(std::sync::Mutex::new(Vec::<Fence>::new()));
        let first_led = led.clone();
        let leader = tokio::spawn(async move {
            let work = |fence| {
                first_led.lock().unwrap().push(fence);
                std::future::pending::<()>()
            };
            first.run_while_leader(work).await
        });
        until("led", async || !led.lock().unwrap().is_empty()).await;
        let second_led = led.clone();
        let follower = tokio::spawn(async move {
            let work = |fence| {
                second_led.lock().unwrap().push(fence);
                std::future::ready("done")
            };
            lock.run_while_leader(work).await
        });
        sleep(Duration::from_millis(50)).await;
        assert!(!follower.is_finished());
        leader.abort();
        assert_eq!(timeout(SOON, follower).await.unwrap().unwrap(), "done");
        let led = led.lock().unwrap();
        assert!(led.len() == 2 && led.is_sorted());
    }
}

#[tokio::test(start_paused = true)]
async fn a_holder_is_told_a_little_before_anybody_else_can_hold_its_lock() {
    for (lease, margin) in [(30_000, 302), (500, 7), (4, 2)] {
        let faulty = Faulty::new(Arc::new(larder_moka::MokaStore::new()));
        let switch = faulty.switch();
        let lock = Lock::new(Arc::new(faulty), "report").unwrap();
        let lock = lock.with_lease(Ttl::from_millis(lease));
        let started = Instant::now();
        let guard = lock.try_lock().await.unwrap().unwrap();
        switch.set_on(Operations::Programs, Trouble::Hang);
        guard.lost().await;
        assert!(guard.is_lost());
        let told = Duration::from_millis(lease - margin);
        let late = started.elapsed().checked_sub(told);
        // A timer may be late by a millisecond.
        assert!(
            late.is_some_and(|late| late.as_millis() <= 1),
            "{late:?} of {lease}"
        );
    }
}

#[tokio::test]
async fn bytes_that_no_lock_writes_keep_nobody_from_it() {
    let world = World::redis().await;
    let server = world.server.as_ref().unwrap();
    for bytes in [
        "99999999999999999999||",
        "1|1,99999999999999999999,5;|",
        "1||99999999999999999999,5;",
        "1|99999999999999999999,99999999999999999999,5;|99999999999999999999,6;",
    ] {
        server.command(&["SET", "lock:{report}", bytes]).unwrap();
        let lock = lock(&world).with_order(Order::Fifo);
        let guard = lock.try_lock().await.unwrap();
        assert!(guard.is_some(), "{bytes}");
        assert_eq!(guard.unwrap().release().await.unwrap(), Released::InTime);
    }
}

#[test]
fn a_lock_that_is_asked_for_outside_of_a_runtime_is_not_left_held() {
    let store: Arc<dyn Store> = Arc::new(larder_moka::MokaStore::new());
    let lock = Lock::new(store, "report").unwrap();
    let attempt = std::panic::AssertUnwindSafe(|| lock.try_lock().now_or_never());
    assert!(
        std::panic::catch_unwind(attempt).is_err(),
        "it is documented to panic"
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let guard = runtime.block_on(lock.try_lock()).unwrap();
    assert!(guard.is_some(), "whoever panicked still holds it");
    drop((runtime.enter(), guard));
}

#[tokio::test]
async fn the_fence_rises_though_the_store_has_lost_the_lock() {
    let world = World::redis().await;
    let lock = lock(&world);
    let before = taken(&lock).await;
    world
        .server
        .as_ref()
        .unwrap()
        .command(&["FLUSHALL"])
        .unwrap();
    world.advance(Duration::from_micros(1));
    let after = taken(&lock).await;
    assert!(after.fence() > before.fence());
    assert_eq!(before.release().await.unwrap(), Released::AlreadyLost);
}

#[tokio::test]
async fn a_free_lock_is_one_round_trip_each_way_and_publishes_nothing() {
    let world = World::redis().await;
    let server = world.server.as_ref().unwrap();
    let calls = |command: &str| {
        let stats = server.command(&["INFO", "commandstats"]).unwrap();
        let stats = stats.text().unwrap().into_owned();
        stats.contains(&format!("cmdstat_{command}:"))
    };
    let guard = taken(&lock(&world)).await;
    assert_eq!(guard.release().await.unwrap(), Released::InTime);
    assert!(!calls("publish") && !calls("subscribe"));
}

#[tokio::test]
async fn a_lock_asks_for_what_it_needs_when_it_is_made() {
    let store: Arc<dyn Store> = Arc::new(crate::support::ValuesOnly::default());
    let error = Lock::new(store, "report").unwrap_err();
    assert!(
        error.to_string().contains("a lock needs a store"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_lock_that_is_dropped_while_the_store_is_away_is_released_once_it_answers() {
    // One more than are repeated at once.
    const LOCKS: u32 = 1_001;
    let (store, switch) = World::memory().await.faulty();
    let lock = |number: u32| Lock::new(store.clone(), number).unwrap();
    let mut guards = Vec::new();
    for number in 0..LOCKS {
        guards.push(taken(&lock(number)).await);
    }
    switch.set(Trouble::Fail(ErrorKind::NotSent));
    drop(guards);
    sleep(Duration::from_secs(1)).await;
    switch.clear();
    sleep(Duration::from_secs(5)).await;
    for number in 0..LOCKS {
        let next = lock(number).try_lock().await.unwrap();
        assert!(next.is_some(), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn locks_of_a_store_that_is_away_keep_no_lock_of_another_store_from_its_release() {
    let (away, away_switch) = World::memory().await.faulty();
    let (near, near_switch) = World::memory().await.faulty();
    let mut guards = Vec::new();
    for number in 0..1_000_u32 {
        guards.push(taken(&Lock::new(away.clone(), number).unwrap()).await);
    }
    away_switch.set(Trouble::Fail(ErrorKind::NotSent));
    drop(guards);
    sleep(Duration::from_secs(1)).await;

    let lock = Lock::new(near, "report").unwrap();
    let guard = taken(&lock).await;
    near_switch.set(Trouble::Fail(ErrorKind::NotSent));
    drop(guard);
    sleep(Duration::from_secs(1)).await;
    near_switch.clear();
    sleep(Duration::from_secs(5)).await;
    assert!(lock.try_lock().await.unwrap().is_some());
}
