//! The laws about the values of a store.

#[doc(hidden)]
#[macro_export]
macro_rules! __core_laws {
    ([$($then:tt)*] $($before:tt)*) => { $crate::__programs_laws! { [$($then)*] $($before)*
        core_laws [] {
            values {
                /// A key that was never written is a miss, not an error, and has no TTL.
                a_key_that_was_never_written_is_a_miss
                /// A put stores the value, and get returns the same bytes.
                a_value_reads_back_as_it_was_put
                /// A get after a put never returns an earlier value.
                a_put_is_seen_by_the_next_get
                /// A shorter value replaces a longer one completely.
                an_overwrite_replaces_the_whole_value
                /// An empty value is a value, not a miss.
                an_empty_value_is_present
                /// All 256 bytes come back, in any order.
                every_byte_survives
                /// A value of 8 MiB comes back whole.
                a_value_of_eight_mib_survives
                /// A get changes neither the value, nor its version, nor its TTL.
                reading_a_value_changes_nothing
                /// A value expires at its deadline, however often it is read.
                reading_a_value_does_not_extend_it
            }
            conditions {
                /// Put if absent stores the value if the key is absent; otherwise it changes nothing.
                put_if_absent_writes_only_where_nothing_is
                /// Put if present stores the value if the key is present; otherwise it changes nothing.
                put_if_present_writes_only_where_something_is
                /// Put if version stores the value over that version; otherwise it changes nothing.
                put_if_version_writes_only_over_that_version
                /// An absent key never meets put if version.
                an_absent_key_has_no_version
                /// The version of one key does not meet a condition on another.
                a_version_of_another_key_is_not_met
                /// A put whose condition is not met leaves the value and its version.
                an_unmet_put_leaves_the_value
                /// A put whose condition is not met leaves the TTL.
                an_unmet_put_leaves_the_ttl
                /// The same put sent twice is the same write, with the same version.
                a_put_sent_twice_is_one_write
            }
            deletes {
                /// Delete returns `Deleted` if there was a value, and `NotDeleted` if not.
                delete_reports_whether_it_deleted_a_value
                /// After a delete, get, ttl and expire find nothing.
                a_deleted_key_is_gone
                /// After a delete the key is absent for put if present and put if absent.
                a_deleted_key_can_be_put_if_absent
                /// Delete if present does the same as an unconditional delete.
                delete_if_present_is_delete
                /// Delete if absent returns `NotDeleted` and deletes nothing.
                delete_if_absent_does_nothing
                /// Delete if version deletes that version and no other.
                delete_if_version_removes_only_that_version
                /// A delete whose condition is not met leaves the value, its version and its TTL.
                an_unmet_delete_changes_nothing
            }
            versions {
                /// Get returns the version that the put drew.
                a_version_is_the_one_that_the_put_drew
                /// Each write has its own version, even if the value is the same.
                every_write_changes_the_version
                /// Deleting and writing again does not bring a version back.
                a_version_does_not_come_back_after_a_delete
                /// Expiring and writing again does not bring a version back.
                a_version_does_not_come_back_after_expiry
                /// A put whose answer was lost is found by its version, until it is overwritten.
                a_put_whose_answer_was_lost_can_be_settled
                /// One key at a time or many at once, the version is the same.
                versions_are_alike_however_they_are_read
            }
            ttl {
                /// A TTL right after a put is at most what was asked.
                a_ttl_is_never_more_than_was_asked
                /// A TTL that is not whole milliseconds is rounded up.
                a_ttl_is_rounded_up_to_a_millisecond
                /// A TTL falls by the time that has passed.
                a_ttl_falls_as_time_passes
                /// A put over a value sets a new TTL, longer or shorter.
                a_put_replaces_the_ttl
                /// A put on a condition that is met sets its TTL like any other.
                a_put_on_a_condition_sets_the_ttl
                /// Expire with a longer TTL lengthens it, from now on.
                expire_lengthens_a_ttl
                /// Expire with a shorter TTL shortens it, from now on.
                expire_shortens_a_ttl
                /// Expire keeps the value, and the version that conditions are tested against.
                expire_keeps_the_value_and_its_version
                /// Expire of an absent key returns `NotFound` and makes no key.
                expire_makes_no_key
                /// The longest TTL, 100 years, is kept.
                the_longest_ttl_is_accepted
            }
            expiry {
                /// A value is present until its deadline, and absent from then on.
                a_value_ends_at_its_deadline
                /// One millisecond is a TTL.
                one_millisecond_is_a_ttl
                /// Get misses an expired value.
                an_expired_value_is_not_read
                /// `get_many` misses an expired value.
                an_expired_value_is_not_read_with_others
                /// An expired value has no TTL.
                an_expired_value_has_no_ttl
                /// Expire returns `NotFound` for an expired value, and does not revive it.
                expire_revives_no_expired_value
                /// An expired value does not meet put if present.
                an_expired_key_is_not_present
                /// An expired value does not meet put if version.
                an_expired_version_is_not_met
                /// An expired value meets put if absent.
                an_expired_key_is_absent
                /// Delete of an expired value returns `NotDeleted`.
                deleting_an_expired_key_removes_nothing
                /// `put_many` and `delete_many` find no expired value.
                an_expired_value_is_not_found_with_others
                /// The end of an overwritten value does not remove the new one.
                a_new_value_outlives_the_ttl_of_the_old
                /// An expired value frees its memory without being read.
                an_expired_value_frees_its_memory
            }
            many {
                /// `get_many` answers key by key, in order, with a miss for an absent key.
                get_many_answers_in_order_with_misses
                /// `get_many` answers a repeated key each time.
                get_many_answers_a_repeated_key_each_time
                /// `put_many` tests the condition of each put separately.
                put_many_tests_each_condition_by_itself
                /// `put_many` writes a repeated key in the order of the puts.
                put_many_writes_a_repeated_key_in_order
                /// `put_many` gives each value the TTL of its own put.
                put_many_gives_each_value_its_ttl
                /// `delete_many` tests the condition of each delete separately.
                delete_many_tests_each_condition_by_itself
                /// `delete_many` deletes a repeated key once.
                delete_many_removes_a_repeated_key_once
            }
            batches {
                /// A batch of no items has an empty answer.
                an_empty_batch_is_an_empty_answer
                /// A batch of 1,000 keys is written, read and deleted completely.
                a_batch_of_a_thousand_is_answered_whole
                /// A batch of 64 values of 64 KiB is written and read completely.
                a_batch_of_large_values_survives
                /// If `get_many` cannot read a key, only that item fails.
                get_many_fails_item_by_item
                /// If `put_many` cannot carry out a put, only that item fails.
                put_many_fails_item_by_item
                /// If `delete_many` cannot carry out a delete, only that item fails.
                delete_many_fails_item_by_item
            }
            errors {
                /// Get and ttl refuse the key of a record with WrongType.
                no_record_is_read_as_a_value
                /// Put refuses the key of a record with WrongType, and makes no record.
                no_record_is_written_as_a_value
                /// Delete and expire refuse the key of a record with WrongType, and leave the record.
                no_record_is_removed_as_a_value
                /// A value over the limit is refused with TooLarge, and no part of it is kept.
                a_value_that_is_too_large_is_refused
                /// A put that is too large leaves the old value.
                a_value_that_is_too_large_leaves_the_old_one
                /// The location is not empty, and holds no user and no password.
                the_location_holds_no_secret
            }
            keys {
                /// One id under two kinds is two keys.
                kinds_keep_equal_ids_apart
                /// A key and each of its parts are different keys.
                parts_keep_equal_ids_apart
                /// Ids that differ in case are different keys.
                ids_keep_their_case
                /// Ids that differ only at the end are different keys, however long they are.
                long_ids_are_kept_apart
                /// Ids of any characters are different keys.
                ids_of_any_characters_are_kept_apart
            }
            now {
                /// If `get_now` is ready, it returns what get returns.
                get_now_answers_like_get
                /// If `put_now` is ready, it does what put does; otherwise it does nothing.
                put_now_works_like_put
                /// If `delete_now` is ready, it does what delete does; otherwise it does nothing.
                delete_now_works_like_delete
            }
            races {
                /// Of 64 concurrent puts if absent, one is stored.
                one_of_64_put_if_absent_wins
                /// Of 64 concurrent puts if version, one is stored.
                one_of_64_put_if_version_wins
                /// Of 64 concurrent puts if absent at the end of a value, one is stored.
                one_of_64_replaces_an_expired_value
                /// Of 64 concurrent deletes, one deletes the value.
                one_of_64_deletes_removes
                /// Of 64 concurrent deletes if version, one deletes the value.
                one_of_64_delete_if_version_removes
                /// 64 tasks that increment by compare-and-set lose no increment.
                compare_and_set_loses_no_increment
                /// A get during puts returns one of the values, whole.
                no_reader_sees_a_torn_value
            }
            cancellation {
                /// A dropped put has happened as a whole, or not at all.
                a_cancelled_put_is_whole_or_absent
                /// The answer of a dropped call never answers another call.
                a_cancelled_call_leaves_no_answer_behind
                /// A dropped put delays no other operation.
                a_cancelled_put_holds_up_nothing
            }
        }
    } };
}
