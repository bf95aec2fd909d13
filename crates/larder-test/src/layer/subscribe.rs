//! Gives a test the log lines and spans of its own thread.

use std::sync::LazyLock;

use tracing::subscriber::{DefaultGuard, NoSubscriber, set_default};
use tracing::{Dispatch, Subscriber};

/// Sends what this thread logs to `subscriber` until the guard is dropped, and misses nothing.
///
/// `tracing` keeps for each log line whether anybody wants it. While a process has a single subscriber, it asks only
/// the thread that reaches the line first: if that thread is of another test, which has no subscriber, the answer is
/// no, for all threads. With a second subscriber it asks all of them, so this function keeps one that wants nothing.
pub fn subscribe(subscriber: impl Subscriber + Send + Sync + 'static) -> DefaultGuard {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    LazyLock::force(&SECOND);
    set_default(subscriber)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    #[derive(Clone, Default)]
    struct Count(Arc<AtomicU32>);

    impl Subscriber for Count {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_line_that_another_thread_reached_first_is_heard() {
        let line = || tracing::info!("a line");
        let count = Count::default();
        let _guard = super::subscribe(count.clone());
        std::thread::spawn(line).join().unwrap();
        line();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
