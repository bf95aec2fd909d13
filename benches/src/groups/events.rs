//! What a log and a topic cost beside the commands of Redis that they are made of.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use larder_events::log::{Consumer, EventId, EventLog, Settled};
use larder_events::topic::{Received, Topic};
use larder_store::{Store, Ttl, bus};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use tokio::runtime::Runtime;

use super::queue::has_aof;
use crate::harness::{Bar, Row, compare, per_operation};
use crate::load::{raw_connection, runtime, store};

/// How many events a round has.
const EVENTS: usize = 1_600;
/// How many of them are in a batch.
const BATCH: usize = 16;
/// How many messages a round publishes.
const MESSAGES: usize = 500;
/// As JSON 102 bytes.
const PAYLOAD: usize = 100;
const HOUR: Ttl = Ttl::from_secs(3_600);
/// What a Stream is trimmed to, and a log keeps.
const KEPT: u32 = 2_000;

pub(crate) fn run(url: &str) -> Vec<Row> {
    let runtime = runtime();
    let raw = runtime.block_on(raw_connection(url));
    let aof = runtime.block_on(has_aof(&raw));
    let bench = Bench {
        store: runtime.block_on(store(url)),
        raw,
        payload: "x".repeat(PAYLOAD),
        runtime,
    };
    let mut rows = Vec::new();
    for many in [1, BATCH] {
        rows.push(bench.append(many));
        rows.push(bench.read(many));
        rows.push(bench.group(many));
    }
    rows.push(bench.publish(url, false));
    rows.push(bench.publish(url, true));
    let note = |row: Row| {
        let why = match row.what.split(", ").nth(1) {
            Some("append") => "; ours numbers events, and removes none that a group needs",
            Some("read in a group and acknowledge") => {
                "; ours has leases, counts what was lost, and acknowledges its own delivery alone"
            }
            _ if row.what.ends_with("with a history") => {
                "; two round trips: a message is in the history before it is announced"
            }
            _ => "",
        };
        row.with_note(format!("{aof}; events of {PAYLOAD} bytes{why}"))
    };
    rows.into_iter().map(note).collect()
}

struct Bench {
    runtime: Runtime,
    store: Arc<dyn Store>,
    raw: MultiplexedConnection,
    payload: String,
}

fn what(step: &str, many: usize) -> String {
    match many {
        1 => format!("Redis, {step}, one at a time, for each event"),
        many => format!("Redis, {step}, {many} at a time, for each event"),
    }
}

impl Bench {
    fn log(&self, name: &str) -> EventLog<String> {
        let log = EventLog::new(self.store.clone(), name, HOUR).expect("a log");
        log.with_max_len(KEPT)
    }

    async fn fill(&self, log: &EventLog<String>, many: usize) {
        let events = vec![self.payload.clone(); many];
        for _ in 0..EVENTS / many {
            match many {
                1 => drop(log.append("all", &self.payload).await.expect("an answer")),
                _ => {
                    for appended in log.append_many("all", &events).await {
                        appended.expect("an answer");
                    }
                }
            }
        }
    }

    async fn fill_raw(&self, key: &str, many: usize) {
        let mut raw = self.raw.clone();
        let json = format!("\"{}\"", self.payload);
        let mut pipe = redis::Pipeline::new();
        for _ in 0..many {
            let add = pipe.cmd("XADD").arg(key).arg("MAXLEN").arg(KEPT);
            add.arg("*").arg("event").arg(&json);
        }
        for _ in 0..EVENTS / many {
            let _: redis::Value = pipe.query_async(&mut raw).await.expect("an answer");
        }
    }

    fn append(&self, many: usize) -> Row {
        let log = self.log("append");
        compare(
            what("append", many),
            9,
            (
                "EventLog",
                Box::new(|| self.timed(EVENTS, self.fill(&log, many))),
            ),
            (
                "XADD MAXLEN",
                Box::new(|| self.timed(EVENTS, self.fill_raw("{raw}:append", many))),
            ),
            Bar::None,
        )
    }

    fn read(&self, many: usize) -> Row {
        let log = self.log("read");
        self.runtime.block_on(async {
            self.fill(&log, BATCH).await;
            self.fill_raw("{raw}:read", BATCH).await;
        });
        compare(
            what("read by range", many),
            9,
            (
                "EventLog",
                Box::new(|| {
                    self.timed(EVENTS, async {
                        let mut after = EventId::ZERO;
                        for _ in 0..EVENTS / many {
                            let page = log.read("all", after, many).await;
                            let page = page.expect("an answer");
                            assert_eq!(page.events.len(), many);
                            after = page.events[many - 1].id;
                        }
                    })
                }),
            ),
            (
                "XRANGE",
                Box::new(|| {
                    self.timed(EVENTS, async {
                        let (mut raw, mut after) = (self.raw.clone(), "0-0".to_owned());
                        for _ in 0..EVENTS / many {
                            let mut range = redis::cmd("XRANGE");
                            range.arg("{raw}:read").arg(format!("({after}")).arg("+");
                            range.arg("COUNT").arg(many);
                            let page: StreamRangeReply =
                                range.query_async(&mut raw).await.expect("an answer");
                            let events: Vec<String> = page.ids.iter().map(decoded).collect();
                            assert_eq!(events.len(), many);
                            after.clone_from(&page.ids[many - 1].id);
                        }
                    })
                }),
            ),
            Bar::None,
        )
    }

    fn group(&self, many: usize) -> Row {
        let log = self.log("group");
        let consumer = log.group("all", "mail").expect("a group").consumer();
        let (key, mut raw) = ("{raw}:group", self.raw.clone());
        self.runtime.block_on(async {
            let mut create = redis::cmd("XGROUP");
            create.arg("CREATE").arg(key).arg("mail").arg("0");
            // It is there from the round before, with another number at a time.
            let _: redis::RedisResult<redis::Value> =
                create.arg("MKSTREAM").query_async(&mut raw).await;
        });
        compare(
            what("read in a group and acknowledge", many),
            9,
            (
                "EventLog",
                Box::new(|| {
                    self.runtime.block_on(self.fill(&log, BATCH));
                    self.timed(EVENTS, handle(&consumer, many))
                }),
            ),
            (
                "XREADGROUP and XACK",
                Box::new(|| {
                    self.runtime.block_on(self.fill_raw(key, BATCH));
                    self.timed(EVENTS, self.handle_raw(key, many))
                }),
            ),
            Bar::None,
        )
    }

    async fn handle_raw(&self, key: &str, many: usize) {
        let mut raw = self.raw.clone();
        for _ in 0..EVENTS / many {
            let mut read = redis::cmd("XREADGROUP");
            read.arg("GROUP")
                .arg("mail")
                .arg("me")
                .arg("COUNT")
                .arg(many);
            read.arg("STREAMS").arg(key).arg(">");
            let read: StreamReadReply = read.query_async(&mut raw).await.expect("an answer");
            let ids = &read.keys[0].ids;
            let events: Vec<String> = ids.iter().map(decoded).collect();
            assert_eq!(events.len(), many);
            let mut ack = redis::cmd("XACK");
            ack.arg(key).arg("mail");
            for it in ids {
                ack.arg(&it.id);
            }
            let acked: usize = ack.query_async(&mut raw).await.expect("an answer");
            assert_eq!(acked, many);
        }
    }

    /// From a publish to the subscriber that waits for it, one after the other.
    fn publish(&self, url: &str, is_kept: bool) -> Row {
        const SEATS: bus::Topic = bus::Topic::broadcast("bench");
        let topic = Topic::<String>::new(self.store.clone(), SEATS).expect("a topic");
        let topic = match is_kept {
            true => topic.with_history(100, HOUR).expect("a history"),
            false => topic,
        };
        let mut subscriber = self
            .runtime
            .block_on(topic.subscribe(1_u32))
            .expect("a bus");
        let mut plain = self.runtime.block_on(async {
            let client = redis::Client::open(url).expect("an address");
            let mut plain = client.get_async_pubsub().await.expect("a connection");
            plain.subscribe("raw").await.expect("an answer");
            plain
        });
        let mut heard = plain.on_message();
        let step = match is_kept {
            true => "with a history",
            false => "without a history",
        };
        compare(
            format!("Redis, from a publish to its subscriber, {step}"),
            9,
            (
                "Topic",
                Box::new(|| {
                    self.timed(MESSAGES, async {
                        for _ in 0..MESSAGES {
                            let sent = topic.publish(1_u32, &self.payload).await;
                            sent.expect("an answer");
                            let received = subscriber.next().await;
                            assert!(matches!(received, Some(Received::Message(_))));
                        }
                    })
                }),
            ),
            (
                "PUBLISH and SUBSCRIBE",
                Box::new(|| {
                    self.timed(MESSAGES, async {
                        let mut raw = self.raw.clone();
                        let json = format!("\"{}\"", self.payload);
                        for _ in 0..MESSAGES {
                            let mut publish = redis::cmd("PUBLISH");
                            publish.arg("raw").arg(&json);
                            let told: i64 = publish.query_async(&mut raw).await.expect("an answer");
                            assert_eq!(told, 1);
                            let message = heard.next().await.expect("a message");
                            let text = message.get_payload_bytes();
                            let _: String = serde_json::from_slice(text).expect("an event");
                        }
                    })
                }),
            ),
            Bar::None,
        )
    }

    fn timed(&self, operations: usize, round: impl Future<Output = ()>) -> f64 {
        self.runtime.block_on(async {
            let started = Instant::now();
            round.await;
            per_operation(started.elapsed(), operations)
        })
    }
}

async fn handle(consumer: &Consumer<String>, many: usize) {
    for _ in 0..EVENTS / many {
        let batch = consumer.read(many).await.expect("an answer");
        assert_eq!(batch.deliveries.len(), many);
        let settled = match &batch.deliveries[..] {
            [one] => vec![consumer.ack(one).await.expect("an answer")],
            all => consumer.ack_many(all).await.expect("an answer"),
        };
        assert!(settled.iter().all(|settled| *settled == Settled::Done));
    }
}

/// What whoever reads a Stream by hand does too.
fn decoded(entry: &StreamId) -> String {
    let text: Vec<u8> = entry.get("event").expect("an event");
    serde_json::from_slice(&text).expect("an event")
}
