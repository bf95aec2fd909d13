//! Consumers that run.

use std::sync::Arc;

use larder_events::log::{Consumer, Event, EventError, Report};
use larder_worlds::soon;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// A consumer that runs, and what ends it.
pub(crate) struct Running {
    stop: Arc<Notify>,
    report: JoinHandle<Report>,
}

impl Running {
    pub(crate) fn start<R>(
        consumer: Consumer<u32>,
        handler: impl Fn(Event<u32>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = Result<(), EventError>> + Send + 'static,
    {
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let stopped = async move { stopped.notified().await };
        let report = tokio::spawn(async move { consumer.run_until(stopped, handler).await });
        Self { stop, report }
    }

    /// Starts one that sends each event to `seen` and handles it once `release` is notified.
    pub(crate) fn held(
        consumer: Consumer<u32>,
        seen: UnboundedSender<u32>,
        release: Arc<Notify>,
    ) -> Self {
        Self::start(consumer, move |event| {
            let release = release.clone();
            seen.send(event.event).unwrap();
            async move {
                release.notified().await;
                Ok(())
            }
        })
    }

    /// Tells it to stop.
    pub(crate) fn tell(&self) {
        self.stop.notify_one();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.report.is_finished()
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) -> Report {
        self.tell();
        soon(self.report).await.unwrap()
    }
}

/// Makes the report with the counts that are set, and zero for the others.
pub(crate) fn reported(set: impl FnOnce(&mut Report)) -> Report {
    let mut report = Report::default();
    set(&mut report);
    report
}
