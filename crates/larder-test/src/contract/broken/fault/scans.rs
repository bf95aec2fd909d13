//! The faults of scans.

macro_rules! scans_faults {
    ($($before:tt)*) => { faults! { $($before)*
        /// A scan leaves out every tenth key.
        ScanSkipsEveryTenth,
        /// A scan leaves out records.
        ScanSkipsRecords,
        /// A scan leaves out evictable keys.
        ScanSkipsEvictable,
        /// A cursor is the number of keys listed so far.
        CursorIsAnOffset,
        /// A scan lists keys that contain the prefix anywhere.
        PrefixIsAnywhere,
        /// The prefix of a scan is used as a pattern.
        PrefixIsAPattern,
        /// A page holds all keys.
        PageHoldsAll,
        /// Any page size is accepted.
        TakesAnyPageSize,
        /// With an unknown cursor, a scan starts over.
        AnyCursorStartsOver,
        /// A scan lists leases.
        ListsLeases,
        /// A scan lists deleted keys.
        ListsDeleted,
        /// A scan lists expired keys.
        ListsExpired,
    } };
}
