//! One that claims, makes values, is slow now and then, and commits.

use std::sync::Arc;
use std::time::Duration;

use larder_store::lease::{Claim, Claimed, Fence, Leases};
use larder_store::{ErrorKind, Key, Kind, Put, PutOutcome, Store, Ttl, Version};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::event::{Event, What, now};
use super::{Crew, contend};

const NOTE: Kind = Kind::evictable("note");

/// The time that a lease is held. Making a value takes up to twice as long.
const HOLD: Ttl = Ttl::from_millis(300);

/// The way to write a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commits {
    /// By a commit with the fence.
    Fenced,
    /// By a plain put, to show that the checker notices it.
    Unfenced,
}

/// Tasks on a store of their own, until the time is over; gives what they did.
pub async fn work(crew: &Crew, keys: u32, commits: Commits) -> Vec<Event> {
    let until = Instant::now() + crew.time;
    let task = |store: Arc<dyn Store>, random| {
        let worker = Worker {
            leases: store.clone().leases().expect("leases"),
            store,
            random,
            commits,
            done: Vec::new(),
        };
        worker.run(keys, until)
    };
    contend(crew, task).await
}

struct Worker {
    store: Arc<dyn Store>,
    leases: Arc<dyn Leases>,
    random: fastrand::Rng,
    commits: Commits,
    done: Vec<Event>,
}

impl Worker {
    async fn run(mut self, keys: u32, until: Instant) -> Vec<Event> {
        while Instant::now() < until {
            let number = self.random.u32(..keys);
            let key = Key::new(NOTE, number);
            if self.random.u8(..20) == 0 {
                self.invalidate(number, &key).await;
                continue;
            }
            let seen = self.read(number, &key).await;
            self.lead(number, &key, seen).await;
        }
        self.done
    }

    async fn read(&mut self, number: u32, key: &Key) -> Option<Version> {
        let began = now();
        let entry = self.store.get(key).await.ok()??;
        let fence = std::str::from_utf8(&entry.value).ok()?.parse().ok()?;
        self.note(number, began, What::Read(fence));
        Some(entry.version)
    }

    async fn lead(&mut self, number: u32, key: &Key, seen: Option<Version>) {
        let mut claim = Claim::new(key.clone(), HOLD);
        if let Some(seen) = seen {
            claim = claim.having_seen(seen);
        }
        let began = now();
        match self.leases.claim(&claim).await {
            Ok(Claimed::Lead(fence)) => {
                self.note(number, began, What::Lead(fence.as_u64()));
                let longest = 2 * HOLD.as_millis();
                sleep(Duration::from_millis(self.random.u64(..longest))).await;
                self.commit(number, key, fence).await;
            }
            Ok(Claimed::Follow) => {
                // Whoever fails to wait asks again.
                let _ = self.leases.follow(key, HOLD.into()).await;
            }
            _ => sleep(Duration::from_millis(20)).await,
        }
    }

    async fn commit(&mut self, number: u32, key: &Key, fence: Fence) {
        let number_of = fence.as_u64();
        let put = Put::new(key.clone(), number_of.to_string(), Ttl::from_secs(60));
        let began = now();
        let done = match self.commits {
            Commits::Fenced => self.leases.commit(&put, fence).await,
            Commits::Unfenced => self.store.put(&put).await,
        };
        let what = match done {
            Ok(PutOutcome::Stored) => What::Commit(number_of),
            Ok(PutOutcome::NotStored) => What::Refused(number_of),
            Err(error) if error.kind() == ErrorKind::MayHaveRun => What::Lost(number_of),
            Err(_) => return,
        };
        self.note(number, began, what);
    }

    async fn invalidate(&mut self, number: u32, key: &Key) {
        let began = now();
        if self.leases.invalidate(key).await.is_ok() {
            self.note(number, began, What::Invalidate);
        }
    }

    fn note(&mut self, key: u32, began: u64, what: What) {
        let ended = now();
        self.done.push(Event {
            key,
            began,
            ended,
            what,
        });
    }
}
