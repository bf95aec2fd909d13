use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use larder_store::{Result, Ttl};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::pauses::sleep_or_never;
use super::progress::{Report, Reports};
use crate::new_job::micros;
use crate::{MAX_BATCH, MAX_DELAY, Queue, Receipt, Settled, Verdict};

/// The lease of a running job, and its end by this process's own clock.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) receipt: Receipt,
    ends: watch::Sender<Instant>,
    /// Whether the queue has answered that it is lost, which no answer to an earlier request takes back.
    is_gone: AtomicBool,
    /// After this it is no longer renewed.
    renewed_until: Instant,
    reports: Reports,
    /// Held while the store is asked to extend it: so the last answer is that of the last request.
    turn: Mutex<()>,
}

impl Lease {
    /// Keeps the progress of the job, to be sent soon. It replaces any text that was not sent yet.
    pub(super) fn report(&self, text: String) {
        self.reports.keep(text);
    }

    pub(super) fn is_lost(&self) -> bool {
        Instant::now() >= self.ends()
    }

    fn ends(&self) -> Instant {
        *self.ends.borrow()
    }

    /// Waits until the lease is lost, by this process's own clock, whatever happens to the store.
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

    /// Applies the answer to an extension that was requested at `started`.
    pub(super) fn extended(&self, answer: Settled, started: Instant, by: Duration) {
        match answer {
            Settled::Accepted => self.ends.send_if_modified(|ends| {
                let is_held = !self.is_gone.load(Ordering::Relaxed);
                if is_held {
                    *ends = started + by;
                }
                is_held
            }),
            _ => self.lose(),
        };
    }

    /// Ends the lease: the queue answers that it is lost.
    fn lose(&self) -> bool {
        self.ends.send_if_modified(|ends| {
            *ends = Instant::now();
            self.is_gone.store(true, Ordering::Relaxed);
            true
        })
    }
}

/// The leases of a queue that are renewed while their jobs run.
pub(super) struct Renewals {
    queue: Queue,
    running: std::sync::Mutex<Running>,
    /// Notified when a lease is due before the others.
    changed: Notify,
    /// Notified when a job has reported.
    reported: Arc<Notify>,
}

#[derive(Default)]
struct Running {
    leases: HashMap<Receipt, Entry>,
    /// When the next lease is due, by the last look. None if there was none.
    next: Option<Instant>,
}

struct Entry {
    lease: Arc<Lease>,
    /// Not before this, because the last attempt failed.
    pause_until: Option<Instant>,
}

impl Renewals {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            running: std::sync::Mutex::default(),
            changed: Notify::new(),
            reported: Arc::default(),
        }
    }

    /// Makes the lease of a job that is about to run.
    pub(super) fn lease(
        &self,
        receipt: Receipt,
        ends: Instant,
        renewed_until: Instant,
    ) -> Arc<Lease> {
        Arc::new(Lease {
            receipt,
            ends: watch::Sender::new(ends),
            is_gone: AtomicBool::new(false),
            renewed_until,
            reports: Reports::new(self.reported.clone()),
            turn: Mutex::const_new(()),
        })
    }

    pub(super) fn add(&self, lease: Arc<Lease>) {
        let at = renewal_of(lease.ends(), self.queue.lease().into());
        let entry = Entry {
            lease: lease.clone(),
            pause_until: None,
        };
        let mut running = self.lock();
        running.leases.insert(lease.receipt.clone(), entry);
        // Checking all leases whenever a job begins would cost more than the job.
        let is_next = running.next.is_none_or(|next| at < next);
        if is_next {
            running.next = Some(at);
            self.changed.notify_one();
        }
    }

    pub(super) fn remove(&self, lease: &Lease) {
        self.lock().leases.remove(&lease.receipt);
    }

    /// Renews leases at a third of their time and sends reports, for as long as it is polled.
    ///
    /// There is one request of each sort at a time, and none waits for the other.
    pub(super) async fn run(&self) {
        join(self.renew_leases(), self.send_all_reports()).await;
    }

    async fn renew_leases(&self) {
        let lease = Duration::from(self.queue.lease());
        loop {
            let (due, next) = self.due_leases(lease);
            if due.is_empty() {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = sleep_or_never(next) => {}
                }
            }
            for batch in due.chunks(MAX_BATCH) {
                self.renew(batch, lease).await;
            }
        }
    }

    async fn send_all_reports(&self) {
        loop {
            let (due, next) = self.due_reports();
            if due.is_empty() {
                tokio::select! {
                    () = self.reported.notified() => {}
                    () = sleep_or_never(next) => {}
                }
            }
            for batch in due.chunks(MAX_BATCH) {
                self.send_reports(batch).await;
            }
        }
    }

    /// Returns the leases that are due now, and when the next one is.
    fn due_leases(&self, lease: Duration) -> (Vec<Arc<Lease>>, Option<Instant>) {
        let now = Instant::now();
        let (mut due, mut next) = (Vec::new(), None);
        let mut running = self.lock();
        for Entry {
            lease: it,
            pause_until,
        } in running.leases.values()
        {
            let end = it.ends();
            // A lease that must not be renewed any more ends by itself.
            if now >= end || now >= it.renewed_until {
                continue;
            }
            let at = renewal_of(end, lease);
            let at = at.max(pause_until.unwrap_or(at));
            match at <= now {
                true => due.push(it.clone()),
                false => next = earlier(next, at),
            }
        }
        running.next = next;
        (due, next)
    }

    /// Takes the reports that are due now, and returns when the next one is.
    fn due_reports(&self) -> (Vec<(Arc<Lease>, String)>, Option<Instant>) {
        let now = Instant::now();
        let (mut due, mut next) = (Vec::new(), None);
        let running = self.lock();
        let held = running.leases.values().filter(|it| now < it.lease.ends());
        for Entry { lease, .. } in held {
            match lease.reports.take_at(now) {
                Report::Due(text) => due.push((lease.clone(), text)),
                Report::At(at) => next = earlier(next, at),
                Report::None => {}
            }
        }
        (due, next)
    }

    async fn send_reports(&self, reports: &[(Arc<Lease>, String)]) {
        let verdicts: Vec<_> = reports
            .iter()
            .map(|(lease, text)| {
                let text = text.clone();
                (lease.receipt.clone(), Verdict::Progress { text })
            })
            .collect();
        let settled = self.queue.settle_many(&verdicts);
        match self.queue.in_time(settled).await {
            Ok(answers) => {
                for ((lease, _), answer) in reports.iter().zip(answers) {
                    if answer != Settled::Accepted {
                        lease.lose();
                    }
                }
            }
            // The report is sent again in a second, unless there is a newer one by then.
            Err(_) => {
                for (lease, text) in reports {
                    lease.reports.give_back(text.clone());
                }
            }
        }
    }

    async fn renew(&self, leases: &[Arc<Lease>], time: Duration) {
        let (mut turns, mut renewed, mut later) = (Vec::new(), Vec::new(), Vec::new());
        for lease in leases {
            match lease.turn.try_lock() {
                Ok(turn) => {
                    turns.push(turn);
                    renewed.push(lease);
                }
                // Its handler is just extending it.
                Err(_) => later.push(lease),
            }
        }
        let receipts = renewed.iter().map(|lease| lease.receipt.clone());
        let receipts: Vec<_> = receipts.collect();
        let started = Instant::now();
        let extended = self.queue.extend_many(&receipts, self.queue.lease());
        match self.queue.in_time(extended).await {
            Ok(answers) => {
                for (lease, answer) in renewed.iter().zip(answers) {
                    lease.extended(answer, started, time);
                }
            }
            // The leases are held until their ends, even if the store fails: keep trying until
            // then.
            Err(_) => later.extend(renewed),
        }
        let pause = Instant::now() + (time / 12).max(Duration::from_millis(1));
        let mut running = self.lock();
        for lease in later {
            if let Some(entry) = running.leases.get_mut(&lease.receipt) {
                entry.pause_until = Some(pause);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn earlier(next: Option<Instant>, at: Instant) -> Option<Instant> {
    Some(next.map_or(at, |next| next.min(at)))
}

/// Returns when a lease that ends at `end` is renewed: at a third of its time.
fn renewal_of(end: Instant, time: Duration) -> Instant {
    end.checked_sub(time * 2 / 3).unwrap_or_else(Instant::now)
}

/// Extends one lease, when a handler requests it.
pub(super) async fn extend(queue: &Queue, lease: &Lease, by: Ttl) -> Result<Settled> {
    // The queue would shorten a longer one to this.
    let by = by.min(Ttl::from_secs(MAX_DELAY.as_secs()));
    let _turn = lease.turn.lock().await;
    let started = Instant::now();
    // A shorter one would end before its next renewal, which is scheduled by the current lease.
    let left = lease.ends().saturating_duration_since(started);
    let by = by.max(Ttl::covering_micros(micros(left)));
    let answer = queue.in_time(queue.extend(&lease.receipt, by)).await?;
    lease.extended(answer, started, by.into());
    Ok(answer)
}
