use super::text;
use crate::clock::now_ms;

/// The line at the foot of a page that says how fresh its data is.
pub(super) struct Footer {
    pub(super) age: String,
    pub(super) queries: String,
    pub(super) at: String,
    pub(super) at_iso: String,
}

impl Footer {
    pub(super) fn new(loaded_at_ms: i64, queries: u32) -> Self {
        Self {
            age: text::age(now_ms() - loaded_at_ms),
            queries: text::counted(queries, "query", "queries"),
            at: text::utc(loaded_at_ms, "%Y-%m-%d %H:%M:%S%.3f UTC"),
            at_iso: text::utc(loaded_at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        }
    }
}
