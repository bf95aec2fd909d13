//! The counters of sessions; none of them names a visitor.

use std::fmt;

use metrics::{Counter, Unit, counter, describe_counter};

macro_rules! counters {
    ($($(#[$when:meta])? $counter:ident = $name:literal $(, $outcome:literal)?;)*) => {
        /// The counters, made once, so that counting is one atomic addition.
        #[derive(Clone)]
        pub(crate) struct Metrics {
            $($(#[$when])? pub(crate) $counter: Counter,)*
        }

        impl Metrics {
            pub(crate) fn new() -> Self {
                describe_metrics();
                Self {
                    $($(#[$when])? $counter: counter!($name $(, "outcome" => $outcome)?),)*
                }
            }
        }
    };
}

counters! {
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
    unopened_unknown_key = "larder_session_unopened_total", "unknown_key";
    #[cfg(feature = "seal")]
    unopened_damaged = "larder_session_unopened_total", "damaged";
    #[cfg(feature = "seal")]
    unopened_not_sealed = "larder_session_unopened_total", "not_sealed";
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Describes each metric of this crate with its unit, to the recorder that is installed.
pub fn describe_metrics() {
    for (name, text) in [
        ("larder_session_reads_total", "Reads of sessions by outcome"),
        (
            "larder_session_writes_total",
            "Writes of sessions by outcome",
        ),
        ("larder_session_created_total", "Sessions that were created"),
        ("larder_session_signed_in_total", "Sign-ins"),
        (
            "larder_session_rotated_total",
            "Sessions that got a new id without a sign-in",
        ),
        ("larder_session_ended_total", "Sessions that were ended"),
        (
            "larder_session_unopened_total",
            "Values of fields that could not be opened, by outcome",
        ),
        (
            "larder_session_revocations_total",
            "Revocations of the sessions of a user",
        ),
        (
            "larder_session_unavailable_total",
            "Responses replaced by 503",
        ),
    ] {
        describe_counter!(name, Unit::Count, text);
    }
}
