use std::sync::Arc;

use tokio::sync::Semaphore;

/// A point that tasks stop at until the test lets them on.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Inner>);

struct Inner {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(Arc::new(Inner {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        }))
    }

    /// What a task does: says that it is here, and waits.
    pub(crate) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        self.0.open.acquire().await.unwrap().forget();
    }

    /// Waits until one more task is here.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one task on.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(1);
    }
}
