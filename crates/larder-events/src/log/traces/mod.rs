mod faults;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use larder_store::program::{Program, Programs};
use larder_store::{Key, Timestamp, Ttl};
use larder_test::trace::{Observed, Step, after, step};
use larder_worlds::traces::holds;

use super::append::{Append, Bounds, Item, Written};
use super::groups::{Create, HandBack, RemoveGroup};
use super::reads::{DeadEvent, ReadDead, ReadRange, ReadState, RemoveDead};
use super::record::LogRecord;
use super::settle::{Held, Settle, What};
use super::take::{Known, Take, Taken};
use super::{EventId, Start};

/// The number of seeds of the traces, and of steps for each.
const LONG: (u64, usize) = (16, 300);

/// What a trace has seen of each record, so that later steps refer to it.
type Seen = Arc<Mutex<HashMap<Key, Found>>>;

#[derive(Clone, Default)]
struct Found {
    held: Vec<Held>,
    events: Vec<EventId>,
    dead: Vec<EventId>,
}

impl Found {
    /// Returns one of the last ids, or one that was never seen.
    fn event(&self, back: usize) -> EventId {
        let id = self.events.iter().rev().nth(back);
        id.copied().unwrap_or(EventId::ZERO)
    }

    fn held(&self, back: usize) -> Option<Held> {
        self.held.iter().rev().nth(back).cloned()
    }
}

/// A step that depends on earlier observations.
struct After {
    name: String,
    seen: Seen,
    /// The state when the first of both forms ran, so that the second draws the same step.
    found: Mutex<HashMap<Key, Found>>,
    make: Make,
}

#[async_trait]
impl Step for After {
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let step = {
            let mut found = self.found.lock().unwrap();
            let found = found.entry(key.clone());
            let found = found.or_insert_with(|| self::found(&self.seen, key));
            (self.make)(found, (&self.seen, key))
        };
        step.run(programs, key, now).await
    }
}

fn found(seen: &Seen, key: &Key) -> Found {
    seen.lock().unwrap().get(key).cloned().unwrap_or_default()
}

/// Makes a step whose reply is remembered.
fn remembered<P>(
    program: P,
    (seen, key): (&Seen, &Key),
    remember: impl Fn(&P::Reply, &mut Found) + Send + Sync + 'static,
    deadlines: impl Fn(&P::Reply, Timestamp) -> Vec<Timestamp> + Send + Sync + 'static,
) -> Box<dyn Step>
where
    P: Program + std::fmt::Debug + 'static,
    P::Reply: std::fmt::Debug,
{
    let (seen, key) = (seen.clone(), key.clone());
    step(program, move |reply, now| {
        remember(reply, seen.lock().unwrap().entry(key.clone()).or_default());
        deadlines(reply, now)
    })
}

/// What all steps of a trace share.
#[derive(Clone, Copy)]
struct Shared {
    /// The one lease, or none if each step draws its own: only with the same lease is a delivery due at the
    /// moment that the one before has told.
    lease: Option<Ttl>,
    /// Whether messages have ids, which the log remembers.
    has_ids: bool,
}

impl Shared {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            lease: rng.bool().then(|| lease(rng)),
            has_ids: rng.u8(..4) > 0,
        }
    }

    fn lease(self, rng: &mut Rng) -> Ttl {
        self.lease.unwrap_or_else(|| lease(rng))
    }
}

fn begin() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let seen = Seen::default();
    let mut shared = None;
    move |rng| {
        let shared = *shared.get_or_insert_with(|| Shared::draw(rng));
        let after = |name: String, make: Make| -> Box<dyn Step> {
            let seen = seen.clone();
            let found = Mutex::default();
            Box::new(After {
                name,
                seen,
                found,
                make,
            })
        };
        match rng.u8(..20) {
            0..=5 => after_append(rng, shared, after),
            6..=10 => after_take(rng, shared, after),
            11..=14 => after_settle(rng, shared, after),
            15 => create(rng),
            16 => hand_back(rng, shared),
            _ => read(rng, after),
        }
    }
}

type Make = Box<dyn Fn(&Found, (&Seen, &Key)) -> Box<dyn Step> + Send + Sync>;

fn ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 600_000, 3_600_000, 3_600_000, 3_600_000][rng.usize(..5)])
}

fn lease(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 1_000, 1_000, 1_500][rng.usize(..4)])
}

fn group(rng: &mut Rng) -> Arc<str> {
    ["mail", "mail", "mail", "audit"][rng.usize(..4)].into()
}

fn generation(rng: &mut Rng) -> u32 {
    [7, 7, 7, u32::MAX][rng.usize(..4)]
}

fn consumer(rng: &mut Rng) -> Arc<str> {
    ["a", "b"][rng.usize(..2)].into()
}

fn after_append(
    rng: &mut Rng,
    shared: Shared,
    after: impl Fn(String, Make) -> Box<dyn Step>,
) -> Box<dyn Step> {
    let max_len = [1, 3, 8, 100][rng.usize(..4)];
    let mut many = 1;
    while many < 100 && rng.u8(..5) < 2 {
        many += 1;
    }
    let item = |_| Item {
        event: Bytes::from_static([&b"1"[..], b"\"a\"", b"\0\xff"][rng.usize(..3)]),
        message: match shared.has_ids {
            true => ["", "", "1:p1", "1:p2", "1:p3"][rng.usize(..5)].into(),
            false => "".into(),
        },
    };
    let items = (0..many).map(item).collect();
    let append = Append {
        items,
        remembered: Ttl::from_millis([1, 1_000][rng.usize(..2)]),
        max_remembered: [2, 2, 10][rng.usize(..3)],
        bounds: Bounds {
            max_len,
            hard_max_len: max_len + [0, 2, 100, 100][rng.usize(..4)],
            max_age: [
                None,
                None,
                Some(Ttl::from_millis(1)),
                Some(Ttl::from_secs(2)),
            ][rng.usize(..4)],
        },
        ttl: ttl(rng),
    };
    let spans: Vec<i64> = [
        Some(append.ttl),
        Some(append.remembered),
        append.bounds.max_age,
    ]
    .iter()
    .flatten()
    .map(|ttl| ttl.as_micros())
    .collect();
    let make = move |_: &Found, seen: (&Seen, &Key)| {
        let spans = spans.clone();
        let remember = |written: &Vec<Written>, found: &mut Found| {
            for written in written {
                if let Written::New(id) = written {
                    found.events.push(*id);
                }
            }
        };
        remembered(append.clone(), seen, remember, move |_, now| {
            spans.iter().map(|span| now.plus_micros(*span)).collect()
        })
    };
    after("append".to_owned(), Box::new(make))
}

fn after_take(
    rng: &mut Rng,
    shared: Shared,
    after: impl Fn(String, Make) -> Box<dyn Step>,
) -> Box<dyn Step> {
    let take = Take {
        group: group(rng),
        consumer: consumer(rng),
        many: [0, 1, 2, 5, 40][rng.usize(..5)],
        lease: shared.lease(rng),
        max_pending: [2, 4, 1_000][rng.usize(..3)],
        max_deliveries: [1, 2, 3, 10][rng.usize(..4)],
        max_dead: [1, 2, 10][rng.usize(..3)],
        ttl: ttl(rng),
        known: Known {
            losses: [0, 0, 1, 2, 3, 100][rng.usize(..6)],
            generation: generation(rng),
        },
        is_first: rng.bool(),
    };
    let name = format!("{take:?}");
    let make = move |_: &Found, seen: (&Seen, &Key)| {
        let consumer = take.consumer.clone();
        let remember = move |taken: &Taken, found: &mut Found| {
            found.held.extend(taken.events.iter().map(|given| Held {
                id: given.id,
                consumer: consumer.clone(),
                count: given.count,
            }));
        };
        remembered(take.clone(), seen, remember, |taken, now| {
            let begin = now.as_micros().div_euclid(1_000) * 1_000;
            let due = taken
                .left
                .map(|left| Timestamp::from_micros(begin + left * 1_000));
            due.into_iter().collect()
        })
    };
    after(name, Box::new(make))
}

fn after_settle(
    rng: &mut Rng,
    shared: Shared,
    after: impl Fn(String, Make) -> Box<dyn Step>,
) -> Box<dyn Step> {
    let delay = [0, 1, 500, 5_000][rng.usize(..4)];
    let what = match rng.u8(..8) {
        0..=2 => What::Ack,
        3 => What::Extend,
        4 | 5 => What::Nack(delay),
        _ => What::Reject("no such visitor".into()),
    };
    let (group, lease, ttl) = (group(rng), shared.lease(rng), ttl(rng));
    let max_dead = rng.u32(1..4);
    // The last deliveries, sometimes with another count or consumer.
    let picks: Vec<(usize, u8)> = (0..rng.usize(1..4))
        .map(|_| (rng.usize(..5), rng.u8(..8)))
        .collect();
    let name = format!("{what:?} in {group} of {picks:?}, lease {lease:?}");
    let make = move |found: &Found, _: (&Seen, &Key)| {
        let held = picks.iter().filter_map(|(back, change)| {
            let mut held = found.held(*back)?;
            match change {
                0 => held.count += 1,
                1 => held.consumer = "z".into(),
                2 => held.id = EventId::ZERO.next(9),
                _ => {}
            }
            Some(held)
        });
        let settle = Settle {
            what: what.clone(),
            group: group.clone(),
            lease,
            max_dead,
            ttl,
            deliveries: held.collect(),
        };
        after_ends(settle, delay)
    };
    after(name, Box::new(make))
}

fn after_ends(settle: Settle, delay: i64) -> Box<dyn Step> {
    after(
        settle.clone(),
        vec![
            settle.ttl.as_micros(),
            delay * 1_000,
            settle.lease.as_micros(),
        ],
    )
}

fn create(rng: &mut Rng) -> Box<dyn Step> {
    let (group, ttl) = (group(rng), ttl(rng));
    if rng.u8(..6) == 0 {
        return after(RemoveGroup { group, ttl }, vec![ttl.as_micros()]);
    }
    let create = Create {
        group,
        start: match rng.u8(..4) {
            0 => Start::Now,
            1 => Start::After(EventId::ZERO.next(2_000_000_000_000)),
            _ => Start::First,
        },
        max_groups: [1, 2, 32][rng.usize(..3)],
        ttl,
        generation: generation(rng),
    };
    after(create, vec![ttl.as_micros()])
}

fn hand_back(rng: &mut Rng, shared: Shared) -> Box<dyn Step> {
    let (group, consumer, lease, ttl) = (group(rng), consumer(rng), shared.lease(rng), ttl(rng));
    let hand_back = HandBack {
        group,
        consumer,
        lease,
        ttl,
    };
    after(hand_back, vec![ttl.as_micros()])
}

fn read(rng: &mut Rng, later: impl Fn(String, Make) -> Box<dyn Step>) -> Box<dyn Step> {
    let (back, many, group) = (rng.usize(..5), rng.u32(..4), group(rng));
    let (until, ttl) = (rng.bool().then(|| rng.usize(..3)), ttl(rng));
    let what = rng.u8(..6);
    let make = move |found: &Found, seen: (&Seen, &Key)| {
        let id = found.event(back);
        match what {
            0 => after(ReadState, vec![]),
            1 | 2 => {
                let until = until.map(|back| found.event(back));
                after(
                    ReadRange {
                        after: id,
                        until,
                        many,
                    },
                    vec![],
                )
            }
            3 => {
                let start = Start::After(id);
                let group = group.clone();
                after(
                    Create {
                        group,
                        start,
                        max_groups: 32,
                        ttl,
                        generation: 7,
                    },
                    vec![ttl.as_micros()],
                )
            }
            4 => {
                let read = ReadDead {
                    after: found
                        .dead
                        .last()
                        .copied()
                        .filter(|_| many == 1)
                        .unwrap_or_default(),
                    many,
                };
                let remember = |letters: &Vec<DeadEvent>, found: &mut Found| {
                    found.dead.extend(letters.iter().map(|letter| letter.0));
                };
                remembered(read, seen, remember, |_, _| vec![])
            }
            _ => {
                let id = found
                    .dead
                    .iter()
                    .rev()
                    .nth(back % 2)
                    .copied()
                    .unwrap_or_default();
                after(RemoveDead { id, ttl }, vec![ttl.as_micros()])
            }
        }
    };
    later(format!("read {what}, {back} back"), Box::new(make))
}

#[tokio::test]
async fn the_programs_on_a_log_do_the_same_in_lua_and_in_rust() {
    holds::<LogRecord, _>(LONG, begin).await;
}
