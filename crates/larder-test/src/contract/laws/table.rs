/// Proves a store: one test for each law, in a module of its own.
///
/// The first argument names the module, the second makes a [`Fixture`](crate::Fixture), once for
/// each law. It may wait for something, and each test has a runtime of its own. The laws of each
/// capability are in a module of theirs: `core_laws`, `program_laws`, `wait_laws`, `bus_laws`,
/// `lease_laws`, `scan_laws`, and two for what concerns a pair of them.
///
/// ```
/// use larder_test::{ManualFixture, laws};
///
/// laws!(model, ManualFixture::model());
/// # fn main() {}
/// ```
///
/// A store that lacks a capability says so: `programs`, `waits`, `leases`, `bus`, `scan`. The laws of that
/// capability are then left out, and a test such as `it_offers_no_leases` takes their place, which
/// fails on the day that the store offers it after all. Nothing else can be left out.
///
/// ```
/// use larder_test::{ManualFixture, laws};
/// # use std::sync::Arc;
/// # use larder_store::*;
/// # struct Plain(larder_test::ModelStore);
/// # #[async_trait::async_trait]
/// # impl Store for Plain {
/// #     async fn get(&self, key: &Key) -> Result<Option<Entry>> { self.0.get(key).await }
/// #     async fn put(&self, put: &Put) -> Result<PutOutcome> { self.0.put(put).await }
/// #     async fn delete(&self, delete: &Delete) -> Result<DeleteOutcome> { self.0.delete(delete).await }
/// #     async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> { self.0.expire(key, ttl).await }
/// #     async fn ttl(&self, key: &Key) -> Result<Option<Ttl>> { self.0.ttl(key).await }
/// #     async fn get_many(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> { self.0.get_many(keys).await }
/// #     async fn put_many(&self, puts: &[Put]) -> Vec<Result<PutOutcome>> { self.0.put_many(puts).await }
/// #     async fn delete_many(&self, deletes: &[Delete]) -> Vec<Result<DeleteOutcome>> { self.0.delete_many(deletes).await }
/// #     fn location(&self) -> &str { "plain://" }
/// # }
/// # fn plain() -> ManualFixture {
/// #     let clock = ManualClock::default();
/// #     ManualFixture::new(Plain(larder_test::ModelStore::with_clock(clock.clone())), clock)
/// # }
///
/// laws!(plain_values, plain(), without [programs, waits, leases, bus, scan]);
/// # fn main() {}
/// ```
// The list of laws and the tests are both written from the table here, so they cannot drift apart.
#[macro_export]
macro_rules! laws {
    ($name:ident, $fixture:expr) => {
        $crate::laws! { $name, $fixture, without [] }
    };
    ($name:ident, $fixture:expr, without [$($without:ident),* $(,)?]) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $($crate::laws! { @absent $without, $fixture })*
            $crate::laws! { @table tests [[$($without)*], $fixture] }
        }
    };

    // The tests that a capability is absent.
    (@absent programs, $fixture:expr) => {
        /// The store offers no programs.
        #[test]
        fn it_offers_no_programs() {
            $crate::laws::prove_absent($crate::laws::Capability::Programs, async { $fixture });
        }
    };
    (@absent waits, $fixture:expr) => {
        /// The store offers no waits.
        #[test]
        fn it_offers_no_waits() {
            $crate::laws::prove_absent($crate::laws::Capability::Waits, async { $fixture });
        }
    };
    (@absent leases, $fixture:expr) => {
        /// The store offers no leases.
        #[test]
        fn it_offers_no_leases() {
            $crate::laws::prove_absent($crate::laws::Capability::Leases, async { $fixture });
        }
    };
    (@absent bus, $fixture:expr) => {
        /// The store offers no bus.
        #[test]
        fn it_offers_no_bus() {
            $crate::laws::prove_absent($crate::laws::Capability::Bus, async { $fixture });
        }
    };
    (@absent scan, $fixture:expr) => {
        /// The store offers no scan.
        #[test]
        fn it_offers_no_scan() {
            $crate::laws::prove_absent($crate::laws::Capability::Scan, async { $fixture });
        }
    };
    (@absent $other:ident, $fixture:expr) => {
        compile_error!(concat!(
            "a store may lack programs, waits, leases, bus or scan, and not '", stringify!($other), "'"
        ));
    };

    // The tests of all groups whose needs are met.
    (@tests [$without:tt, $fixture:expr] $($group:ident $needs:tt $modules:tt)+) => {
        $($crate::laws! { @group $needs $without, $fixture, $group $modules })+
    };
    (@group [] $without:tt, $fixture:expr, $group:ident {
        $($module:ident { $($(#[$doc:meta])+ $law:ident)+ })+
    }) => {
        mod $group {
            #[allow(unused_imports)]
            use super::*;

            $($(
                $(#[$doc])+
                #[test]
                fn $law() {
                    $crate::laws::prove(stringify!($law), async { $fixture });
                }
            )+)+
        }
    };
    (@group [$need:ident $($needs:ident)*] $without:tt, $($rest:tt)*) => {
        $crate::laws! { @unless $need $without [$($needs)*] $without, $($rest)* }
    };
    // Looks along what the store lacks: a group that needs it has no tests.
    (@unless programs [programs $($more:ident)*] $($rest:tt)*) => {};
    (@unless waits [waits $($more:ident)*] $($rest:tt)*) => {};
    (@unless leases [leases $($more:ident)*] $($rest:tt)*) => {};
    (@unless bus [bus $($more:ident)*] $($rest:tt)*) => {};
    (@unless scan [scan $($more:ident)*] $($rest:tt)*) => {};
    (@unless $need:ident [$other:ident $($more:ident)*] $($rest:tt)*) => {
        $crate::laws! { @unless $need [$($more)*] $($rest)* }
    };
    (@unless $need:ident [] $($rest:tt)*) => { $crate::laws! { @group $($rest)* } };

    (@list [] $($group:ident $needs:tt {
        $($module:ident { $($(#[doc = $statement:literal])+ $law:ident)+ })+
    })+) => {
        /// All laws.
        pub const LAWS: &[Law] = &[$($($(
            Law {
                name: stringify!($law),
                statement: concat!($($statement),+),
                needs: $crate::laws! { @needs $needs },
                run: |fixture| Box::pin($module::$law(Scene::of(fixture))),
            },
        )+)+)+];
    };
    (@needs [$($need:ident)*]) => { &[$($crate::laws! { @capability $need }),*] };
    (@capability programs) => { Capability::Programs };
    (@capability waits) => { Capability::Waits };
    (@capability leases) => { Capability::Leases };
    (@capability bus) => { Capability::Bus };
    (@capability scan) => { Capability::Scan };

    (@table $then:ident [$($given:tt)*]) => { $crate::laws! { @$then [$($given)*]
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
        program_laws [programs] {
            records {
                /// A step makes an absent record, and the next step finds it.
                a_step_makes_the_record_and_the_next_one_finds_it
                /// A step that is awaited does the same as one that is ready at once.
                a_step_that_waits_does_the_same
                /// A record that a step removed is absent for the next step.
                a_removed_record_is_absent
                /// Reading an absent record makes no record.
                reading_an_absent_record_leaves_nothing
                /// Reading a record keeps it.
                reading_a_record_leaves_it_as_it_is
                /// An inspection shows the content of the record, and keeps it.
                an_inspection_shows_the_record_and_changes_nothing
                /// A program on a record of another type is refused with WrongType.
                a_record_of_another_type_is_refused
                /// A program that was refused leaves the record unchanged.
                a_step_that_was_refused_changes_nothing
            }
            arguments {
                /// Integers up to 2^53 of either sign survive as argument, record and answer.
                integers_within_2_53_survive
                /// An integer argument past 2^53 is Invalid, and the step does not run.
                an_integer_past_2_53_is_invalid
                /// Arguments of any bytes arrive unchanged.
                arguments_of_any_bytes_survive
                /// A program never sees an earlier time than a program before it.
                the_time_of_programs_never_goes_back
                /// The time that programs see passes like the store's time.
                the_time_of_programs_passes
                /// A time that is known without a round trip is the time that programs see.
                the_known_time_is_the_time_of_programs
            }
            record_ends {
                /// A record is present until its TTL ends, and absent from then on.
                a_record_ends_with_its_ttl
                /// A step with a longer TTL lengthens the life of its record.
                a_step_lengthens_the_ttl_of_its_record
                /// A step with a shorter TTL shortens the life of its record.
                a_step_shortens_the_ttl_of_its_record
                /// A record ends with its TTL however often it is read.
                reading_a_record_does_not_extend_it
                /// A step that writes nothing leaves the TTL of its record.
                a_step_that_writes_nothing_does_not_extend_the_record
                /// All parts of a record end with the TTL of the last step.
                the_parts_of_a_record_end_together
                /// All parts of a record live until the TTL of the last step.
                the_parts_of_a_record_live_together
            }
            record_races {
                /// 64 concurrent steps on one record lose nothing.
                concurrent_steps_lose_nothing
                /// 64 concurrent steps exceed a limit no more than consecutive steps.
                concurrent_steps_keep_their_limit
                /// The parts of a record change together, even during 64 concurrent steps.
                the_parts_of_a_record_change_together
                /// A dropped step has run once, as a whole, or not at all.
                a_cancelled_step_runs_once_or_not_at_all
            }
            run_many {
                /// `run_many` answers each step in its place.
                run_many_answers_each_step_in_its_place
                /// `run_many` runs the steps on a repeated record in their order.
                run_many_runs_a_repeated_record_in_order
                /// If `run_many` refuses a step, only that step fails.
                run_many_fails_step_by_step
                /// `run_many` of 500 steps runs and answers all of them.
                run_many_of_five_hundred_is_answered_whole
                /// `run_each` runs programs of several types, in their order, and answers each in its place.
                run_each_answers_programs_of_several_types
            }
        }
        bus_laws [bus] {
            bus {
                /// Each subscription of a channel gets its messages.
                a_message_reaches_every_subscription
                /// Each subscription gets a message once.
                a_message_is_delivered_once
                /// A subscription that names a channel twice gets its messages once.
                a_channel_that_is_named_twice_delivers_once
                /// A subscription to a channel and its topic gets each message once.
                a_channel_of_a_requested_topic_delivers_once
                /// A subscription to several channels gets the messages of each.
                a_subscription_gets_messages_of_all_its_channels
                /// A message does not arrive on another channel of its topic.
                channels_of_a_topic_are_kept_apart
                /// A message does not arrive on the channel of the same id in another topic.
                topics_keep_equal_ids_apart
                /// Channels of any characters are different channels.
                channels_of_any_characters_are_kept_apart
                /// Channels that differ in case are different channels.
                channels_keep_their_case
                /// A message does not arrive in another namespace, and its channel reads as inside its own.
                namespaces_get_no_messages_of_each_other
                /// A subscription to a topic gets the messages of all its channels.
                a_topic_delivers_from_all_its_channels
                /// A subscription to a topic gets no messages of one whose name begins alike.
                a_topic_does_not_deliver_from_a_similar_one
                /// Subscribing to a whole sharded topic is Invalid.
                subscribing_to_a_whole_sharded_topic_is_refused
                /// An empty subscribe request is Invalid.
                an_empty_subscribe_request_is_refused
                /// A message over the limit is refused with TooLarge, and nobody gets it.
                a_message_that_is_too_large_is_refused
                /// A message of the maximum length arrives whole.
                the_largest_message_arrives_whole
                /// An empty message arrives, empty.
                an_empty_message_arrives
                /// All 256 bytes arrive, in any order.
                a_message_of_any_bytes_arrives
                /// A message without subscribers is sent without an error.
                a_message_without_subscribers_is_not_an_error
                /// A dropped subscribe takes no message from later subscribers.
                a_cancelled_subscribe_leaves_nothing
            }
            bus_streams {
                /// A message that is published once subscribe was answered arrives, 1,000 times of 1,000.
                a_message_right_after_subscribe_arrives
                /// Consecutive messages of one caller to one channel arrive in their order.
                messages_of_a_publisher_keep_their_order
                /// All messages of 16 concurrent publishers to one channel arrive.
                concurrent_publishers_lose_nothing
                /// A message from before the subscribe does not arrive.
                a_subscription_gets_no_earlier_messages
                /// A subscription goes on when another one of its channel is dropped.
                a_dropped_subscription_leaves_its_siblings
                /// Beyond its buffer, a subscription gets one gap in place of the missing messages.
                a_full_buffer_gives_one_gap_in_its_place
                /// A slow subscription costs no other one a message.
                a_slow_subscription_costs_others_no_messages
            }
        }
        lease_laws [leases] {
            leases {
                /// A claim of an absent key without a leader leads.
                a_claim_of_an_absent_key_leads
                /// A claim of an absent key beside a leader follows.
                a_claim_beside_a_leader_follows
                /// A claim of a present key gets its value and its version.
                a_claim_of_a_present_key_gets_its_value
                /// A claim that has seen the value leads, and the value stays.
                a_claim_that_has_seen_the_value_leads
                /// A claim that has seen an older value gets the newer one.
                a_claim_that_has_seen_an_older_value_gets_the_newer_one
                /// A claim that has seen the value, beside a leader, may serve it meanwhile.
                a_claim_that_has_seen_the_value_beside_a_leader_may_serve_it
                /// A claim that has seen a deleted value, beside a leader, follows.
                a_claim_that_has_seen_a_deleted_value_follows
                /// A claim that gets a value takes no lease.
                a_claim_that_gets_a_value_takes_no_lease
                /// The leases of different keys, kinds and parts are independent.
                leases_of_different_keys_are_independent
                /// A plain put neither needs the lease nor ends it.
                plain_puts_leave_the_lease
                /// A plain delete neither needs the lease nor ends it.
                plain_deletes_leave_the_lease
                /// Each operation on leases refuses the key of a record with WrongType.
                no_record_is_leased
            }
            lease_fences {
                /// The fence after a commit is higher than the one before.
                a_fence_rises_after_a_commit
                /// The fence after an abandon is higher than the one before.
                a_fence_rises_after_an_abandon
                /// The fence after an invalidation is higher than the one before.
                a_fence_rises_after_an_invalidation
                /// The fence after the end of a lease is higher than the one before.
                a_fence_rises_after_the_end_of_a_lease
                /// The fences of a hundred leases of one key, one after the other, rise.
                a_fence_rises_through_a_hundred_leases
            }
            lease_commits {
                /// A commit by the holder writes the value under the version of the put.
                a_commit_writes_what_was_put
                /// A commit by the holder replaces the value that it has seen.
                a_commit_over_a_value_replaces_it
                /// After a commit the key can be claimed.
                a_commit_gives_the_lease_back
                /// A second commit with the fence of a commit is refused, and changes nothing.
                a_lease_is_committed_once
                /// The TTL of a committed value begins with the commit.
                the_ttl_of_a_committed_value_begins_with_the_commit
                /// A commit is refused if the condition of its put is not met, and changes nothing.
                a_commit_tests_the_condition_of_its_put
                /// A commit whose condition is not met keeps the lease.
                a_commit_on_an_unmet_condition_keeps_the_lease
                /// A commit of a value over the limit is refused with TooLarge, whoever holds the lease,
                /// and keeps it.
                a_commit_that_is_too_large_changes_nothing
            }
            lease_refusals {
                /// A commit after an invalidation is refused, even if nobody has claimed since.
                a_value_made_before_an_invalidation_is_refused
                /// A commit after an invalidation is refused beside the next leader, who may commit.
                a_value_made_before_an_invalidation_is_refused_beside_the_next_leader
                /// A commit at the end of its lease is refused, even if nobody has claimed since.
                a_commit_after_the_end_of_the_lease_is_refused
                /// A commit is refused once another caller has the lease.
                a_commit_after_another_caller_got_the_lease_is_refused
                /// A commit after an abandon of its lease is refused.
                a_commit_after_an_abandon_is_refused
                /// A commit of a key that nobody has claimed is refused, whatever its fence.
                a_commit_without_a_lease_is_refused
                /// A commit with a made-up fence is refused, lower or higher.
                a_commit_with_a_made_up_fence_is_refused
                /// A refused commit leaves the lease to its holder.
                a_refused_commit_leaves_the_lease
            }
            lease_ends {
                /// A lease is held until its deadline, and can be claimed from then on.
                a_lease_ends_at_its_deadline
                /// A commit is stored up to the deadline of the lease.
                a_lease_is_held_up_to_its_deadline
                /// A renewal can hold the lease for longer than was left.
                a_renewal_prolongs_a_lease
                /// A renewal can hold the lease for less than was left.
                a_renewal_may_shorten_a_lease
                /// A renewal with a made-up fence is refused, and prolongs nothing.
                only_the_holder_renews
                /// A renewal at the end of the lease is refused, and does not revive it.
                an_expired_lease_is_not_renewed
                /// A renewal of a key that nobody has claimed is refused, and makes no lease.
                a_renewal_makes_no_lease
            }
            lease_returns {
                /// After an abandon the key can be claimed.
                an_abandoned_lease_can_be_claimed
                /// An abandon with a made-up fence is refused, and ends nothing.
                only_the_holder_abandons
                /// An abandon at the end of the lease is refused.
                an_expired_lease_is_not_abandoned
                /// An abandon leaves the value that the claim had seen.
                an_abandon_leaves_the_value
                /// Invalidate returns `Deleted` if there was a value, and `NotDeleted` if not.
                an_invalidation_reports_whether_it_deleted_a_value
                /// Invalidate returns `NotDeleted` for an expired value.
                an_invalidation_finds_no_expired_value
                /// After an invalidation the value is gone.
                an_invalidation_removes_the_value
                /// After an invalidation nobody leads, and the key can be claimed.
                an_invalidation_ends_the_lease
                /// `invalidate_many` answers key by key, in order; a repeated key finds nothing the second time.
                invalidate_many_answers_in_order
                /// `invalidate_many` ends the lease of each key.
                invalidate_many_ends_each_lease
                /// If `invalidate_many` cannot invalidate a key, only that item fails.
                invalidate_many_fails_item_by_item
            }
            lease_follows {
                /// A follower ends with the commit.
                a_follower_ends_with_the_commit
                /// A follower ends with an abandon.
                a_follower_ends_with_an_abandon
                /// A follower ends with an invalidation.
                a_follower_ends_with_an_invalidation
                /// A follower ends with an invalidation of several keys.
                a_follower_ends_with_an_invalidation_of_many
                /// A follower ends when the time of the lease has passed.
                a_follower_ends_at_the_end_of_the_lease
                /// A follower of a held lease waits for its maximum time, and returns `StillHeld`.
                a_follower_waits_no_longer_than_it_was_told
                /// A follower of a key without a leader ends at once.
                a_follower_without_a_leader_ends_at_once
                /// A follower of a renewed lease keeps waiting.
                a_follower_waits_through_a_renewal
                /// A follower of a shortened lease ends with its new time.
                a_follower_ends_at_the_end_of_a_shortened_lease
                /// A follower ends with the lease that it followed, even if the next one has begun.
                a_follower_ends_although_the_key_is_claimed_again
                /// All followers of a lease end with it.
                all_followers_end_together
                /// A dropped follower ends neither the lease nor another follower.
                a_dropped_follower_changes_nothing
            }
            lease_races {
                /// Of 8 concurrent claims one leads, in each of 1,000 rounds, and fences rise.
                one_of_many_concurrent_claims_leads
                /// After a concurrent commit and invalidation there is no value.
                no_commit_survives_a_concurrent_invalidation
                /// Of two concurrent commits with one fence, one is stored.
                one_of_two_concurrent_commits_is_stored
                /// A dropped commit has stored its value and ended the lease, or neither.
                a_cancelled_commit_is_whole_or_absent
                /// The lease of a dropped claim ends when its time has passed.
                a_cancelled_claim_ends_by_itself
            }
        }
        wait_laws [programs waits] {
            waits {
                /// A step that wakes reaches whoever waits for its record.
                a_wake_reaches_who_waits
                /// A wake between the registration and the wait is not lost.
                a_wake_before_a_waiter_asks_is_not_lost
                /// Each of 16 waiters for one record is woken.
                all_who_wait_are_woken
                /// A waiter is woken again by the next wake.
                a_waiter_is_woken_each_time
                /// A step that does not wake wakes nobody.
                a_step_that_does_not_wake_wakes_nobody
                /// A step that wakes does not wake those who wait for another record.
                a_wake_of_another_record_wakes_nobody
                /// Whoever is woken finds what the step has changed.
                who_is_woken_sees_what_the_step_changed
                /// A step of `run_many` wakes.
                a_step_among_others_wakes
                /// A waiter that is dropped takes no wake from those that stay and those that come.
                a_waiter_that_leaves_takes_no_wake
                /// A wait that is dropped loses no wake that comes after it.
                a_dropped_wait_loses_no_wake
                /// A wait for a value is refused with WrongType.
                only_records_are_waited_for
            }
        }
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
