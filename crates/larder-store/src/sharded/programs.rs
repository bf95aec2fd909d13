use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use super::Shards;
use super::together::{merge, split, together};
use crate::program::{Call, Calls, Programs};
use crate::{Key, Result, Timestamp};

pub(super) struct ShardedPrograms {
    pub(super) shards: Arc<Shards>,
    pub(super) inner: Vec<Arc<dyn Programs>>,
}

impl ShardedPrograms {
    fn of(&self, key: &Key) -> &dyn Programs {
        &*self.inner[self.shards.number_of(key)]
    }
}

#[async_trait]
impl Programs for ShardedPrograms {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        self.of(key).call_now(key, call)
    }

    /// Returns the time of the first shard, if all know theirs.
    fn now(&self) -> Option<Timestamp> {
        let times: Option<Vec<_>> = self.inner.iter().map(|shard| shard.now()).collect();
        times?.into_iter().next()
    }

    /// Returns the longest timeout of all shards, if each has one.
    fn timeout(&self) -> Option<Duration> {
        let timeouts: Option<Vec<_>> = self.inner.iter().map(|shard| shard.timeout()).collect();
        timeouts?.into_iter().max()
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.of(key).call(key, call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let items = calls.len();
        let parts = split(self.inner.len(), calls, |(key, _)| {
            self.shards.number_of(key)
        });
        let runs = parts.into_iter().map(|(shard, places, calls)| async move {
            (places, self.inner[shard].call_many(calls).await)
        });
        merge(items, "run", together(runs.collect()).await)
    }
}
