//! Compares the Lua of each program of a queue with its Rust, and plants faults in the Lua that must be
//! found.

mod faults;
mod steps;
mod wakes;

use larder_store::program::Record;
use larder_store::{Clock, Key};
use larder_test::server::RedisServer;
use larder_test::trace::{Pair, Traces};
use larder_worlds::traces::pair;

use crate::new_job::Due;
use crate::record::{Band, Dequeue, Enqueue, Purge, QueueRecord, Settings};
use steps::{next, next_of, plain_item};

const SEEDS: u64 = 20;
const STEPS: usize = 300;

fn traces(server: &RedisServer, seeds: u64) -> Traces<impl AsyncFn() -> Pair + '_> {
    Traces::new(seeds, STEPS, async || Box::pin(pair(server)).await)
}

#[tokio::test]
async fn the_programs_on_a_queue_do_the_same_in_lua_and_in_rust() {
    let server = RedisServer::start().unwrap();
    traces(&server, SEEDS).agree::<QueueRecord, _>(next).await;
}

#[tokio::test]
async fn a_queue_without_limits_is_like_one_with_any_settings() {
    // Settings differ from seed to seed above; here all steps have the plainest.
    let server = RedisServer::start().unwrap();
    let plain = || next_of(Settings::default());
    traces(&server, 2).agree::<QueueRecord, _>(plain).await;
}

#[tokio::test]
async fn a_job_is_due_before_the_band_of_leases_at_the_latest() {
    let server = RedisServer::start().unwrap();
    let Pair { clock, rust, lua } = Box::pin(pair(&server)).await;
    let (settings, key) = (Settings::default(), Key::new(QueueRecord::KIND, "late"));
    for programs in [rust, lua] {
        let items = vec![plain_item("late", Due::At((1 << 52) + 7))];
        let added = programs.run(&key, &Enqueue { settings, items }).await;
        assert_eq!(added.unwrap().len(), 1);
        let take = Dequeue { settings, many: 1 };
        let taken = programs.run(&key, &take).await.unwrap();
        let latest = (1 << 52) - 1;
        assert_eq!(taken.next_in, Some(latest - clock.now().as_micros()));
    }
}

#[tokio::test]
async fn a_purge_of_what_is_ready_removes_a_job_for_each_member() {
    let server = RedisServer::start().unwrap();
    let Pair { rust, lua, .. } = Box::pin(pair(&server)).await;
    let (settings, key) = (Settings::default(), Key::new(QueueRecord::KIND, "ready"));
    for programs in [rust, lua] {
        let mut items = ["a", "b", "c"]
            .map(|id| plain_item(id, Due::In(0)))
            .to_vec();
        items[0].group = Some("g".into());
        (items[1].class, items[2].class) = (3, 3);
        let added = programs.run(&key, &Enqueue { settings, items }).await;
        assert_eq!(added.unwrap().len(), 3);
        let purge = Purge {
            settings,
            band: Band::Ready,
            many: 2,
        };
        for removed in [2, 1, 0] {
            assert_eq!(programs.run(&key, &purge).await.unwrap(), removed);
        }
    }
}
