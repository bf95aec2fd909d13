//! What an operator sees of sessions: counters and two lines of log, none of which names a visitor.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_store::Error;
use metrics::{Counter, counter};

macro_rules! meter {
    ($($counter:ident = $name:literal $(, $outcome:literal)?;)*) => {
        /// The counters, made once, so that counting is one atomic addition.
        #[derive(Clone)]
        pub(crate) struct Meter {
            $(pub(crate) $counter: Counter,)*
            is_failing: Arc<AtomicBool>,
        }

        impl Meter {
            pub(crate) fn new() -> Self {
                Self {
                    $($counter: counter!($name $(, "outcome" => $outcome)?),)*
                    is_failing: Arc::default(),
                }
            }
        }
    };
}

meter! {
    read_found = "larder_session_reads_total", "found";
    read_absent = "larder_session_reads_total", "absent";
    read_revoked = "larder_session_reads_total", "revoked";
    read_failed = "larder_session_reads_total", "failed";
    write_done = "larder_session_writes_total", "done";
    write_gone = "larder_session_writes_total", "gone";
    write_conflict = "larder_session_writes_total", "conflict";
    write_refused = "larder_session_writes_total", "refused";
    write_failed = "larder_session_writes_total", "failed";
    write_dropped = "larder_session_writes_total", "dropped";
    created = "larder_session_created_total";
    signed_in = "larder_session_signed_in_total";
    rotated = "larder_session_rotated_total";
    ended = "larder_session_ended_total";
    revoked = "larder_session_revocations_total";
    unavailable = "larder_session_unavailable_total";
}

impl Meter {
    /// The store answered.
    pub(crate) fn store_works(&self) {
        if self.is_failing.load(Ordering::Relaxed) && self.is_failing.swap(false, Ordering::Relaxed)
        {
            tracing::info!("the store of sessions works again");
        }
    }

    /// The store gave no answer: told once, until it works again.
    pub(crate) fn store_fails(&self, error: &Error) {
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the store of sessions fails");
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}
