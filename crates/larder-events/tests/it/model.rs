//! Topics and logs side by side: the same steps give the same answers and errors on both stores.

use std::fmt::Debug;
use std::time::Duration;

use fastrand::Rng;
use larder_events::log::{DeadLetter, Delivery, EventId, EventLog, MessageId, Page, Start};
use larder_events::topic::{Position, Recovered, Topic};
use larder_store::{Result, Ttl, bus};

use larder_worlds::World;

/// `LARDER_MODEL_STEPS` sets another number.
const STEPS: u64 = 1_500;

struct All {
    world: World,
    log: EventLog<u32>,
    topic: Topic<u32>,
    held: Vec<Delivery<u32>>,
    ids: Vec<EventId>,
    positions: Vec<Position>,
}

/// What a page has: printing it does not show its events.
fn page(page: Page<u32>) -> (Vec<(EventId, Option<u32>)>, Option<EventId>) {
    let events = page.events.into_iter().map(|it| (it.id, it.event));
    (events.collect(), page.next)
}

fn shown<T: Debug>(step: &str, result: Result<T>) -> String {
    match result {
        Ok(result) => format!("{step}: {result:?}"),
        Err(error) => format!("{step}: {:?}", error.kind()),
    }
}

impl All {
    fn new(world: World) -> Self {
        let ttl = Ttl::from_secs(600);
        let log = EventLog::new(world.store.clone(), "model", ttl).unwrap();
        let log = log
            .with_max_len(5)
            .with_hard_max_len(12)
            .with_max_remembered(4);
        let log = log
            .with_retention(Ttl::from_secs(20))
            .with_max_dead_letters(3);
        let topic = Topic::new(world.store.clone(), bus::Topic::broadcast("model")).unwrap();
        Self {
            topic: topic.with_history(4, ttl).unwrap(),
            world,
            log,
            held: Vec::new(),
            ids: Vec::new(),
            positions: Vec::new(),
        }
    }

    async fn step(&mut self, rng: &mut Rng) -> String {
        match rng.u8(..16) {
            0..=2 => self.append(rng).await,
            3..=6 => self.read(rng).await,
            7..=9 => self.settle(rng).await,
            10 => self.group(rng).await,
            11 | 12 => self.look(rng).await,
            13 | 14 => self.topic(rng).await,
            _ => {
                let by = [1, 999, 1_000, 5_000, 20_000, 600_000][rng.usize(..6)];
                self.world.advance(Duration::from_millis(by));
                format!("{by} ms pass")
            }
        }
    }

    async fn append(&mut self, rng: &mut Rng) -> String {
        let (event, name) = (
            rng.u32(..100),
            ["a", "b", "c", "d", "e", ""][rng.usize(..6)],
        );
        if rng.u8(..8) == 0 {
            let events: Vec<_> = (0..rng.u32(..20)).collect();
            let appended = self.log.append_many("all", &events).await;
            let appended: Result<Vec<_>> = appended.into_iter().collect();
            self.ids.extend(appended.iter().flatten());
            return shown("append many", appended);
        }
        if rng.bool() {
            let appended = self.log.append("all", &event).await;
            self.ids.extend(appended.as_ref().ok());
            return shown("append", appended);
        }
        let message = MessageId {
            producer: "web",
            id: name,
        };
        shown(
            "append once",
            self.log.append_once("all", message, &event).await,
        )
    }

    async fn read(&mut self, rng: &mut Rng) -> String {
        let name = ["mail", "audit"][rng.usize(..2)];
        let group = self.log.group("all", name).unwrap();
        let group = group.with_lease(Ttl::from_secs(5)).with_max_deliveries(2);
        let group = group
            .with_max_pending(6)
            .with_start([Start::First, Start::Now][rng.usize(..2)]);
        let consumer = group.consumer_named(["x", "y"][rng.usize(..2)]).unwrap();
        let batch = consumer.read([0, 1, 3, 200][rng.usize(..4)]).await;
        let shown = shown(
            "read",
            batch
                .as_ref()
                .map(|batch| {
                    let deliveries = batch
                        .deliveries
                        .iter()
                        .map(|it| (it.id, it.count, it.event));
                    (deliveries.collect::<Vec<_>>(), batch.lost)
                })
                .map_err(|error| larder_store::Error::new("read", error.kind(), "")),
        );
        self.held
            .extend(batch.into_iter().flat_map(|batch| batch.deliveries));
        shown
    }

    async fn settle(&mut self, rng: &mut Rng) -> String {
        let group = self
            .log
            .group("all", ["mail", "audit"][rng.usize(..2)])
            .unwrap();
        let consumer = group.with_lease(Ttl::from_secs(5)).consumer();
        let (op, back) = (rng.u8(..5), rng.usize(..4));
        let Some(at) = self.held.len().checked_sub(back + 1) else {
            return "nothing is held".to_owned();
        };
        let held = &self.held[at];
        match op {
            0 | 1 => shown("ack", consumer.ack(held).await),
            2 => shown(
                "nack",
                consumer.nack(held, Duration::from_secs(rng.u64(..8))).await,
            ),
            3 => shown("reject", consumer.reject(held, "no").await),
            _ => shown("extend", consumer.extend(&self.held[at..]).await),
        }
    }

    async fn group(&mut self, rng: &mut Rng) -> String {
        let (name, op) = (["mail", "audit"][rng.usize(..2)], rng.u8(..6));
        let start = match rng.u8(..8) {
            0 => Start::After(EventId::before_millis(u64::MAX)),
            _ => self.ids.last().copied().map_or(Start::First, Start::After),
        };
        let group = self.log.group("all", name).unwrap().with_start(start);
        match op {
            0 => shown("remove", group.remove().await),
            1 | 2 => shown("create", group.create().await),
            _ => shown("remove consumer", group.remove_consumer("x").await),
        }
    }

    async fn look(&mut self, rng: &mut Rng) -> String {
        let after = self
            .ids
            .iter()
            .rev()
            .nth(rng.usize(..4))
            .copied()
            .unwrap_or(EventId::ZERO);
        let (op, many) = (rng.u8(..5), [0, 1, 3, 101][rng.usize(..4)]);
        match op {
            0 => shown("info", self.log.info("all").await),
            1 => shown("inspect", self.log.inspect("all").await),
            2 => shown("read", self.log.read("all", after, many).await.map(page)),
            3 => {
                let letters = self.log.dead_letters("all", EventId::ZERO, many).await;
                if let Some(letter) = letters.iter().flatten().next().filter(|_| many == 1) {
                    self.log.remove_dead_letter("all", letter.id).await.unwrap();
                }
                let letter =
                    |it: DeadLetter<u32>| (it.id, it.event_id, it.deliveries, it.reason, it.event);
                let letters = letters.map(|it| it.into_iter().map(letter).collect::<Vec<_>>());
                shown("dead", letters)
            }
            _ => {
                let until = self.log.read_until("all", EventId::ZERO, after, many);
                shown("until", until.await.map(page))
            }
        }
    }

    async fn topic(&mut self, rng: &mut Rng) -> String {
        let (op, value, back) = (rng.u8(..3), rng.u32(..100), rng.usize(..6));
        if op > 0 {
            let position = self.topic.publish("id", &value).await;
            self.positions
                .extend(position.as_ref().ok().copied().flatten());
            // Epochs are random.
            return shown("publish", position.map(|at| at.map(Position::offset)));
        }
        let Some(from) = self.positions.iter().rev().nth(back).copied() else {
            return "no position".to_owned();
        };
        let resumed = self.topic.resume("id", from).await;
        let resumed: Result<Recovered> = resumed.map(|(_, recovered)| recovered);
        shown("resume", resumed)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_steps_over_topics_and_logs_give_the_same_answers_on_both_stores() {
    let mut memory = All::new(World::memory().await);
    let mut redis = All::new(World::redis().await);
    let steps = std::env::var("LARDER_MODEL_STEPS");
    let steps = steps.map_or(STEPS, |steps| steps.parse().unwrap());
    let mut history = Vec::new();
    for seed in 0..steps {
        let expected = memory.step(&mut Rng::with_seed(seed)).await;
        let answer = redis.step(&mut Rng::with_seed(seed)).await;
        let last = &history[history.len().saturating_sub(20_usize)..];
        assert_eq!(answer, expected, "step {seed}, after {last:#?}");
        history.push(expected);
    }
    for outcome in [
        "Full",
        "Invalid",
        "Stale",
        "Gone",
        "Duplicate",
        "too many deliveries",
        "Incomplete {",
        "Complete(",
    ] {
        let seen = history.iter().any(|it| it.contains(outcome));
        assert!(seen, "no step gave {outcome}");
    }
}
