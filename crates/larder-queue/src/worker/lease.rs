use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use larder_store::{Result, Ttl};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::settle::in_time;
use crate::{MAX_BATCH, MAX_DELAY, Queue, Receipt, Settled};

/// The lease of a job that runs, and its end by this process's own clock.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) receipt: Receipt,
    ends: watch::Sender<Instant>,
    /// From then on it is not renewed.
    renewed_until: Instant,
    /// Held while the store is asked to extend it: the last answer is then that of the last request.
    turn: Mutex<()>,
}

impl Lease {
    pub(super) fn new(receipt: Receipt, ends: Instant, renewed_until: Instant) -> Self {
        Self {
            receipt,
            ends: watch::Sender::new(ends),
            renewed_until,
            turn: Mutex::const_new(()),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        Instant::now() >= self.ends()
    }

    fn ends(&self) -> Instant {
        *self.ends.borrow()
    }

    /// Waits until the lease is lost, by this process's own clock, whatever becomes of the store.
    pub(super) fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ends = self.ends.subscribe();
        async move {
            loop {
                let end = *ends.borrow_and_update();
                if Instant::now() >= end {
                    return;
                }
                tokio::select! {
                    () = sleep_until(end) => {}
                    changed = ends.changed() => {
                        if changed.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Takes over the answer to an extension that was asked for at `started`.
    pub(super) fn extended(&self, answer: Settled, started: Instant, by: Duration) {
        let end = match answer {
            Settled::Accepted => started + by,
            _ => Instant::now(),
        };
        self.ends.send_replace(end);
    }
}

/// The leases of a queue that are renewed while their jobs run.
pub(super) struct Renewals {
    queue: Queue,
    running: std::sync::Mutex<HashMap<Receipt, Entry>>,
    changed: Notify,
}

struct Entry {
    lease: Arc<Lease>,
    /// Not before then, since the last try failed.
    pause_until: Option<Instant>,
}

impl Renewals {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            running: std::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(super) fn add(&self, lease: Arc<Lease>) {
        let entry = Entry {
            lease: lease.clone(),
            pause_until: None,
        };
        self.lock().insert(lease.receipt.clone(), entry);
        self.changed.notify_one();
    }

    pub(super) fn remove(&self, lease: &Lease) {
        self.lock().remove(&lease.receipt);
    }

    /// Renews leases at a third of their time, in batches, for as long as it is polled.
    pub(super) async fn run(&self) {
        let lease = Duration::from(self.queue.lease());
        loop {
            let (due, next) = self.due(lease);
            if due.is_empty() {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_or_wait(next) => {}
                }
                continue;
            }
            for batch in due.chunks(MAX_BATCH) {
                self.renew(batch, lease).await;
            }
        }
    }

    /// The leases that are due for a renewal, and when the next one is.
    fn due(&self, lease: Duration) -> (Vec<Arc<Lease>>, Option<Instant>) {
        let now = Instant::now();
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        for entry in self.lock().values() {
            let end = entry.lease.ends();
            // One that is lost or may last no longer ends by itself.
            if now >= end || now >= entry.lease.renewed_until {
                continue;
            }
            let mut at = end.checked_sub(lease * 2 / 3).unwrap_or(now);
            at = at.max(entry.pause_until.unwrap_or(at));
            match at <= now {
                true => due.push(entry.lease.clone()),
                false => next = Some(next.map_or(at, |next| next.min(at))),
            }
        }
        (due, next)
    }

    async fn renew(&self, leases: &[Arc<Lease>], time: Duration) {
        let (mut turns, mut renewed, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for lease in leases {
            match lease.turn.try_lock() {
                Ok(turn) => {
                    turns.push(turn);
                    renewed.push(lease);
                }
                // Its handler extends it just now.
                Err(_) => later.push(lease),
            }
        }
        let receipts = renewed.iter().map(|lease| lease.receipt.clone());
        let receipts: Vec<_> = receipts.collect();
        let started = Instant::now();
        match in_time(self.queue.extend_many(&receipts, self.queue.lease())).await {
            Ok(answers) => {
                for (lease, answer) in renewed.iter().zip(answers) {
                    lease.extended(answer, started, time);
                }
            }
            // They are held until their ends, whatever the store says: try again while they are.
            Err(_) => later.extend(renewed),
        }
        let pause = Instant::now() + (time / 12).max(Duration::from_millis(1));
        let mut running = self.lock();
        for lease in later {
            if let Some(entry) = running.get_mut(&lease.receipt) {
                entry.pause_until = Some(pause);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Receipt, Entry>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sleep_or_wait(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Extends one lease, as a handler asks for it.
pub(super) async fn extend(queue: &Queue, lease: &Lease, by: Ttl) -> Result<Settled> {
    // The queue would take a longer one for this.
    let by = by.min(Ttl::from_secs(MAX_DELAY.as_secs()));
    let _turn = lease.turn.lock().await;
    let started = Instant::now();
    let answer = in_time(queue.extend(&lease.receipt, by)).await?;
    lease.extended(answer, started, by.into());
    Ok(answer)
}
