//! Draws the steps of a trace: programs on a queue, with settings that they share.

use std::sync::Arc;

use async_trait::async_trait;
use fastrand::Rng;
use larder_store::program::{Program, Programs};
use larder_store::{Key, Timestamp, Ttl};
use larder_test::trace::{Observed, Step, step};

use crate::new_job::Due;
use crate::record::{
    Band, Cancel, Count, Decision, Dequeue, Enqueue, Item, List, Mode, Operation, Pause, Position,
    Purge, Redrive, Settings, Settle, Taken,
};

pub(super) const SECOND: i64 = 1_000_000;

/// What all steps of a trace share.
#[derive(Clone, Copy)]
struct Shared {
    settings: Settings,
    /// The number of different jobs. Only few of them meet again after they are done.
    ids: u8,
    /// The number of different unique keys.
    keys: usize,
    /// The mode of all unique keys, or none if each job draws its own.
    mode: Option<Mode>,
    /// How many of four jobs are in a group.
    grouped: u8,
}

impl Shared {
    fn draw(rng: &mut Rng, settings: Settings) -> Self {
        Self {
            settings,
            ids: [3, 6, 24][rng.usize(..3)],
            keys: [1, 3, 9][rng.usize(..3)],
            mode: rng.bool().then(|| mode(rng)),
            grouped: [0, 2, 2, 4][rng.usize(..4)],
        }
    }

    fn id(self, rng: &mut Rng) -> Arc<str> {
        format!("j{}", rng.u8(..self.ids)).into()
    }
}

/// Draws the settings of one trace, which all its steps share, like all users of a queue.
fn settings(rng: &mut Rng) -> Settings {
    let per_group = [0, 1, 1, 2][rng.usize(..4)];
    let settings = Settings {
        ttl: Ttl::from_millis([40_000, 3_600_000, 3_600_000][rng.usize(..3)]),
        lease: Ttl::from_millis(5_000),
        max_attempts: rng.u32(1..4),
        max_jobs: [2, 4, 30][rng.usize(..3)],
        max_running: [0, 0, 2][rng.usize(..3)],
        max_per_group: per_group,
        keeps_order: per_group == 1 && rng.bool(),
        rate_interval: [0, 0, SECOND + 1][rng.usize(..3)],
        rate_burst: 3,
        retention: [0, 4 * SECOND, 4 * SECOND][rng.usize(..3)],
        max_done: [1, 2, 100][rng.usize(..3)],
        max_dead: [1, 2, 100][rng.usize(..3)],
        ..Settings::default()
    };
    Settings {
        // Where many jobs are remembered, many keys are held.
        max_keys: settings.max_done,
        ..settings
    }
}

pub(super) fn next_of(settings: Settings) -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    steps(move |_| settings)
}

/// Draws the settings with the first step, so that each seed draws its own.
pub(super) fn next() -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    steps(settings)
}

fn steps(settings: impl Fn(&mut Rng) -> Settings) -> impl FnMut(&mut Rng) -> Box<dyn Step> {
    let mut known = None;
    move |rng| {
        let shared = *known.get_or_insert_with(|| {
            let settings = settings(rng);
            Shared::draw(rng, settings)
        });
        draw(rng, shared)
    }
}

fn draw(rng: &mut Rng, shared: Shared) -> Box<dyn Step> {
    let settings = shared.settings;
    match rng.u8(..24) {
        0..8 => enqueue(rng, shared),
        8..13 => {
            let many = rng.u32(1..4);
            step(Dequeue { settings, many }, move |taken, now| {
                deadlines(taken, settings, now)
            })
        }
        13..19 => Box::new(OnLeased {
            settings,
            decisions: (0..rng.usize(1..3))
                .map(|_| decision(rng, shared))
                .collect(),
            take: [0, 0, 1, 2][rng.usize(..4)],
        }),
        19 => plain(Cancel {
            settings,
            id: shared.id(rng),
        }),
        20 => match rng.u8(..4) {
            0 => plain(Purge {
                settings,
                band: band(rng),
                many: rng.u32(1..4),
            }),
            1 => plain(Redrive {
                settings,
                many: rng.u32(1..3),
            }),
            2 => plain(Pause {
                settings,
                is_paused: true,
            }),
            _ => plain(Redrive { settings, many: 9 }),
        },
        21 => plain(Pause {
            settings,
            is_paused: false,
        }),
        22 => plain(Count),
        _ => Box::new(Pages {
            band: band(rng),
            many: rng.u32(1..4),
        }),
    }
}

/// Returns when the taken jobs, or the record, change by themselves.
fn deadlines(taken: &Taken, settings: Settings, now: Timestamp) -> Vec<Timestamp> {
    let next = taken.next_in.map(|micros| now.plus_micros(micros));
    let ends = (!taken.jobs.is_empty()).then_some(taken.lease_ends);
    let record = Some(now.plus_micros(settings.ttl.as_micros()));
    next.into_iter().chain(ends).chain(record).collect()
}

fn plain<P>(program: P) -> Box<dyn Step>
where
    P: Program + std::fmt::Debug + 'static,
    P::Reply: std::fmt::Debug,
{
    step(program, |_, _| Vec::new())
}

fn enqueue(rng: &mut Rng, shared: Shared) -> Box<dyn Step> {
    let settings = shared.settings;
    let items: Vec<_> = (0..rng.usize(1..4)).map(|_| item(rng, shared)).collect();
    let mut spans = vec![settings.ttl.as_micros()];
    let mut times = Vec::new();
    for item in &items {
        match item.due {
            Due::In(micros) => spans.push(micros),
            Due::At(micros) => times.push(Timestamp::from_micros(micros)),
        }
        spans.push(item.unique_for);
    }
    step(Enqueue { settings, items }, move |_, now| {
        let spans = spans.iter().map(|span| now.plus_micros(*span));
        spans.chain(times.iter().copied()).collect()
    })
}

/// A job without a key, a group or a priority of its own.
pub(super) fn plain_item(id: &str, due: Due) -> Item {
    Item {
        id: id.into(),
        due,
        class: 2,
        mode: Mode::None,
        unique_for: 0,
        replaces: false,
        key: None,
        group: None,
        body: "x".into(),
    }
}

fn item(rng: &mut Rng, shared: Shared) -> Item {
    let mode = shared.mode.unwrap_or_else(|| mode(rng));
    let due = match rng.u8(..8) {
        0..4 => Due::In(0),
        4 => Due::At(5),
        5 => Due::At(1_767_225_600 * SECOND + rng.i64(0..500) * SECOND),
        _ => Due::In([1, 1_500_001, 3 * SECOND][rng.usize(..3)]),
    };
    Item {
        id: shared.id(rng),
        due,
        class: rng.u8(..4),
        mode,
        unique_for: [1, 2 * SECOND, 9 * SECOND][rng.usize(..3)],
        replaces: mode == Mode::UntilStarted && rng.bool(),
        key: (mode != Mode::None).then(|| KEYS[rng.usize(..shared.keys)].into()),
        group: (rng.u8(..4) < shared.grouped).then(|| ["g", "g\u{1}", "h"][rng.usize(..3)].into()),
        body: rng.u8(..).to_string().into_bytes().into(),
    }
}

fn mode(rng: &mut Rng) -> Mode {
    let modes = [
        Mode::None,
        Mode::None,
        Mode::UntilDone,
        Mode::UntilStarted,
        Mode::UntilTtl,
    ];
    modes[rng.usize(..modes.len())]
}

const KEYS: [&str; 9] = ["k", "kk", "l", "m", "n", "o", "p", "q", "r"];

fn band(rng: &mut Rng) -> Band {
    let bands = [
        Band::Ready,
        Band::InGroup,
        Band::Scheduled,
        Band::Leased,
        Band::Dead,
        Band::Done,
    ];
    bands[rng.usize(..bands.len())]
}

/// A decision about the `nth` job that is leased.
#[derive(Clone, Debug)]
struct Drawn {
    nth: usize,
    /// The job that is settled if there are fewer.
    other: Arc<str>,
    /// Whether the fence is older than that of the lease.
    is_stale: bool,
    operation: Operation,
    micros: i64,
}

fn decision(rng: &mut Rng, shared: Shared) -> Drawn {
    let operations = [
        Operation::Ack,
        Operation::Ack,
        Operation::Nack,
        Operation::Nack,
        Operation::Reject,
        Operation::Release,
        Operation::Extend,
        Operation::Progress,
    ];
    let operation = operations[rng.usize(..operations.len())];
    Drawn {
        nth: rng.usize(..3),
        other: shared.id(rng),
        is_stale: rng.u8(..6) == 0,
        operation,
        micros: match operation {
            Operation::Extend => [1, 7 * SECOND][rng.usize(..2)],
            _ => [0, 0, 1, 2 * SECOND][rng.usize(..4)],
        },
    }
}

/// Settles jobs that the record shows as leased; or others, whose leases were never granted. Shows what is leased
/// then.
struct OnLeased {
    settings: Settings,
    decisions: Vec<Drawn>,
    take: u32,
}

#[async_trait]
impl Step for OnLeased {
    fn name(&self) -> &str {
        "settle"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, now: Timestamp) -> Observed {
        let list = List {
            band: Band::Leased,
            from: Position::default(),
            many: 9,
        };
        let leased = match programs.run(key, &list).await {
            Ok(listed) => listed.rows,
            Err(error) => return failed(&error),
        };
        let decisions = self.decisions.iter().map(|drawn| {
            let row = leased.get(drawn.nth);
            let fence = row
                .and_then(|row| row.held.as_ref())
                .map_or(7, |held| held.fence);
            Decision {
                id: row.map_or_else(|| drawn.other.clone(), |row| row.id.clone()),
                fence: fence - i64::from(drawn.is_stale),
                operation: drawn.operation,
                micros: drawn.micros,
                text: "because".into(),
            }
        });
        let settle = Settle {
            settings: self.settings,
            decisions: decisions.collect(),
            take: self.take,
        };
        let spans: Vec<_> = self.decisions.iter().map(|drawn| drawn.micros).collect();
        let settings = self.settings;
        let settle = step(settle, move |exchanged, now| {
            let spans = spans.iter().chain([&settings.retention]);
            let spans = spans.map(|span| now.plus_micros(*span));
            spans
                .chain(deadlines(&exchanged.taken, settings, now))
                .collect()
        });
        let mut settled = settle.run(programs, key, now).await;
        if let Ok(listed) = programs.run(key, &list).await {
            settled.shown += &format!(" {:?}", listed.rows);
        }
        settled
    }
}

/// Lists a band page by page.
struct Pages {
    band: Band,
    many: u32,
}

#[async_trait]
impl Step for Pages {
    fn name(&self) -> &str {
        "list"
    }

    async fn run(&self, programs: &dyn Programs, key: &Key, _: Timestamp) -> Observed {
        let mut shown = format!("{:?}", self.band);
        let mut from = Position::default();
        for _ in 0..64 {
            let list = List {
                band: self.band,
                from,
                many: self.many,
            };
            let listed = match programs.run(key, &list).await {
                Ok(listed) => listed,
                Err(error) => return failed(&error),
            };
            shown += &format!(" {listed:?}");
            match listed.next {
                Some(next) => from = next,
                None => break,
            }
        }
        Observed {
            shown,
            deadlines: Vec::new(),
        }
    }
}

/// What a planted fault may cause.
fn failed(error: &larder_store::Error) -> Observed {
    Observed {
        shown: format!("{:?}", error.kind()),
        deadlines: Vec::new(),
    }
}
