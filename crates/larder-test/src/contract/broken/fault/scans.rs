//! The faults of scans.

macro_rules! scans_faults {
    ($($before:tt)*) => { faults! { $($before)*
        /// A scan leaves out every tenth key.
        ScanSkipsEveryTenth,
        /// A scan leaves out records.
        ScanSkipsRecords,
        /// A scan leaves out what may be evicted.
        ScanSkipsEvictable,
        /// A cursor is the number of keys that were listed.
        CursorIsAnOffset,
        /// A scan lists keys with the prefix anywhere in them.
        PrefixIsAnywhere,
        /// The prefix of a scan is a pattern.
        PrefixIsAPattern,
        /// A page holds all keys.
        PageHoldsAll,
        /// A page of any size is given.
        TakesAnyPageSize,
        /// A cursor of another store begins from the start.
        AnyCursorStartsOver,
        /// A scan lists leases.
        ListsLeases,
        /// A scan lists what was deleted.
        ListsDeleted,
        /// A scan lists what has ended.
        ListsExpired,
    } };
}
