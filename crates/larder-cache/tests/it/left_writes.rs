//! Writes in a journal that not every worker can read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_cache::{
    Cache, CacheBuilder, LEFT_WRITE_TIMEOUT, QueuedWrite, WriteBehind, WriteBehindBuilder,
};
use larder_store::{Kind, Ttl};
use tokio::time::timeout;

use crate::support::{
    Broken, Gate, MINUTE, Time, World, counts, on_both_stores, until, until_ready,
};

const VIEWS: Kind = Kind::evictable("views");

type Written = Arc<Mutex<Vec<u32>>>;

/// Begins the journal of one more process. The settings of its cache say what it can read.
fn journal(
    world: &World,
    set: impl FnOnce(CacheBuilder<u32, String>) -> CacheBuilder<u32, String>,
) -> WriteBehindBuilder<u32, String> {
    let views = Cache::builder(VIEWS, MINUTE).with_clock(world.clock.clone());
    WriteBehind::builder(world.store.clone(), "views", set(views).build().unwrap())
        .with_store_timeout(Duration::from_secs(20))
}

fn of_schema(world: &World, schema: u32) -> WriteBehindBuilder<u32, String> {
    journal(world, |views| views.with_schema(schema))
}

fn start(builder: WriteBehindBuilder<u32, String>, written: &Written) -> WriteBehind<u32, String> {
    let written = written.clone();
    let sink = move |write: QueuedWrite<u32, String>| {
        written.lock().unwrap().push(write.key);
        async { Ok::<_, Broken>(()) }
    };
    builder.start(sink).unwrap()
}

/// Lets time pass for the workers and for the store.
async fn pass(world: &World, seconds: u64) {
    for _ in 0..seconds {
        world.advance(Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn left(behind: &WriteBehind<u32, String>) -> (u64, u64) {
    let left = behind.unwritten().await.unwrap();
    (left.waiting, left.dead)
}

on_both_stores! { Manual;
    async fn a_write_whose_release_is_gone_becomes_a_dead_letter_that_is_shown(world: World) {
        let counts = counts();
        let _recording = counts.record();
        let written = Written::default();
        let release = |schema| of_schema(&world, schema).with_poll(Duration::from_millis(20));
        let gone = start(release(1).without_worker(), &written);
        gone.write(7, "of release 1".to_owned()).await.unwrap();
        let newer = start(release(2), &written);
        let is_left = || counts.count("larder_write_behind_writes_total views left");
        until("it is left", || is_left() == 1).await;
        let source = || async { Ok::<_, Broken>("old".to_owned()) };
        assert_eq!(newer.find_or_load(&7, source).await.unwrap().as_str(), "old");
        // A process that ends does not wait for it.
        let ending = start(release(2), &written);
        let ended = timeout(Duration::from_secs(20), ending.shutdown(Duration::MAX)).await;
        let ended = ended.unwrap().unwrap();
        assert_eq!((ended.waiting, ended.dead), (1, 0));

        let outlives = async |what: &str| {
            world.advance(LEFT_WRITE_TIMEOUT);
            until_ready(what, || async { left(&newer).await == (0, 1) }).await;
        };
        outlives("it is a dead letter").await;
        let letters = newer.dead_letters(None, 9).await.unwrap();
        let [letter] = &letters[..] else {
            panic!("{letters:?}");
        };
        assert!(letter.write.is_none() && letter.version > 0);
        assert_eq!((letter.attempts, &*letter.id()), (0, "write-behind:{7}"));
        assert!(newer.dead_letters(Some(letter), 9).await.unwrap().is_empty());

        assert!(newer.retry_letter(letter).await.unwrap());
        until("it is left again", || is_left() == 2).await;
        outlives("it is a dead letter again").await;
        assert!(newer.discard_letter(letter).await.unwrap());
        assert!(!newer.discard_letter(letter).await.unwrap());
        assert_eq!(left(&newer).await, (0, 0));
        assert!(written.lock().unwrap().is_empty());
    }

    async fn a_dead_letter_of_another_release_is_carried_out_by_it(world: World) {
        let counts = counts();
        let _recording = counts.record();
        let written = Written::default();
        let release = |schema| of_schema(&world, schema).with_poll(Duration::from_millis(20));
        let old = start(release(1).without_worker(), &written);
        old.write(7, "of release 1".to_owned()).await.unwrap();
        let newer = start(release(2), &written);
        let is_left = || counts.count("larder_write_behind_writes_total views left") == 1;
        until("it is left", is_left).await;
        world.advance(LEFT_WRITE_TIMEOUT);
        until_ready("it is a dead letter", || async { left(&newer).await == (0, 1) }).await;
        assert!(newer.retry(&7).await.unwrap());
        let _old = start(release(1), &written);
        until_ready("it is written", || async { left(&newer).await == (0, 0) }).await;
        assert_eq!(*written.lock().unwrap(), [7]);
    }
}

#[tokio::test(start_paused = true)]
async fn workers_that_cannot_read_a_write_keep_it_from_no_other_and_it_keeps_them_from_none() {
    let counts = counts();
    let _recording = counts.record();
    let world = World::memory(Time::Manual).await;
    let (written, by_newer) = (Written::default(), Written::default());
    let old = start(of_schema(&world, 1).without_worker(), &written);
    // More than a worker looks at in one step.
    for film in 0..300 {
        old.write(film, "of release 1".to_owned()).await.unwrap();
    }
    let newer = start(of_schema(&world, 2), &by_newer);
    newer.write(1_000, "of release 2".to_owned()).await.unwrap();
    pass(&world, 1).await;
    assert_eq!(*by_newer.lock().unwrap(), [1_000]);
    pass(&world, 9).await;
    old.write(7, "again".to_owned()).await.unwrap();
    let _old = start(of_schema(&world, 1), &written);
    pass(&world, 1).await;
    assert_eq!(written.lock().unwrap().len(), 300);
    assert_eq!(left(&newer).await, (0, 0));
    let times = counts.count("larder_write_behind_writes_total views left");
    assert!(times <= 301, "{times} of 300 writes");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_its_release_keeps_retrying_is_not_left_for_too_long() {
    let counts = counts();
    let _recording = counts.record();
    let world = World::memory(Time::Manual).await;
    let (written, fails) = (Written::default(), Arc::new(AtomicBool::new(true)));
    let (source, is_away) = (written.clone(), fails.clone());
    let second = Duration::from_secs(1);
    let one = of_schema(&world, 1)
        .with_retry(second, second)
        .with_max_attempts(100_000)
        .start(move |write: QueuedWrite<u32, String>| {
            let is_away = is_away.load(Ordering::SeqCst);
            if !is_away {
                source.lock().unwrap().push(write.key);
            }
            async move { (!is_away).then_some(()).ok_or(Broken("away")) }
        })
        .unwrap();
    // It looks often enough to see that the write is still left.
    let two = of_schema(&world, 2).with_poll(second / 10);
    let two = start(two, &Written::default());
    one.write(7, "of release 1".to_owned()).await.unwrap();
    pass(&world, LEFT_WRITE_TIMEOUT.as_secs() + 600).await;
    assert!(counts.count("larder_write_behind_writes_total views left") > 0);
    assert_eq!(left(&two).await, (1, 0));
    fails.store(false, Ordering::SeqCst);
    pass(&world, 5).await;
    assert_eq!(left(&two).await, (0, 0));
    assert_eq!(*written.lock().unwrap(), [7]);
}

#[tokio::test(start_paused = true)]
async fn writes_that_were_left_are_carried_out_at_once_though_one_is_slow() {
    let world = World::memory(Time::Manual).await;
    let (written, gate) = (Written::default(), Gate::closed());
    let old = start(of_schema(&world, 1).without_worker(), &written);
    for film in 0..100 {
        old.write(film, "of release 1".to_owned()).await.unwrap();
    }
    let newer = start(of_schema(&world, 2), &Written::default());
    pass(&world, 2).await;
    assert_eq!(newer.shutdown(Duration::MAX).await.unwrap().waiting, 100);
    let (source, held) = (written.clone(), gate.clone());
    let _old = of_schema(&world, 1)
        .with_poll(Duration::from_secs(60))
        .start(move |write: QueuedWrite<u32, String>| {
            let (source, held) = (source.clone(), held.clone());
            async move {
                if write.key == 0 {
                    held.pass().await;
                }
                source.lock().unwrap().push(write.key);
                Ok::<_, Broken>(())
            }
        })
        .unwrap();
    pass(&world, 5).await;
    assert_eq!(written.lock().unwrap().len(), 99);
    gate.open();
    pass(&world, 1).await;
    assert_eq!(left(&old).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_kept_briefly_outlasts_the_writes_that_are_left_or_pause() {
    let hour = LEFT_WRITE_TIMEOUT;
    for (release, retry) in [(1, 3 * hour), (2, Duration::from_secs(1))] {
        let world = World::memory(Time::Manual).await;
        let brief = |schema| {
            let brief = of_schema(&world, schema).with_ttl(Ttl::from_secs(600));
            brief.with_max_attempts(2).with_retry(retry, retry)
        };
        let gone = start(brief(1).without_worker(), &Written::default());
        gone.write(7, "of release 1".to_owned()).await.unwrap();
        let fails = |_| async { Err::<(), _>(Broken("away")) };
        let worker = brief(release).start(fails).unwrap();
        pass(&world, 2).await;
        assert_eq!(left(&worker).await, (1, 0), "of release {release}");
        world.advance(retry.max(hour));
        tokio::time::sleep(retry.max(hour)).await;
        pass(&world, 2).await;
        assert_eq!(left(&worker).await, (0, 1), "of release {release}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_kept_briefly_outlasts_a_worker_that_stalls() {
    let hours = |many: u64| Duration::from_secs(many * 3_600);
    let world = World::memory(Time::Manual).await;
    let brief = || {
        let brief = of_schema(&world, 1).with_ttl(Ttl::from_secs(600));
        brief.with_write_timeout(hours(2))
    };
    let stalls = |_| std::future::pending::<Result<(), Broken>>();
    let stalled = brief().with_poll(hours(1)).start(stalls).unwrap();
    stalled.write(7, "acknowledged".to_owned()).await.unwrap();
    pass(&world, 1).await;
    // Its process is paused for longer than a take lasts.
    world.advance(hours(4) + Duration::from_secs(60));
    let written = Written::default();
    let _other = start(brief(), &written);
    pass(&world, 2).await;
    assert_eq!(*written.lock().unwrap(), [7]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_too_long_for_a_worker_is_left_as_well() {
    let world = World::memory(Time::Manual).await;
    let written = Written::default();
    let reads = |bytes| journal(&world, |views| views.with_max_value(bytes)).with_max_attempts(2);
    let long = start(reads(4_096).without_worker(), &written);
    long.write(7, "x".repeat(2_000)).await.unwrap();
    let short = start(reads(1_024), &written);
    pass(&world, 60).await;
    assert_eq!(left(&short).await, (1, 0));
    pass(&world, LEFT_WRITE_TIMEOUT.as_secs()).await;
    assert_eq!(left(&short).await, (0, 1));
    let letters = short.dead_letters(None, 9).await.unwrap();
    assert!(letters[0].write.is_none());
    assert!(short.retry_letter(&letters[0]).await.unwrap());
    let _ = short.shutdown(Duration::ZERO).await.unwrap();
    let long = start(reads(4_096), &written);
    pass(&world, 6).await;
    assert_eq!(left(&long).await, (0, 0));
    assert_eq!(*written.lock().unwrap(), [7]);
}

#[cfg(feature = "seal")]
#[tokio::test(start_paused = true)]
async fn a_write_that_is_sealed_by_an_unknown_key_is_left_as_well() {
    use larder_cache::SealingKeys;

    let world = World::memory(Time::Manual).await;
    let written = Written::default();
    let sealed = |number| {
        let keys = SealingKeys::new(number, [number; 32]);
        journal(&world, |views| views.with_sealing(keys)).with_max_attempts(2)
    };
    let one = start(sealed(1).without_worker(), &written);
    one.write(7, "secret".to_owned()).await.unwrap();
    let two = start(sealed(2), &written);
    pass(&world, 60).await;
    assert_eq!(left(&two).await, (1, 0));
    let _ = two.shutdown(Duration::ZERO).await.unwrap();
    let one = start(sealed(1), &written);
    pass(&world, 6).await;
    assert_eq!(left(&one).await, (0, 0));
    assert_eq!(*written.lock().unwrap(), [7]);
}
