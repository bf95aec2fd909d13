use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use larder_store::{Error, ErrorKind, Result};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::fault::Fault;
use super::line::{Line, State};
use super::source::Source;

/// The limits of one server's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Duration,
    pub(crate) connect_deadline: Duration,
    pub(crate) connections: usize,
    pub(crate) in_flight: usize,
}

/// One server: its lines in use, and what waits for them.
///
/// The lines are clones out of the pool, held here so that a command costs no checkout. The
/// supervisor takes new ones out when some broke.
pub(crate) struct Node {
    pub(super) location: Arc<str>,
    pub(super) limits: Limits,
    pub(super) in_flight: AtomicUsize,
    pub(super) supervisor: Arc<Notify>,
    source: Source,
    lines: ArcSwap<Vec<Arc<Line>>>,
    turn: AtomicUsize,
    /// No line is good and the last dial failed or hangs: there is nothing to wait for.
    down: AtomicBool,
    changed: Notify,
}

impl Node {
    pub(crate) fn new(
        location: Arc<str>,
        limits: Limits,
        source: Source,
        supervisor: Arc<Notify>,
    ) -> Self {
        Self {
            location,
            limits,
            in_flight: AtomicUsize::new(0),
            supervisor,
            source,
            lines: ArcSwap::from_pointee(Vec::new()),
            turn: AtomicUsize::new(0),
            down: AtomicBool::new(true),
            changed: Notify::new(),
        }
    }

    pub(crate) fn location(&self) -> &str {
        &self.location
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many lines are good.
    pub(super) fn good_lines(&self) -> usize {
        let lines = self.lines.load();
        lines.iter().filter(|line| line.health().is_good()).count()
    }

    /// The next good line, when there is none now.
    ///
    /// Where the last was dropped just now it waits for the next, which mostly takes a
    /// millisecond; where the server does not answer it fails at once.
    pub(super) async fn next_line(
        &self,
        operation: &'static str,
        deadline: Instant,
    ) -> Result<Arc<Line>> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(line) = self.good_line() {
                return Ok(line);
            }
            if self.is_down() || tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(self.no_line(operation));
            }
        }
    }

    /// One of the good lines, each in its turn.
    pub(super) fn good_line(&self) -> Option<Arc<Line>> {
        let lines = self.lines.load();
        let turn = match lines.len() {
            0 | 1 => 0,
            _ => self.turn.fetch_add(1, Ordering::Relaxed) % lines.len(),
        };
        let (before, after) = lines.split_at(turn);
        let mut in_turn = after.iter().chain(before);
        in_turn.find(|line| line.health().is_good()).cloned()
    }

    fn is_down(&self) -> bool {
        let hung = |line: &Arc<Line>| line.health().state() == State::Hung;
        self.down.load(Ordering::Acquire) || self.lines.load().iter().all(hung)
    }

    fn no_line(&self, operation: &'static str) -> Error {
        metrics::counter!("larder_redis_fast_failures_total", "server" => self.location.clone())
            .increment(1);
        Error::new(
            operation,
            ErrorKind::NotSent,
            format!(
                "no connection to {}: it is being dialed again",
                self.location
            ),
        )
    }

    /// Takes one more line out of the source, and puts it in the place of those that broke.
    pub(crate) async fn add_line(&self) -> Result<(), Fault> {
        let mut lines = Vec::clone(&self.lines.load());
        lines.retain(|line| line.health().is_good());
        let deadline = self.limits.connect_deadline;
        let line = self.source.line(&lines, deadline, &self.supervisor).await?;
        lines.push(line);
        self.lines.store(Arc::new(lines));
        self.set_down(false);
        Ok(())
    }

    /// Tells those who wait whether there is something to wait for.
    pub(super) fn set_down(&self, down: bool) {
        let was = self.down.swap(down, Ordering::AcqRel);
        self.changed.notify_waiters();
        if was != down {
            metrics::gauge!("larder_redis_breaker_open", "server" => self.location.clone())
                .set(if down { 1.0 } else { 0.0 });
        }
    }
}
