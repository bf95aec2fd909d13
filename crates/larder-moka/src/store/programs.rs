use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Programs};
use larder_store::{Content, Key, Result, Timestamp};

use super::MokaStore;

impl MokaStore {
    fn step(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        key.require(Content::Record, "run")?;
        self.pinned.step(key, call, &*self.clock)?;
        if call.wakes() {
            self.waiters.wake(key);
        }
        Ok(())
    }
}

#[async_trait]
impl Programs for MokaStore {
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
