use std::sync::Arc;

use tokio::sync::Semaphore;

/// A point where tasks stop until the test lets them pass.
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

    /// Reports that the task has arrived, and waits.
    pub(crate) async fn pass(&self) {
        self.0.arrived.add_permits(1);
        self.0.open.acquire().await.unwrap().forget();
    }

    /// Waits until one more task has arrived.
    pub(crate) async fn arrived(&self) {
        self.0.arrived.acquire().await.unwrap().forget();
    }

    /// Lets one task pass.
    pub(crate) fn open(&self) {
        self.0.open.add_permits(1);
    }
}
