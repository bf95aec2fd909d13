//! Whether any task waits while others are served.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::contender::Contender;
use super::load::Work;
use crate::harness::{Bar, Row, compare};

const TASKS: usize = 256;
const WINDOW: Duration = Duration::from_secs(1);

/// How often more the busiest task was served than the one that was served least.
pub(super) fn run(
    runtime: &Runtime,
    what: &str,
    ours: &impl Contender,
    (name, peer): (&str, &impl Contender),
) -> Row {
    compare(
        format!("{what}, {TASKS} tasks for a second: the most that a task got over the least"),
        5,
        ("RedisStore", Box::new(|| spread(runtime, ours))),
        (name, Box::new(|| spread(runtime, peer))),
        Bar::NumberAtMost(2.0),
    )
    .with_note("1 is even; a task that starves makes it infinite")
}

fn spread(runtime: &Runtime, contender: &impl Contender) -> f64 {
    runtime.block_on(async {
        let end = Instant::now() + WINDOW;
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| tokio::spawn(served(contender.clone(), task, end)))
            .collect();
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for task in tasks {
            let served = task.await.expect("no task of a benchmark panics") as f64;
            (least, most) = (least.min(served), most.max(served));
        }
        most / least
    })
}

/// How often a task was served until `end`.
async fn served(mut contender: impl Contender, task: usize, end: Instant) -> usize {
    let mut served = 0;
    loop {
        Work::Get.on(&mut contender, task + served).await;
        if Instant::now() > end {
            return served;
        }
        served += 1;
    }
}
