use super::text;

/// The line at the foot of a page that says how fresh its data is: by the clock, as the page may be
/// shown again later.
pub(super) struct Footer {
    pub(super) queries: String,
    pub(super) at: String,
    pub(super) at_iso: String,
}

impl Footer {
    pub(super) fn new(loaded_at_ms: i64, queries: u32) -> Self {
        Self {
            queries: text::counted(queries, "query", "queries"),
            at: text::utc(loaded_at_ms, "%Y-%m-%d %H:%M:%S%.3f UTC"),
            at_iso: text::utc(loaded_at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        }
    }
}
