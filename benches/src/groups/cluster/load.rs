//! Tasks that get or set, each one key after the other, and how long that takes.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::contender::{Contender, KEYS};
use crate::harness::{Bar, Row, compare, compare_each, counted};
use crate::load::percentiles;

const ROUNDS: usize = 15;
const OPERATIONS: usize = 48_000;
const ALONE: usize = 2_000;

/// What a task does.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Get,
    Set,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Set => "SET",
        }
    }

    /// Works on the `n`th key.
    pub(super) async fn on(self, contender: &mut impl Contender, n: usize) {
        let key = &KEYS[n % KEYS.len()];
        match self {
            Self::Get => contender.get(key).await,
            Self::Set => contender.set(key).await,
        }
    }
}

/// Operations a second, and how long the middle one and the last hundredth took.
pub(super) fn throughput(
    runtime: &Runtime,
    (ours, (name, peer)): (&impl Contender, (&str, &impl Contender)),
    servers: &str,
    work: Work,
    tasks: usize,
) -> [Row; 3] {
    let what = format!("{servers} {}, {}", work.name(), counted(tasks, "task"));
    let late = match tasks {
        256 => Bar::CostAtMost(2.0),
        _ => Bar::None,
    };
    compare_each(
        [
            (what.clone(), Bar::ThroughputAtLeast(0.9)),
            (format!("{what}, p50"), Bar::None),
            (format!("{what}, p99"), late),
        ],
        ROUNDS,
        ("RedisStore", Box::new(|| round(runtime, ours, work, tasks))),
        (name, Box::new(|| round(runtime, peer, work, tasks))),
    )
}

/// How long the last hundredth took, on one server.
pub(super) fn p99(
    runtime: &Runtime,
    (ours, (name, peer)): (&impl Contender, (&str, &impl Contender)),
    work: Work,
    tasks: usize,
) -> Row {
    let what = format!("Redis {}, {}, p99", work.name(), counted(tasks, "task"));
    compare(
        what,
        ROUNDS,
        (
            "RedisStore",
            Box::new(|| round(runtime, ours, work, tasks)[2]),
        ),
        (name, Box::new(|| round(runtime, peer, work, tasks)[2])),
        Bar::CostAtMost(2.0),
    )
}

/// How long an operation took over all tasks, the median of what it took its task, and the 99th
/// percentile of that.
fn round(runtime: &Runtime, contender: &impl Contender, work: Work, tasks: usize) -> [f64; 3] {
    let each = match tasks {
        1 => ALONE,
        _ => OPERATIONS / tasks,
    };
    percentiles(runtime, tasks, 1, |task| {
        operations(contender.clone(), work, task * each, each)
    })
}

async fn operations(
    mut contender: impl Contender,
    work: Work,
    first: usize,
    number: usize,
) -> Vec<Duration> {
    let mut took = Vec::with_capacity(number);
    for n in first..first + number {
        let started = Instant::now();
        work.on(&mut contender, n).await;
        took.push(started.elapsed());
    }
    took
}
