use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use larder_store::program::{Call, Calls, Programs};
use larder_store::{Key, Result, Timestamp};

use super::{Operations, Switch, meet, meet_many};

/// The programs of a faulty store.
pub(super) struct FaultyPrograms {
    pub(super) switch: Switch,
    pub(super) inner: Arc<dyn Programs>,
}

#[async_trait]
impl Programs for FaultyPrograms {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        if !self.switch.is_quiet(Operations::Programs) {
            return Poll::Pending;
        }
        let done = self.inner.call_now(key, call);
        if done.is_ready() {
            self.switch.count();
        }
        done
    }

    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        let trouble = self.switch.begin(Operations::Programs);
        meet(trouble, "run", self.inner.call(key, call)).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let trouble = self.switch.begin(Operations::Programs);
        meet_many(trouble, "run", calls.len(), self.inner.call_many(calls)).await
    }
}
