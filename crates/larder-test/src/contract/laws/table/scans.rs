//! The laws about scans.

#[doc(hidden)]
#[macro_export]
macro_rules! __scans_laws {
    ([$($then:tt)*] $($before:tt)*) => { $crate::laws! { @then [$($then)*] $($before)*
        scan_laws [scan] {
            scans {
                /// Each of 100 keys is on one of the pages.
                every_key_is_listed
                /// Evictable keys and pinned keys are listed.
                keys_of_both_spaces_are_listed
                /// A key that stays is listed while others come and go between the pages.
                a_key_that_stays_is_listed_while_others_come_and_go
                /// Only keys that begin with the prefix are listed.
                only_keys_that_begin_with_the_prefix_are_listed
                /// The characters of patterns have no meaning in a prefix.
                a_prefix_is_not_a_pattern
                /// A page holds about as many keys as requested, or fewer.
                a_page_is_bounded
                /// A page of no keys, or of more than the maximum, is Invalid.
                a_page_has_a_size_within_bounds
                /// A cursor that the store has not made is Invalid.
                an_unknown_cursor_is_refused
                /// A deleted key is not listed.
                a_deleted_key_is_not_listed
                /// An expired key is not listed.
                an_expired_key_is_not_listed
            }
        }
        program_and_scan_laws [programs scan] {
            scans {
                /// Records are listed like values.
                a_record_is_listed
            }
        }
        lease_and_scan_laws [leases scan] {
            scans {
                /// Leases are not listed.
                leases_are_not_listed
            }
        }
    } };
}
