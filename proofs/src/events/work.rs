//! What a producer and a consumer do, in a process or in a task of a test.
//!
//! In a history the event of a group is `group/name`, and the fence of a delivery is its count.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use larder_events::log::{
    Consumer, Delivery, Event as Handled, EventError, EventLog, Group, MessageId, Settled,
};
use larder_store::Ttl;
use larder_test::server::{Connection, Reply};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::leases::now;
use crate::queue::work::{CONCURRENCY, LEASE, PATIENCE, Sink, Stop, connect, note, slowness};
use crate::queue::{Contender, What};

/// Each of them handles all events.
const GROUPS: [&str; 2] = ["mail", "audit"];

/// The log is trimmed all the time, but for what a group still needs.
async fn log(url: &str) -> EventLog<String> {
    let store = Arc::new(connect(url).await);
    let log = EventLog::new(store, "ledger", Ttl::from_secs(86_400)).expect("programs and waits");
    log.with_max_len(20).with_hard_max_len(u32::MAX)
}

fn group(log: &EventLog<String>, name: &str) -> Group<String> {
    // Dead letters would be events that are not handled; here none is meant to die.
    let group = log.group("all", name).expect("a name");
    group.with_lease(LEASE).with_max_deliveries(1_000_000)
}

/// Appends until it is told to stop. A message whose answer was lost is sent again under its id.
pub async fn produce(url: &str, seed: u64, stop: Stop, sink: Sink) {
    let log = log(url).await;
    let mut random = fastrand::Rng::with_seed(seed);
    let (producer, mut number) = (format!("{seed}"), 0);
    while GROUPS.len() != made(&log).await && !stop.is_told() {
        sleep(Duration::from_millis(10)).await;
    }
    while !stop.is_told() {
        number += 1;
        let (name, began) = (format!("{producer}-{number}"), now());
        let message = MessageId {
            producer: &producer,
            id: &name,
        };
        while !stop.is_told() {
            if log.append_once("all", message, &name).await.is_ok() {
                for group in GROUPS {
                    note(&sink, &format!("{group}/{name}"), began, What::Enqueued);
                }
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_micros(random.u64(..15_000))).await;
    }
}

/// Makes the groups, and returns how many there are. What is appended before would be trimmed.
async fn made(log: &EventLog<String>) -> usize {
    let mut made = 0;
    for name in GROUPS {
        made += usize::from(group(log, name).create().await.is_ok());
    }
    made
}

/// Handles the events of both groups until it is told to stop and there are no more.
///
/// # Panics
/// If that does not come within a minute, or a group has lost an event.
pub async fn consume(url: &str, seed: u64, contender: Contender, stop: Stop, sink: Sink) {
    let log = log(url).await;
    let mut groups = JoinSet::new();
    for name in GROUPS {
        let by_hand = ByHand {
            log: log.clone(),
            group: name,
            contender,
            address: url
                .trim_start_matches("redis://")
                .parse()
                .expect("an address"),
            sink: sink.clone(),
        };
        let random = fastrand::Rng::with_seed(seed ^ name.len() as u64);
        groups.spawn(by_hand.run(stop.clone(), random));
    }
    groups.join_all().await;
}

/// Does the same by the loop of a consumer, which extends leases and sends acks itself.
///
/// # Panics
/// As [`consume`] does.
pub async fn consume_by_loop(url: &str, stop: Stop, sink: Sink) {
    let log = log(url).await;
    let mut groups = JoinSet::new();
    for name in GROUPS {
        let (log, stop, sink) = (log.clone(), stop.clone(), sink.clone());
        groups.spawn(async move {
            let consumer = group(&log, name).consumer();
            let consumer = consumer
                .with_concurrency(CONCURRENCY)
                .with_backoff(Duration::from_millis(50));
            let over = async {
                let mut deadline = None;
                while !is_over(&log, name, &stop, &mut deadline).await {
                    sleep(Duration::from_millis(50)).await;
                }
            };
            let handler = move |event: Handled<String>| handle(name, event, sink.clone());
            consumer.run_until(over, handler).await;
        });
    }
    groups.join_all().await;
}

async fn handle(group: &str, event: Handled<String>, sink: Sink) -> Result<(), EventError> {
    let (name, fence) = (format!("{group}/{}", event.event), u64::from(event.count));
    let attempt = event.count;
    note(&sink, &name, now(), What::Taken { attempt, fence });
    let mut random = fastrand::Rng::with_seed(event.id.as_millis() + fence);
    sleep(slowness(&mut random)).await;
    if random.u8(..20) == 0 {
        return Err("bad luck".into());
    }
    note(&sink, &name, now(), What::Worked(fence));
    // The consumer sends the ack, and tells nobody the answer.
    note(&sink, &name, now(), What::Sent(fence));
    Ok(())
}

/// Whether it was told to stop, and the group is done with all events.
async fn is_over(
    log: &EventLog<String>,
    group: &str,
    stop: &Stop,
    deadline: &mut Option<Instant>,
) -> bool {
    if !stop.is_told() {
        return false;
    }
    let deadline = *deadline.get_or_insert_with(|| Instant::now() + PATIENCE);
    assert!(Instant::now() < deadline, "the group does not end");
    let Ok(info) = log.info("all").await else {
        return false;
    };
    let mut groups = info.groups.iter();
    groups.any(|it| it.name == group && it.pending + it.lag == 0)
}

/// One that reads, is slow now and then, and acknowledges by hand.
#[derive(Clone)]
struct ByHand {
    log: EventLog<String>,
    group: &'static str,
    contender: Contender,
    address: SocketAddr,
    sink: Sink,
}

impl ByHand {
    async fn run(self, stop: Stop, mut random: fastrand::Rng) {
        let mut consumer = group(&self.log, self.group).consumer();
        let settling = Arc::new(group(&self.log, self.group).consumer());
        let (mut running, mut deadline) = (JoinSet::new(), None);
        loop {
            while running.len() >= CONCURRENCY {
                running.join_next().await;
            }
            if is_over(&self.log, self.group, &stop, &mut deadline).await {
                break;
            }
            let began = now();
            let free = CONCURRENCY - running.len();
            let Ok(batch) = consumer.next(free, Duration::from_millis(200)).await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            assert_eq!(batch.lost, 0, "a group has lost events");
            for delivery in batch.deliveries {
                let (attempt, fence) = (delivery.count, u64::from(delivery.count));
                note(
                    &self.sink,
                    &self.name(&delivery),
                    began,
                    What::Taken { attempt, fence },
                );
                let task = self.clone().work(delivery, settling.clone(), random.fork());
                running.spawn(task);
            }
        }
        running.join_all().await;
    }

    fn name(&self, delivery: &Delivery<String>) -> String {
        let name = delivery.event.as_deref().unwrap_or("undecodable");
        format!("{}/{name}", self.group)
    }

    async fn work(
        self,
        delivery: Delivery<String>,
        consumer: Arc<Consumer<String>>,
        mut random: fastrand::Rng,
    ) {
        sleep(slowness(&mut random)).await;
        if random.u8(..20) == 0 {
            // Whoever lost the event is refused; it is delivered again in any case.
            let _ = consumer.nack(&delivery, Duration::from_millis(50)).await;
            return;
        }
        let (name, fence) = (self.name(&delivery), u64::from(delivery.count));
        note(&self.sink, &name, now(), What::Worked(fence));
        for tries in 0.. {
            note(&self.sink, &name, now(), What::Sent(fence));
            let began = now();
            let acked = match self.contender {
                Contender::Fenced => match consumer.ack(&delivery).await {
                    Ok(Settled::Done) => Some(true),
                    // One that is gone when it is sent again may have arrived before.
                    Ok(Settled::Gone) if tries > 0 => return,
                    Ok(_) => Some(false),
                    Err(_) => None,
                },
                Contender::Unfenced => self.plain_ack(&delivery),
            };
            let what = match acked {
                Some(true) => What::Acked(fence),
                Some(false) => What::Refused(fence),
                None => What::Lost(fence),
            };
            note(&self.sink, &name, began, what);
            if acked.is_some() {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Acknowledges an event as any client may: nobody asks who has it.
    fn plain_ack(&self, delivery: &Delivery<String>) -> Option<bool> {
        let id = delivery.id.to_string();
        let ack = ["XACK", "log:{ledger:all}", self.group, &id];
        let mut connection = Connection::open(self.address).ok()?;
        match connection.call(&ack).ok()? {
            Reply::Int(acked) => Some(acked == 1),
            _ => None,
        }
    }
}
