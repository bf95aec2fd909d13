use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Args, Call, Cell, Record, Script, Wire};
use larder_store::wait::{Waiter, Waiters, Waits, Wake};
use larder_store::{Key, Kind, Result, Timestamp};
use tokio::task::yield_now;

use super::{BrokenStore, Fault};
use crate::contract::records::Tally;

impl BrokenStore {
    fn waiters(&self) -> &Arc<Waiters> {
        &self.model.waiters
    }

    /// Runs a call, with the faults of wakes.
    pub(super) async fn call_and_wake(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        let rings = call.script().name() == "law-ring";
        let is_deaf = self.memory.lock().deaf.contains(key.as_str());
        let wakes = match self.fault {
            Some(Fault::WakesBeforeTheStep) if rings => {
                self.waiters().wake(key);
                yield_now().await;
                false
            }
            Some(Fault::WakesNobody) => false,
            Some(Fault::EveryStepWakes) => true,
            _ if is_deaf => false,
            _ => {
                self.call_once(key, call).await?;
                if self.has(Fault::WakesEverybody) && call.wakes() {
                    let waited_for = self.memory.lock().waited_for.clone();
                    waited_for.iter().for_each(|key| self.waiters().wake(key));
                }
                return Ok(());
            }
        };
        self.call_once(key, &mut Waking { call, wakes }).await
    }
}

/// A call that wakes or does not wake, whatever its program says.
pub(super) struct Waking<'a> {
    pub(super) call: &'a mut dyn Call,
    pub(super) wakes: bool,
}

impl Call for Waking<'_> {
    fn kind(&self) -> Kind {
        self.call.kind()
    }

    fn parts(&self) -> &'static [&'static str] {
        self.call.parts()
    }

    fn script(&self) -> &'static Script {
        self.call.script()
    }

    fn args(&self, args: &mut Args) {
        self.call.args(args);
    }

    fn step(&mut self, cell: &mut Cell, now: Timestamp) -> Result<()> {
        self.call.step(cell, now)
    }

    fn wakes(&self) -> bool {
        self.wakes
    }

    fn reply(&mut self, wire: Wire) -> Result<()> {
        self.call.reply(wire)
    }
}

#[async_trait]
impl Waits for BrokenStore {
    async fn wait_for(&self, key: &Key) -> Result<Box<dyn Waiter>> {
        let nobody = Key::new(Tally::KIND, "nobody");
        let is_first = {
            let mut memory = self.memory.lock();
            let is_first = !memory.waited_for.contains(key);
            memory.waited_for.push(key.clone());
            is_first
        };
        let registered = match self.fault {
            Some(Fault::WakesOne) if !is_first => self.waiters().wait_for(&nobody),
            Some(Fault::WaitsForValues) => match self.waiters().wait_for(key) {
                Err(_) => self.waiters().wait_for(&nobody),
                registered => registered,
            },
            _ => self.waiters().wait_for(key),
        };
        Ok(Box::new(BrokenWaiter {
            inner: registered?,
            fault: self.fault,
            times: 0,
            was_dropped: false,
            on_drop: self
                .has(Fault::LeavingTakesWakes)
                .then(|| (self.memory.clone(), key.as_str().to_owned())),
        }))
    }
}

struct BrokenWaiter {
    inner: Box<dyn Waiter>,
    fault: Option<Fault>,
    /// The number of waits so far.
    times: usize,
    was_dropped: bool,
    on_drop: Option<(Arc<parking_lot::Mutex<super::Memory>>, String)>,
}

#[async_trait]
impl Waiter for BrokenWaiter {
    async fn next(&mut self) -> Wake {
        self.times += 1;
        match self.fault {
            Some(Fault::EarlyWakesAreLost) if self.times == 1 => {
                // Takes an earlier wake, and drops it.
                let mut next = self.inner.next();
                let early = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
                match early {
                    Poll::Ready(_) => {}
                    Poll::Pending => return next.await,
                }
            }
            Some(Fault::WakesOnce) if self.times > 1 => pending().await,
            Some(Fault::WakesForEver) if self.times > 1 => return Wake::Woken,
            Some(Fault::DroppedWaitsLoseWakes) => {
                if std::mem::replace(&mut self.was_dropped, true) {
                    let _ = self.inner.next().await;
                }
                let wake = self.inner.next().await;
                self.was_dropped = false;
                return wake;
            }
            _ => {}
        }
        self.inner.next().await
    }
}

impl Drop for BrokenWaiter {
    fn drop(&mut self) {
        if let Some((memory, key)) = self.on_drop.take() {
            memory.lock().deaf.insert(key);
        }
    }
}
