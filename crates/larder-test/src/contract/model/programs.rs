use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Cell, Programs};
use larder_store::{Clock, Content, Key, Result, Timestamp};

use super::{Held, ModelStore, Stored, deadline};

impl ModelStore {
    fn step(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        key.require(Content::Record, "run")?;
        self.with_slot(key, |slot, now| {
            let (mut cell, mut end) = match slot.take() {
                Some(Held {
                    content: Stored::Record(cell),
                    deadline,
                }) => (cell, deadline),
                _ => (Cell::new(), now),
            };
            let done = call.step(&mut cell, now);
            if let Some(ttl) = cell.take_ttl() {
                end = deadline(now, ttl);
            }
            if !cell.is_empty() {
                *slot = Some(Held {
                    content: Stored::Record(cell),
                    deadline: end,
                });
            }
            done
        })?;
        if call.wakes() {
            self.waiters.wake(key);
        }
        Ok(())
    }
}

#[async_trait]
impl Programs for ModelStore {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        Poll::Ready(self.step(key, call))
    }

    fn now(&self) -> Option<Timestamp> {
        Some(self.clock.now())
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.step(key, call)
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        calls
            .into_iter()
            .map(|(key, call)| self.step(key, call))
            .collect()
    }
}
