use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_store::Error;
use tokio::time::Instant;

/// How long a store must be free of failures before it counts as recovered.
///
/// Otherwise a store that fails in part, such as in one shard, would fill the log.
const QUIET: Duration = Duration::from_secs(5);

/// Logs once when a store starts to fail, and once when it recovers.
///
/// It has recovered once it answers, and has not failed for five seconds. Clones share their state.
/// Reporting a success costs one relaxed load.
#[derive(Clone)]
pub struct StoreHealth {
    user: Arc<str>,
    state: Arc<State>,
}

struct State {
    is_failing: AtomicBool,
    began: Instant,
    /// When the store failed last, in milliseconds since the start.
    last_failure: AtomicU64,
}

impl StoreHealth {
    /// Makes a log for the store used by `user`, such as `sessions` or `rate limit 'pages'`.
    pub fn new(user: impl Into<Arc<str>>) -> Self {
        Self {
            user: user.into(),
            state: Arc::new(State {
                is_failing: AtomicBool::new(false),
                began: Instant::now(),
                last_failure: AtomicU64::new(0),
            }),
        }
    }

    /// Reports that the store answered.
    pub fn succeeded(&self) {
        let state = &*self.state;
        if state.is_failing.load(Ordering::Relaxed)
            && state.is_quiet()
            && state.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!(user = &*self.user, "the store works again");
        }
    }

    /// Reports that the store failed.
    pub fn failed(&self, error: &Error) {
        let state = &*self.state;
        state.last_failure.store(state.millis(), Ordering::Relaxed);
        if !state.is_failing.swap(true, Ordering::Relaxed) {
            // One line with the texts of all sources, none of which holds a secret.
            tracing::warn!(user = &*self.user, ?error, "the store fails");
        }
    }
}

impl State {
    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_quiet(&self) -> bool {
        let since = self.last_failure.load(Ordering::Relaxed);
        u128::from(self.millis().saturating_sub(since)) >= QUIET.as_millis()
    }
}

impl fmt::Debug for StoreHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHealth")
            .field("user", &self.user)
            .field("is_failing", &self.state.is_failing)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use larder_store::ErrorKind;
    use parking_lot::Mutex;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// The errors that were logged.
    #[derive(Clone, Default)]
    struct Errors(Arc<Mutex<Vec<String>>>);

    impl Visit for &Errors {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "error" {
                self.0.lock().push(format!("{value:?}"));
            }
        }
    }

    impl Subscriber for Errors {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn event(&self, event: &Event<'_>) {
            event.record(&mut &*self);
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn the_log_names_what_caused_a_failure() {
        let errors = Errors::default();
        let _guard = larder_test::subscribe(errors.clone());
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::new("get", ErrorKind::NotSent, "no server").with_source(refused);
        StoreHealth::new("test").failed(&error);
        let logged = errors.0.lock().clone();
        assert_eq!(logged, ["get: not sent: no server: connection refused"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_of_which_a_part_fails_is_logged_once_until_it_is_quiet() {
        let health = StoreHealth::new("test");
        let is_failing = || format!("{health:?}").contains("is_failing: true");
        for _ in 0..100 {
            health.failed(&Error::new("test", ErrorKind::NotSent, "down"));
            health.succeeded();
            assert!(is_failing());
            tokio::time::advance(QUIET / 2).await;
        }
        health.succeeded();
        assert!(is_failing());
        tokio::time::advance(QUIET / 2).await;
        assert!(is_failing());
        health.succeeded();
        assert!(!is_failing());
    }
}
