//! One that takes a lock, is stopped past its lease now and then, and writes.

use std::sync::Arc;
use std::time::Duration;

use larder_store::lease::Fence;
use larder_store::{ErrorKind, Key, Kind, Put, Store, Ttl};
use larder_structures::fenced::{Fenced, FencedPut};
use larder_structures::lock::{Lock, Order, Released};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::leases::{Crew, Event, What, contend, now};

const NOTE: Kind = Kind::pinned("note");

/// How long a lock is held unless it is renewed.
const LEASE: Ttl = Ttl::from_millis(300);

/// How long it is renewed at most. The longest work takes twice as long.
const MAX_HOLD: Duration = Duration::from_millis(600);

const MINUTE: Ttl = Ttl::from_secs(60);

/// How a value is written while a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Writes {
    /// With the fence, as it should be.
    Fenced,
    /// By a plain put, which trusts the lock: to show that the checker notices it.
    Plain,
}

/// Tasks on a store of their own, until the time is over; gives what they did.
pub async fn work(crew: &Crew, keys: u32, writes: Writes) -> Vec<Event> {
    let until = Instant::now() + crew.time;
    let task = |store: Arc<dyn Store>, random| {
        let worker = Worker {
            fenced: Fenced::new(store.clone()).expect("programs"),
            store,
            random,
            writes,
            done: Vec::new(),
        };
        worker.run(keys, until)
    };
    contend(crew, task).await
}

struct Worker {
    store: Arc<dyn Store>,
    fenced: Fenced,
    random: fastrand::Rng,
    writes: Writes,
    done: Vec<Event>,
}

impl Worker {
    async fn run(mut self, keys: u32, until: Instant) -> Vec<Event> {
        while Instant::now() < until {
            let key = self.random.u32(..keys);
            // Half of the locks are given in order.
            let order = match key % 2 {
                0 => Order::Any,
                _ => Order::Fifo,
            };
            let lock = Lock::new(self.store.clone(), key).expect("programs and waits");
            let lock = lock
                .with_lease(LEASE)
                .with_max_hold(MAX_HOLD)
                .with_order(order);
            let began = now();
            let guard = match lock.lock(Duration::from_secs(1)).await {
                Ok(Some(guard)) => guard,
                other => {
                    let what = match other {
                        Ok(_) => What::Busy,
                        Err(_) => What::Failed,
                    };
                    self.note(key, began, what);
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let fence = guard.fence();
            self.note(key, began, What::Lead(fence.as_u64()));
            self.read(key).await;
            // Most work is short; some takes longer than the lock is held, and does not notice.
            let longest = match self.random.u8(..4) {
                0 => 2 * MAX_HOLD,
                _ => LEASE.into(),
            };
            sleep(longest.mul_f64(self.random.f64())).await;
            self.write(key, fence).await;
            self.read(key).await;
            let began = now();
            if let Ok(Released::InTime) = guard.release().await {
                self.note(key, began, What::Release(fence.as_u64()));
            }
        }
        self.done
    }

    async fn write(&mut self, key: u32, fence: Fence) {
        let number = fence.as_u64();
        let began = now();
        let done = match self.writes {
            Writes::Fenced => {
                let put = self
                    .fenced
                    .put(key, fence, number.to_string(), MINUTE)
                    .await;
                put.map(|put| put == FencedPut::Written)
            }
            Writes::Plain => {
                let put = Put::new(Key::new(NOTE, key), number.to_string(), MINUTE);
                self.store.put(&put).await.map(|put| put.is_stored())
            }
        };
        let what = match done {
            Ok(true) => What::Commit(number),
            Ok(false) => What::Refused(number),
            Err(error) if error.kind() == ErrorKind::MayHaveRun => What::Lost(number),
            Err(_) => return,
        };
        self.note(key, began, what);
    }

    /// Notes what is written there: each value is the number of the fence that wrote it.
    async fn read(&mut self, key: u32) {
        let began = now();
        let (fence, value) = match self.writes {
            Writes::Fenced => match self.fenced.get(key).await {
                Ok(Some((fence, value))) => (Some(fence.as_u64()), value),
                _ => return,
            },
            Writes::Plain => match self.store.get(&Key::new(NOTE, key)).await {
                Ok(Some(entry)) => (None, entry.value),
                _ => return,
            },
        };
        let number = std::str::from_utf8(&value).ok();
        let number = number.and_then(|number| number.parse().ok());
        let number = number.expect("a value that was written");
        assert!(
            fence.is_none_or(|fence| fence == number),
            "the value of {number} has the fence {fence:?}"
        );
        self.note(key, began, What::Read(number));
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
