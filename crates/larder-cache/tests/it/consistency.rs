//! The whole rule, across processes: no read returns a value that is older than an acknowledged
//! invalidation, and no older value stays cached.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_cache::Cache;
use larder_store::Kind;
use larder_test::faulty::{Faulty, Trouble};

use crate::support::{MINUTE, World, on_both_stores};

const COUNT: Kind = Kind::evictable("count");
const KEYS: usize = 3;
const PROCESSES: usize = 3;

type Counts = Cache<u32, u64>;

/// The source: a number for each key that tasks change, and the last number that was acknowledged.
#[derive(Default)]
struct Truth {
    now: [AtomicU64; KEYS],
    acknowledged: [AtomicU64; KEYS],
}

impl Truth {
    async fn change(&self, counts: &Counts, key: usize, inserts: bool) {
        let written = self.now[key].fetch_add(1, Ordering::SeqCst) + 1;
        let id = key as u32;
        match inserts {
            true => counts.insert(id, written).await.unwrap(),
            false => counts.remove(&id).await.unwrap(),
        }
        self.acknowledged[key].fetch_max(written, Ordering::SeqCst);
    }

    async fn read(self: &Arc<Self>, counts: &Counts, key: usize) -> u64 {
        let truth = self.clone();
        let load = || async move {
            let read = truth.now[key].load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(read)
        };
        *counts.get_or_load(&(key as u32), load).await.unwrap()
    }
}

/// Lets three processes read and change three keys. Some answers of the store are late.
async fn race(world: &World, keeps_near: bool) -> (Arc<Truth>, Vec<Counts>) {
    let truth = Arc::new(Truth::default());
    let mut processes = Vec::new();
    let mut tasks = Vec::new();
    for process in 0..PROCESSES {
        let store = Faulty::new(world.store.clone());
        let switch = store.switch();
        let builder = Cache::builder(COUNT, MINUTE)
            .with_store_timeout(Duration::from_secs(20))
            .with_far(Arc::new(store));
        let counts = match keeps_near {
            true => builder,
            false => builder.without_near(),
        };
        let counts: Counts = counts.build().unwrap();
        processes.push(counts.clone());
        for task in 0..3 {
            let (counts, truth, switch) = (counts.clone(), truth.clone(), switch.clone());
            tasks.push(tokio::spawn(async move {
                for step in 0..120 {
                    let key = (process + task * 7 + step) % KEYS;
                    match (process + task + step) % 11 {
                        0 | 5 => truth.change(&counts, key, false).await,
                        9 => switch.set_next(2, Trouble::Delay(Duration::from_millis(3))),
                        _ => {
                            let least = truth.acknowledged[key].load(Ordering::SeqCst);
                            let seen = truth.read(&counts, key).await;
                            assert!(
                                keeps_near || seen >= least,
                                "saw {seen} after {least} was acknowledged"
                            );
                        }
                    }
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    (truth, processes)
}

on_both_stores! { Real;
    async fn without_near_tiers_nothing_older_than_an_acknowledged_removal_is_read(world: World) {
        race(&world, false).await;
    }

    async fn with_near_tiers_every_process_comes_to_the_last_value(world: World) {
        let (truth, processes) = race(&world, true).await;
        for key in 0..KEYS {
            truth.change(&processes[0], key, key == 1).await;
            let last = truth.now[key].load(Ordering::SeqCst);
            for counts in &processes {
                crate::support::until_ready("it reads the last value", || async {
                    truth.read(counts, key).await == last
                })
                .await;
            }
        }
    }
}
