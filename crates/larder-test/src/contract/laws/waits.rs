use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larder_store::program::Record;
use larder_store::wait::{Waiter, Waits, Wake};
use larder_store::{ErrorKind, Key, Refusal, StoreExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::scene::{LONG, Scene, is_error};
use super::{Outcome, Violation};
use crate::contract::records::{ReadTally, Ring, Tally};

/// The time within which a waiter must be woken.
const SOON: Duration = Duration::from_secs(10);

/// The time for which a law watches that a waiter is not woken.
const WHILE: Duration = Duration::from_millis(300);

const RING: Ring = Ring {
    wakes: true,
    ttl: LONG,
};

pub(super) async fn a_wake_reaches_a_waiter(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let waiter = waiting(at.waiter(&key).await?).await;
    at.ring(&key).await?;
    joined(waiter, "a waiter").await?;
    Ok(())
}

pub(super) async fn a_wake_before_a_waiter_asks_is_not_lost(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiter = at.waiter(&key).await?;
    at.ring(&key).await?;
    is_woken(&mut waiter, "a waiter that asks after the wake").await
}

pub(super) async fn a_wake_reaches_all_waiters(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiters = Vec::new();
    for _ in 0..16 {
        waiters.push(at.waiter(&key).await?);
    }
    at.ring(&key).await?;
    for waiter in &mut waiters {
        is_woken(waiter, "one of 16 waiters").await?;
    }
    Ok(())
}

pub(super) async fn a_waiter_is_woken_each_time(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiter = at.waiter(&key).await?;
    for _ in 0..3 {
        at.ring(&key).await?;
        is_woken(&mut waiter, "a waiter that was woken before").await?;
    }
    Ok(())
}

pub(super) async fn a_wake_is_over_once_a_waiter_has_it(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiter = at.waiter(&key).await?;
    at.ring(&key).await?;
    is_woken(&mut waiter, "a waiter").await?;
    is_not_woken(&mut waiter, "a waiter that has had its wake").await
}

pub(super) async fn a_step_without_a_wake_wakes_no_waiter(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiter = at.waiter(&key).await?;
    let quiet = Ring {
        wakes: false,
        ttl: LONG,
    };
    at.programs()?.run(&key, &quiet).await?;
    is_not_woken(&mut waiter, "a waiter after a step that does not wake").await
}

pub(super) async fn a_wake_of_another_record_wakes_no_waiter(at: Scene<'_>) -> Outcome {
    let mut waiter = at.waiter(&at.tally(0)).await?;
    let _other = at.waiter(&at.tally(1)).await?;
    at.ring(&at.tally(1)).await?;
    is_not_woken(&mut waiter, "a waiter for another record").await
}

pub(super) async fn a_woken_waiter_sees_the_changes_of_the_step(at: Scene<'_>) -> Outcome {
    for round in 0..20 {
        let (key, programs) = (at.tally(round), at.programs()?);
        let waiter = waiting(at.waiter(&key).await?).await;
        let looked = tokio::spawn(async move {
            joined(waiter, "a waiter").await?;
            let count = programs.run(&key, &ReadTally).await?;
            ensure_eq!(count, Some(1), "the count that a woken waiter reads");
            Ok(())
        });
        at.ring(&at.tally(round)).await?;
        let looked = looked.await;
        looked
            .map_err(|error| Violation::new(format!("the task of a waiter failed: {error}")))??;
    }
    Ok(())
}

pub(super) async fn a_step_among_others_wakes(at: Scene<'_>) -> Outcome {
    let keys = [0, 1].map(|id| at.tally(id));
    let mut waiters = Vec::new();
    for key in &keys {
        waiters.push(at.waiter(key).await?);
    }
    let steps = keys.map(|key| (key, RING));
    for count in at.programs()?.run_many(&steps).await {
        count?;
    }
    for waiter in &mut waiters {
        is_woken(waiter, "a waiter after run_many").await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_waiter_takes_no_wake(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    for _ in 0..2 {
        let mut staying = at.waiter(&key).await?;
        drop(at.waiter(&key).await?);
        at.ring(&key).await?;
        is_woken(&mut staying, "the waiter that stayed").await?;
        drop(staying);
        // This wake reaches no waiter, and the next one must still reach later waiters.
        at.ring(&key).await?;
    }
    Ok(())
}

pub(super) async fn a_dropped_wait_loses_no_wake(at: Scene<'_>) -> Outcome {
    let key = at.tally(0);
    let mut waiter = at.waiter(&key).await?;
    {
        let mut next = waiter.next();
        let polled = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
        ensure!(polled.is_pending(), "a waiter without a wake: it was woken");
    }
    at.ring(&key).await?;
    is_woken(&mut waiter, "a waiter that waits again").await
}

pub(super) async fn only_records_are_waited_for(at: Scene<'_>) -> Outcome {
    let waits = at.waits()?;
    let answer = waits.wait_for(&at.key("film")).await.map(|_| ());
    let wrong_type = ErrorKind::Refused(Refusal::WrongType);
    is_error(answer, wrong_type, "a wait for a value")
}

impl Scene<'_> {
    fn waits(&self) -> Outcome<Arc<dyn Waits>> {
        Ok(self.store.clone().require_waits("a law")?)
    }

    async fn waiter(&self, key: &Key) -> Outcome<Box<dyn Waiter>> {
        Ok(self.waits()?.wait_for(key).await?)
    }

    fn tally(&self, id: u64) -> Key {
        Key::new(Tally::KIND, (self.run, id))
    }

    async fn ring(&self, key: &Key) -> Outcome {
        self.programs()?.run(key, &RING).await?;
        Ok(())
    }
}

/// Starts a task that waits, and returns once it waits.
async fn waiting(mut waiter: Box<dyn Waiter>) -> JoinHandle<Outcome> {
    let mut waiting = Box::pin(async move { is_woken(&mut waiter, "a waiter").await });
    let begun = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx))).await;
    tokio::spawn(async move {
        match begun {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => waiting.await,
        }
    })
}

async fn joined(waiter: JoinHandle<Outcome>, what: &str) -> Outcome {
    let outcome = waiter.await;
    outcome.map_err(|error| Violation::new(format!("{what}: {error}")))?
}

async fn is_woken(waiter: &mut Box<dyn Waiter>, what: &str) -> Outcome {
    let woken = async { while waiter.next().await != Wake::Woken {} };
    let woken = timeout(SOON, woken).await;
    woken.map_err(|_| Violation::new(format!("{what}: not woken after {SOON:?}")))
}

async fn is_not_woken(waiter: &mut Box<dyn Waiter>, what: &str) -> Outcome {
    let woken = async { while waiter.next().await != Wake::Woken {} };
    ensure!(timeout(WHILE, woken).await.is_err(), "{what}: it was woken");
    Ok(())
}
