use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;

use crate::program::{Call, Calls, Programs};
use crate::{Key, Namespace, Result, Timestamp};

pub(super) struct PrefixedPrograms {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<dyn Programs>,
}

#[async_trait]
impl Programs for PrefixedPrograms {
    fn call_now(&self, key: &Key, call: &mut dyn Call) -> Poll<Result<()>> {
        self.inner.call_now(&key.within(&self.namespace), call)
    }

    fn now(&self) -> Option<Timestamp> {
        self.inner.now()
    }

    fn timeout(&self) -> Option<Duration> {
        self.inner.timeout()
    }

    async fn call(&self, key: &Key, call: &mut dyn Call) -> Result<()> {
        self.inner.call(&key.within(&self.namespace), call).await
    }

    async fn call_many<'a>(&self, calls: Calls<'a>) -> Vec<Result<()>> {
        let keys: Vec<_> = calls
            .iter()
            .map(|(key, _)| key.within(&self.namespace))
            .collect();
        let mut inner: Calls<'_> = Vec::with_capacity(keys.len());
        for (key, (_, call)) in keys.iter().zip(calls) {
            inner.push((key, call));
        }
        self.inner.call_many(inner).await
    }
}
