//! The resources that the processes and their store use.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use larder_test::server::Reply;

use crate::app::App;
use crate::visitor::Visitor;

/// Longer than a thread, a connection or a task stays after its work.
const AT_REST: Duration = Duration::from_secs(20);

/// A little longer than a thread waits for work before it ends.
const IDLE: Duration = Duration::from_secs(11);

/// This many more descriptors, threads or tasks do not count: a connection may just be replaced, for
/// example.
const FEW: u64 = 4;

/// What all processes use together while there are no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// Resident memory in MiB.
    memory: u64,
    descriptors: u64,
    threads: u64,
    tasks: u64,
    keys: u64,
}

/// By how much each figure may have grown in the end.
pub(super) struct Bounds {
    /// In percent of the memory.
    memory: u64,
    /// In percent of the keys.
    keys: u64,
}

/// A line for each figure.
pub(super) struct Rows(Vec<(&'static str, u64, u64, u64)>);

impl Bounds {
    /// For a run of a few seconds, in which caches are still being filled.
    pub(super) const BRIEF: Self = Self {
        memory: 50,
        keys: 5,
    };
    pub(super) const LONG: Self = Self {
        memory: 20,
        keys: 5,
    };
}

impl Figures {
    /// Waits until nothing has changed for longer than a thread is idle, or, if there are earlier figures, until
    /// hardly anything exceeds `before`.
    pub(super) fn at_rest(app: &mut App, before: Option<&Self>) -> Self {
        let deadline = Instant::now() + AT_REST;
        let (mut last, mut since) = (Self::now(app), Instant::now());
        loop {
            thread::sleep(Duration::from_millis(500));
            let now = Self::now(app);
            let is_at_rest = match before {
                None => now.transient() == last.transient() && since.elapsed() >= IDLE,
                Some(before) => {
                    let pairs = now.transient().into_iter().zip(before.transient());
                    pairs.into_iter().all(|(now, before)| now <= before + FEW)
                }
            };
            if is_at_rest || Instant::now() >= deadline {
                return now;
            }
            if now.transient() != last.transient() {
                (last, since) = (now, Instant::now());
            }
        }
    }

    fn transient(&self) -> [u64; 3] {
        [self.descriptors, self.threads, self.tasks]
    }

    fn now(app: &mut App) -> Self {
        let reply = app.redis().command(&["DBSIZE"]).unwrap();
        let mut all = Self {
            memory: 0,
            descriptors: 0,
            threads: 0,
            tasks: 0,
            keys: count(&reply),
        };
        for server in app.servers() {
            all.memory += server.resident() / (1024 * 1024);
            all.descriptors += server.descriptors();
            all.threads += server.threads();
            let metrics = Visitor::new().get(server, "/metrics");
            all.tasks += metrics.metric("tokio_tasks_alive", &[]);
        }
        all
    }

    /// Compares earlier figures with later ones.
    pub(super) fn compare(&self, end: &Self, bounds: &Bounds) -> Rows {
        let part = |began: u64, percent: u64| began + began * percent / 100;
        Rows(vec![
            (
                "memory (MiB)",
                self.memory,
                end.memory,
                part(self.memory, bounds.memory),
            ),
            (
                "descriptors",
                self.descriptors,
                end.descriptors,
                self.descriptors + FEW,
            ),
            ("threads", self.threads, end.threads, self.threads + FEW),
            ("tasks", self.tasks, end.tasks, self.tasks + FEW),
            ("keys", self.keys, end.keys, part(self.keys, bounds.keys)),
        ])
    }
}

fn count(reply: &Reply) -> u64 {
    u64::try_from(reply.int().expect("a number of keys")).expect("not below zero")
}

impl Rows {
    pub(super) fn all_hold(&self) -> bool {
        self.0.iter().all(|(_, _, ended, most)| ended <= most)
    }
}

impl fmt::Display for Rows {
    /// Writes a line for each figure: its name, its first value, its last value and its bound.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, began, ended, most) in &self.0 {
            writeln!(f, "{name}\t{began}\t{ended}\t{most}")?;
        }
        Ok(())
    }
}
