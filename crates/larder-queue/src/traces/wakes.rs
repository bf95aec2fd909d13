//! Compares whom the Lua and the Rust wake, which no reply shows.

use std::sync::Arc;
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::program::{Program, Programs};
use larder_store::wait::Waits;
use larder_store::{Key, ManualClock, Store};
use larder_test::server::RedisServer;
use larder_worlds::traces::lua;

use super::steps::{SECOND, plain_item};
use crate::new_job::Due;
use crate::record::{
    Band, Cancel, Decision, Dequeue, Enqueue, Operation, Pause, Purge, QueueRecord, Redrive,
    Settings, Settle,
};

/// A queue on which a test sees whether both forms of a program wake waiters.
struct Wakes<'a> {
    lua: Arc<dyn Programs>,
    rust: Arc<dyn Programs>,
    waits: Arc<dyn Waits>,
    server: &'a RedisServer,
    key: Key,
    clock: ManualClock,
}

impl Wakes<'_> {
    async fn check<P>(&self, program: P, wakes: bool) -> P::Reply
    where
        P: Program<Record = QueueRecord> + std::fmt::Debug,
    {
        let mut waiter = self.waits.wait_for(&self.key).await.unwrap();
        let reply = self.rust.run(&self.key, &program).await.unwrap();
        let no_time = tokio::time::timeout(Duration::ZERO, waiter.next()).await;
        assert_eq!(no_time.is_ok(), wakes, "Rust: {program:?}");

        // A script that wakes, without a subscriber, removes the mark that somebody waits.
        let mark = format!("{}:~waiters", self.key.as_str());
        let set = self.server.command(&["SET", &mark, "1", "PX", "60000"]);
        set.unwrap();
        self.lua.run(&self.key, &program).await.unwrap();
        let is_marked = self.server.command(&["EXISTS", &mark]).unwrap().int();
        assert_eq!(is_marked == Some(0), wakes, "Lua: {program:?}");
        reply
    }
}

async fn wakes(server: &RedisServer) -> Wakes<'_> {
    let clock = ManualClock::default();
    let moka = MokaStore::builder().with_clock(clock.clone()).build();
    let moka = Arc::new(moka);
    Wakes {
        lua: Arc::new(lua(server, clock.clone()).await)
            .programs()
            .unwrap(),
        rust: moka.clone().programs().unwrap(),
        waits: moka.waits().unwrap(),
        server,
        key: Key::new(
            <QueueRecord as larder_store::program::Record>::KIND,
            "wakes",
        ),
        clock,
    }
}

#[tokio::test]
async fn a_place_without_a_job_behind_a_large_job_wakes_nobody() {
    let server = RedisServer::start().unwrap();
    let on = wakes(&server).await;
    let settings = Settings {
        max_per_group: 1,
        ..Settings::default()
    };
    let add = |id: &str| {
        let mut item = plain_item(id, Due::In(0));
        item.group = Some("g".into());
        item
    };
    let items = ["a", "b", "c"].map(add).to_vec();
    let take = || Dequeue { settings, many: 9 };
    on.check(Enqueue { settings, items }, true).await;
    assert_eq!(on.check(take(), false).await.jobs.len(), 1);
    on.check(take(), false).await;
    let mut large = plain_item("large", Due::In(0));
    (large.class, large.body) = (0, vec![0; 1_500_000].into());
    let items = vec![large];
    on.check(Enqueue { settings, items }, true).await;
    // Whoever removes a job may not know of a limit, and leaves the group a place that it may not use.
    let cancel = Cancel {
        settings: Settings::default(),
        id: "b".into(),
    };
    let _ = on.check(cancel, false).await;
    assert_eq!(&*on.check(take(), false).await.jobs[0].id, "large");
    // The place is gone, so there is nothing to wake for.
    on.check(take(), false).await;
}

#[tokio::test]
async fn both_forms_wake_when_a_job_can_be_taken_that_could_not_before() {
    let server = RedisServer::start().unwrap();
    let on = wakes(&server).await;
    let settings = Settings::default();
    let limited = Settings {
        max_running: 1,
        ..settings
    };
    let add = |id: &str, due| Enqueue {
        settings,
        items: vec![plain_item(id, Due::In(due))],
    };
    let take = |many| Dequeue { settings, many };
    let settle = |settings, id: &str, fence, operation, micros| Settle {
        settings,
        decisions: vec![Decision {
            id: id.into(),
            fence,
            operation,
            micros,
            text: "".into(),
        }],
        take: 0,
    };
    let pause = |is_paused| Pause {
        settings,
        is_paused,
    };
    // Only the first job wakes a worker, until one has looked in vain.
    on.check(add("a", 0), true).await;
    on.check(add("b", 0), false).await;
    on.check(add("c", 0), false).await;
    let a = on.check(take(1), false).await.jobs[0].fence;
    let b = on.check(take(1), false).await.jobs[0].fence;
    let c = on.check(take(1), false).await.jobs[0].fence;
    on.check(add("x", 0), false).await;
    let x = on.check(take(9), false).await.jobs[0].fence;
    let x = settle(settings, "x", x, Operation::Ack, 0);
    let x = on.check(Settle { take: 1, ..x }, false).await;
    assert!(x.taken.jobs.is_empty());
    // A job that is due before all others must be announced.
    on.check(add("d", 5 * SECOND), true).await;
    on.check(add("e", 9 * SECOND), false).await;
    on.check(take(1), false).await;
    on.check(settle(settings, "a", a, Operation::Nack, 7 * SECOND), false)
        .await;
    on.check(settle(settings, "b", b, Operation::Nack, SECOND), true)
        .await;
    on.check(take(1), false).await;
    on.check(settle(settings, "c", c, Operation::Extend, SECOND), false)
        .await;
    on.check(settle(settings, "c", c, Operation::Release, 0), true)
        .await;
    let c = on.check(take(9), false).await.jobs[0].fence;
    on.check(take(9), false).await;
    on.check(settle(settings, "c", c + 1, Operation::Release, 0), false)
        .await;
    on.check(settle(settings, "c", c, Operation::Ack, 0), false)
        .await;
    // If a batch is filled with jobs that have become due, the rest is left to others.
    on.clock.advance_micros(8 * SECOND);
    let first = on.check(take(1), true).await.jobs.remove(0);
    assert_eq!((&*first.id, first.attempt), ("a", 2));
    // A worker that found nothing because of a limit is woken not by another job but by the end of
    // one.
    let look = Dequeue {
        settings: limited,
        many: 1,
    };
    let end = |operation, micros| settle(limited, "a", first.fence, operation, micros);
    on.check(look, false).await;
    on.check(add("f", 0), false).await;
    on.check(end(Operation::Extend, SECOND), false).await;
    on.check(end(Operation::Progress, 0), false).await;
    on.check(end(Operation::Ack, 0), true).await;
    on.check(pause(true), false).await;
    on.check(take(1), false).await;
    on.check(add("g", 0), false).await;
    on.check(pause(false), true).await;
    on.check(pause(false), false).await;
    let _ = on
        .check(
            Cancel {
                settings,
                id: "e".into(),
            },
            false,
        )
        .await;
    on.check(Redrive { settings, many: 3 }, false).await;
    // Removing a running job makes room, just like its end.
    let take = || Dequeue {
        settings: limited,
        many: 1,
    };
    let cancel = |id: &Arc<str>| Cancel {
        settings: limited,
        id: id.clone(),
    };
    let purge = |band| Purge {
        settings: limited,
        band,
        many: 9,
    };
    let running = on.check(take(), false).await.jobs.remove(0).id;
    on.check(take(), false).await;
    let _ = on.check(cancel(&"g".into()), false).await;
    on.check(purge(Band::Dead), false).await;
    let _ = on.check(cancel(&running), true).await;
    on.check(take(), false).await;
    on.check(take(), false).await;
    on.check(purge(Band::Leased), true).await;
    // Whoever removes a running job may not know of a maximum.
    let take = |many| Dequeue { settings, many };
    let take_all = || take(9);
    let cancel = Cancel {
        settings,
        id: "h".into(),
    };
    let purge = Purge {
        settings,
        band: Band::Leased,
        many: 9,
    };
    on.check(add("h", 0), false).await;
    on.check(take_all(), false).await;
    on.check(take_all(), false).await;
    let _ = on.check(cancel, true).await;
    on.check(add("i", 0), false).await;
    on.check(take(1), false).await;
    // A call that takes no jobs is not a look.
    on.check(take(0), false).await;
    on.check(add("j", 0), false).await;
    on.check(take_all(), false).await;
    on.check(take_all(), false).await;
    on.check(purge, true).await;
    // If a batch ends because its jobs are large, the rest is left to others.
    on.check(take_all(), false).await;
    for (id, wakes) in [("k", true), ("l", false)] {
        let mut large = add(id, SECOND);
        large.items[0].body = vec![0; 700_000].into();
        on.check(large, wakes).await;
    }
    on.check(take_all(), false).await;
    on.clock.advance_micros(2 * SECOND);
    assert_eq!(on.check(take_all(), true).await.jobs.len(), 1);
}
