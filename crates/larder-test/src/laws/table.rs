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
                /// A put answers true, and get gives the same bytes.
                a_value_reads_back_as_it_was_put
                /// A get after a put never gives what was there before.
                a_put_is_seen_by_the_next_get
                /// A shorter value over a longer one leaves none of it.
                an_overwrite_replaces_the_whole_value
                /// An empty value is a value, not a miss.
                an_empty_value_is_present
                /// All 256 bytes come back, in any order.
                every_byte_survives
                /// A value of 8 MiB comes back whole.
                a_value_of_eight_mib_survives
                /// A get changes neither the value, nor its version, nor its TTL.
                reading_a_value_changes_nothing
                /// A value ends at its deadline however often it is read.
                reading_a_value_does_not_extend_it
            }
            conditions {
                /// Put if absent answers true and writes where nothing is; else false, and it does not.
                put_if_absent_writes_only_where_nothing_is
                /// Put if present answers true and writes where something is; else false, and it does not.
                put_if_present_writes_only_where_something_is
                /// Put if version answers true and writes over that version; else false, and it does not.
                put_if_version_writes_only_over_that_version
                /// Put if version is never met where nothing is.
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
                /// Delete answers true where something was, and false where nothing was.
                delete_tells_whether_it_removed_something
                /// After a delete get, ttl and expire find nothing.
                a_deleted_key_is_gone
                /// After a delete the key is absent for put if present and put if absent.
                a_deleted_key_can_be_put_if_absent
                /// Delete if present does what an unconditional delete does.
                delete_if_present_is_delete
                /// Delete if absent answers false and removes nothing.
                delete_if_absent_does_nothing
                /// Delete if version removes that version and no other.
                delete_if_version_removes_only_that_version
                /// A delete whose condition is not met leaves the value, its version and its TTL.
                an_unmet_delete_changes_nothing
            }
            versions {
                /// The version that get gives is the one that the put drew.
                a_version_is_the_one_that_the_put_drew
                /// Each write has a version of its own, also where the value is the same.
                every_write_changes_the_version
                /// Delete and re-create do not bring a version back.
                a_version_does_not_come_back_after_a_delete
                /// An end and a re-create do not bring a version back.
                a_version_does_not_come_back_after_an_end
                /// A put whose answer was lost is found by its version, until it is overwritten.
                a_put_whose_answer_was_lost_can_be_settled
                /// One key at a time or many at once, the version is the same.
                versions_are_alike_however_they_are_read
            }
            ttl {
                /// A TTL right after a put is what was asked, or less by what has passed.
                a_ttl_is_never_more_than_was_asked
                /// A TTL that is not whole milliseconds is rounded up.
                a_ttl_is_rounded_up_to_a_millisecond
                /// A TTL is less by what has passed since.
                a_ttl_falls_as_time_passes
                /// A put over a value sets a new TTL, longer or shorter.
                a_put_replaces_the_ttl
                /// Expire with a longer TTL lengthens it, from now on.
                expire_lengthens_a_ttl
                /// Expire with a shorter TTL shortens it, from now on.
                expire_shortens_a_ttl
                /// Expire keeps the value, and the version that conditions are tested against.
                expire_keeps_the_value_and_its_version
                /// Expire of an absent key answers false and makes nothing.
                expire_makes_no_key
                /// The longest TTL, 100 years, is kept as it is.
                the_longest_ttl_is_taken
            }
            expiry {
                /// A value is there up to its deadline, and gone at it.
                a_value_ends_at_its_deadline
                /// One millisecond is a TTL.
                one_millisecond_is_a_ttl
                /// Get misses what has ended.
                an_expired_value_is_not_read
                /// `get_many` misses what has ended.
                an_expired_value_is_not_read_with_others
                /// What has ended has no TTL.
                an_expired_value_has_no_ttl
                /// Expire answers false for what has ended, and does not bring it back.
                expire_revives_nothing
                /// What has ended does not meet put if present.
                an_expired_key_is_not_present
                /// What has ended does not meet put if version.
                an_expired_version_is_not_met
                /// What has ended meets put if absent.
                an_expired_key_is_absent
                /// Delete of what has ended answers false.
                deleting_an_expired_key_removes_nothing
                /// The end of an overwritten value does not take the new one with it.
                a_new_value_outlives_the_end_of_the_old
                /// What has ended gives its room back, without a read of it.
                what_has_ended_gives_its_room_back
            }
            many {
                /// `get_many` answers key by key, in order, with a miss where nothing is.
                get_many_answers_in_order_with_holes
                /// `get_many` answers a repeated key each time.
                get_many_answers_a_repeated_key_each_time
                /// `put_many` tests the condition of each put, and the others do not matter.
                put_many_tests_each_condition_by_itself
                /// `put_many` writes a repeated key in the order of the puts.
                put_many_writes_a_repeated_key_in_order
                /// `put_many` gives each value the TTL of its own put.
                put_many_gives_each_value_its_ttl
                /// `delete_many` tests the condition of each delete, and the others do not matter.
                delete_many_tests_each_condition_by_itself
                /// `delete_many` removes a repeated key once.
                delete_many_removes_a_repeated_key_once
            }
            batches {
                /// A many-key form of nothing answers nothing.
                an_empty_batch_is_an_empty_answer
                /// A batch of 1,000 keys is written, read and removed whole.
                a_batch_of_a_thousand_is_answered_whole
                /// A batch of 64 values of 64 KiB is written and read whole.
                a_batch_of_large_values_survives
                /// A key that get_many cannot read fails alone.
                get_many_fails_item_by_item
                /// A put that put_many cannot carry out fails alone.
                put_many_fails_item_by_item
                /// A delete that delete_many cannot carry out fails alone.
                delete_many_fails_item_by_item
            }
            errors {
                /// Get and ttl refuse the key of a record with WrongType.
                no_record_is_read_as_a_value
                /// Put refuses the key of a record with WrongType, and makes no record.
                no_record_is_written_as_a_value
                /// Delete and expire refuse the key of a record with WrongType, and leave the record.
                no_record_is_removed_as_a_value
                /// A value over the limit is refused with TooLarge, and none of it is kept.
                a_value_that_is_too_large_is_refused
                /// A put that is too large leaves the value that was there.
                a_value_that_is_too_large_leaves_the_old_one
                /// The location is not empty, and holds no user and no password.
                the_location_tells_no_secret
            }
            keys {
                /// One id under two kinds is two keys.
                kinds_keep_equal_ids_apart
                /// A key and each of its parts are different keys.
                parts_keep_equal_ids_apart
                /// Ids that differ in case are different keys.
                letters_keep_their_case
                /// Ids that differ only at the end are different keys, however long they are.
                long_ids_are_kept_apart
                /// Ids of any characters are different keys.
                wild_ids_are_kept_apart
            }
            now {
                /// Where `get_now` is ready it says what get says.
                get_now_says_what_get_says
                /// Where `put_now` is ready it does what put does; else it does nothing.
                put_now_does_what_put_does
                /// Where `delete_now` is ready it does what delete does; else it does nothing.
                delete_now_does_what_delete_does
            }
            races {
                /// Of 64 tasks that put if absent at once, one is answered true.
                one_of_64_put_if_absent_wins
                /// Of 64 tasks that put if version at once, one is answered true.
                one_of_64_put_if_version_wins
                /// Of 64 tasks that put if absent at the end of a value, one is answered true.
                one_of_64_takes_over_what_ended
                /// Of 64 tasks that delete at once, one is answered true.
                one_of_64_deletes_removes
                /// Of 64 tasks that delete if version at once, one is answered true.
                one_of_64_delete_if_version_removes
                /// 64 tasks that increment by compare-and-set lose no increment.
                compare_and_set_loses_no_increment
                /// A get beside puts gives one of the values, whole.
                no_reader_sees_a_torn_value
            }
            cancellation {
                /// A put that is dropped has happened whole, or not at all.
                a_cancelled_put_is_whole_or_absent
                /// The answer of a dropped call never answers another.
                a_cancelled_call_leaves_no_answer_behind
                /// A put that is dropped holds up no other operation.
                a_cancelled_put_holds_up_nothing
            }
        }
        program_laws [programs] {
            records {
                /// A step makes a record that is absent, and the next step finds what it left.
                a_step_makes_the_record_and_the_next_one_finds_it
                /// A step that is called and waited for does what one that is answered at once does.
                a_step_that_waits_does_the_same
                /// A record that a step removed is absent for the next one.
                a_removed_record_is_absent
                /// Reading a record that is absent makes none.
                reading_an_absent_record_leaves_nothing
                /// Reading a record keeps it.
                reading_a_record_leaves_it_as_it_is
                /// An inspection shows what the record holds, and keeps it.
                an_inspection_tells_and_changes_nothing
                /// A program on a record of another type is refused with WrongType.
                a_record_of_another_type_is_refused
                /// A program that was refused leaves the record.
                a_step_that_was_refused_changes_nothing
            }
            arguments {
                /// Integers up to 2^53 of either sign survive as argument, record and answer.
                integers_within_2_53_survive
                /// An integer argument past 2^53 is Invalid, and the step does not run.
                an_integer_past_2_53_is_invalid
                /// Arguments of any bytes arrive as they are.
                arguments_of_any_bytes_survive
                /// A program never sees an earlier time than one that ran before it.
                the_time_of_programs_never_goes_back
                /// The time that programs see passes as the store's does.
                the_time_of_programs_goes_on
                /// A time that is known without asking is the one that programs see.
                the_time_that_is_known_is_that_of_programs
            }
            record_ends {
                /// A record is there up to the end of its TTL, and gone at it.
                a_record_ends_with_its_ttl
                /// A step with a longer TTL lengthens the life of its record.
                a_step_lengthens_the_ttl_of_its_record
                /// A step with a shorter TTL shortens the life of its record.
                a_step_shortens_the_ttl_of_its_record
                /// A record ends with its TTL however often it is read.
                reading_a_record_does_not_extend_it
                /// A step that writes nothing leaves the TTL of its record.
                a_step_past_its_limit_does_not_extend_the_record
                /// All parts of a record end with the TTL of the last step.
                the_parts_of_a_record_end_together
                /// All parts of a record live until the TTL of the last step.
                the_parts_of_a_record_live_together
            }
            record_races {
                /// 64 steps at once on one record lose nothing.
                steps_at_once_lose_nothing
                /// 64 steps at once pass a limit no further than one after the other.
                steps_at_once_keep_their_limit
                /// The parts of a record change together, also while 64 steps run at once.
                both_parts_of_a_record_change_at_once
                /// A step that is dropped has run once, whole, or not at all.
                a_cancelled_step_runs_once_or_not_at_all
            }
            run_many {
                /// `run_many` answers each step in its place.
                run_many_answers_each_step_in_its_place
                /// `run_many` runs the steps on a repeated record in their order.
                run_many_runs_a_repeated_record_in_order
                /// A step of run_many that is refused fails alone.
                run_many_fails_step_by_step
                /// `run_many` of 500 steps runs and answers all of them.
                run_many_of_five_hundred_is_answered_whole
                /// `run_each` runs programs of several types, in their order, and answers each in its place.
                run_each_answers_programs_of_several_types
            }
        }
        bus_laws [bus] {
            bus {
                /// A message is heard by each subscription of its channel.
                a_message_reaches_every_subscription
                /// A message is heard once by each subscription.
                a_message_is_delivered_once
                /// A message is heard once by one who names its channel twice.
                a_channel_that_is_named_twice_is_heard_once
                /// A message is heard once by one who wants its channel and its topic.
                a_channel_of_a_wanted_topic_is_heard_once
                /// A subscription of several channels hears each of them.
                a_subscription_hears_all_its_channels
                /// A message is not heard in another channel of its topic.
                channels_of_a_topic_are_kept_apart
                /// A message is not heard in the channel of the same id in another topic.
                topics_keep_equal_ids_apart
                /// Channels of any characters are different channels.
                channels_of_any_characters_are_kept_apart
                /// Channels that differ in case are different channels.
                channels_keep_their_case
                /// A message is not heard in another namespace, and its channel reads as inside its own.
                namespaces_do_not_hear_each_other
                /// Who wants a topic hears the messages of all its channels.
                a_topic_is_heard_in_all_its_channels
                /// Who wants a topic hears nothing of one whose name begins alike.
                a_topic_is_heard_and_no_other
                /// Subscribe to all of a sharded topic is Invalid.
                all_of_a_sharded_topic_is_refused
                /// Subscribe to nothing is Invalid.
                listening_to_nothing_is_refused
                /// A message over the limit is refused with TooLarge, and nobody hears of it.
                a_message_that_is_too_large_is_refused
                /// A message as large as it may be arrives whole.
                the_largest_message_arrives_whole
                /// An empty message arrives, empty.
                an_empty_message_arrives
                /// All 256 bytes arrive, in any order.
                a_message_of_any_bytes_arrives
                /// A message that nobody hears is sent without an error.
                a_message_to_nobody_is_no_error
                /// A subscribe that is dropped takes no message from those who come later.
                a_cancelled_subscribe_leaves_nothing
            }
            bus_streams {
                /// What is published once subscribe was answered arrives, 1,000 times in 1,000.
                what_is_published_right_after_subscribe_arrives
                /// What one publishes to a channel, one after the other, arrives in that order.
                messages_of_a_publisher_keep_their_order
                /// What 16 publish to a channel at once arrives, all of it.
                publishers_at_once_lose_nothing
                /// What was published before subscribe is not heard.
                a_subscription_hears_nothing_from_before
                /// A subscription goes on when another of its channel is dropped.
                a_dropped_subscription_leaves_its_siblings
                /// Past its buffer a subscription hears of one gap, where the messages are missing.
                a_full_buffer_gives_one_gap_in_its_place
                /// A subscription that is slow costs no other one a message.
                a_slow_subscription_costs_others_nothing
            }
        }
        lease_laws [leases] {
            leases {
                /// Who claims a key that is absent, and that nobody leads, leads.
                who_claims_what_is_absent_leads
                /// Who claims a key that is absent, beside a leader, follows.
                who_claims_beside_a_leader_follows
                /// Who claims a key that is present has its value and its version.
                who_claims_what_is_present_has_it_fresh
                /// Who claims a key whose value it has seen leads, and the value stays.
                who_has_seen_the_value_leads
                /// Who claims a key whose older value it has seen has the newer one.
                who_has_seen_an_older_value_has_it_fresh
                /// Who claims a key whose value it has seen, beside a leader, may serve it meanwhile.
                who_has_seen_the_value_beside_a_leader_serves_it
                /// Who claims a key whose value it has seen, and which is gone, beside a leader, follows.
                who_has_seen_what_is_gone_follows
                /// A claim that is answered with a value takes no lease.
                what_is_fresh_takes_no_lease
                /// The leases of different keys, kinds and parts have nothing to do with each other.
                leases_of_different_keys_are_apart
                /// A plain put neither asks for the lease nor ends it.
                plain_puts_leave_the_lease
                /// A plain delete neither asks for the lease nor ends it.
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
                a_fence_rises_after_an_end
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
                a_committed_value_lives_from_its_commit_on
                /// A commit is refused where the condition of its put is not met, and changes nothing.
                a_commit_tests_the_condition_of_its_put
                /// A commit whose condition is not met keeps the lease.
                a_commit_on_an_unmet_condition_keeps_the_lease
                /// A commit of a value over the limit is refused with TooLarge, whoever holds the lease,
                /// and keeps it.
                a_commit_that_is_too_large_changes_nothing
            }
            lease_refusals {
                /// A commit after an invalidation is refused, also where nobody has claimed since.
                what_was_made_before_an_invalidation_is_refused
                /// A commit after an invalidation is refused beside the next leader, who may commit.
                what_was_made_before_an_invalidation_is_refused_beside_the_next_leader
                /// A commit at the end of its lease is refused, also where nobody has claimed since.
                a_commit_after_the_end_of_the_lease_is_refused
                /// A commit by one whose lease has passed to somebody else is refused.
                a_commit_after_the_lease_passed_on_is_refused
                /// A commit by one who has abandoned the lease is refused.
                a_commit_after_an_abandon_is_refused
                /// A commit where nobody has ever claimed is refused, whatever its fence.
                a_commit_without_a_lease_is_refused
                /// A commit with a fence that nobody was given is refused, be it lower or higher.
                a_commit_with_a_made_up_fence_is_refused
                /// A commit that is refused leaves the lease to its holder.
                a_refused_commit_leaves_the_lease
            }
            lease_ends {
                /// A lease is held up to its deadline, and can be claimed at it.
                a_lease_ends_at_its_deadline
                /// A commit is taken up to the deadline of the lease.
                a_lease_is_held_up_to_its_deadline
                /// A renewal holds the lease from now on, for longer than was left.
                a_renewal_prolongs_a_lease
                /// A renewal holds the lease from now on, for less than was left.
                a_renewal_may_shorten_a_lease
                /// A renewal with a fence that nobody was given is refused, and prolongs nothing.
                only_the_holder_renews
                /// A renewal at the end of the lease is refused, and does not bring it back.
                what_has_ended_is_not_renewed
                /// A renewal where nobody has claimed is refused, and makes no lease.
                a_renewal_makes_no_lease
            }
            lease_returns {
                /// After an abandon the key can be claimed.
                an_abandoned_lease_can_be_claimed
                /// An abandon with a fence that nobody was given is refused, and ends nothing.
                only_the_holder_abandons
                /// An abandon at the end of the lease is refused.
                what_has_ended_is_not_abandoned
                /// An abandon leaves the value that was seen.
                an_abandon_leaves_the_value
                /// Invalidate answers true where a value was, and false where none was.
                an_invalidation_tells_whether_a_value_was_there
                /// Invalidate answers false where a value has ended.
                an_invalidation_finds_nothing_that_has_ended
                /// After an invalidation the value is gone.
                an_invalidation_removes_the_value
                /// After an invalidation nobody leads, and the key can be claimed.
                an_invalidation_ends_the_lease
                /// `invalidate_many` answers key by key, in order, and a repeated key as it then is.
                invalidate_many_answers_in_order
                /// `invalidate_many` ends the lease of each key.
                invalidate_many_ends_each_lease
                /// A key that `invalidate_many` cannot invalidate fails alone.
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
                /// A follower of a lease that is held waits for as long as it was told, and says so.
                a_follower_waits_as_long_as_it_was_told
                /// A follower where nobody leads ends at once.
                a_follower_that_comes_late_ends_at_once
                /// A follower of a lease that is renewed goes on waiting.
                a_follower_waits_through_a_renewal
                /// A follower of a lease that is renewed for less ends with its new time.
                a_follower_ends_at_the_end_of_a_shortened_lease
                /// A follower ends with the lease that it followed, also where the next one has begun.
                a_follower_ends_though_somebody_claims_again
                /// All followers of a lease end with it.
                all_followers_end_together
                /// A follower that is dropped ends neither the lease nor another follower.
                a_follower_that_leaves_changes_nothing
            }
            lease_races {
                /// Of 8 tasks that claim at once one leads, in each of 1,000 rounds, and fences rise.
                of_many_who_claim_at_once_one_leads
                /// After a commit and an invalidation at once no value is there.
                no_commit_outlives_an_invalidation_at_once
                /// Of two commits with one fence at once, one is taken.
                of_two_commits_at_once_one_is_taken
                /// A commit that is dropped has written and given back, or neither.
                a_cancelled_commit_is_whole_or_absent
                /// The lease of a claim that is dropped ends with its time.
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
                /// Keys that may be evicted are listed, and keys that may not.
                keys_of_both_spaces_are_listed
                /// A key that stays is listed though others come and go between the pages.
                what_stays_is_listed_though_others_come_and_go
                /// Only keys that begin with the prefix are listed.
                only_keys_that_begin_with_the_prefix_are_listed
                /// The signs of patterns mean nothing in a prefix.
                a_prefix_is_no_pattern
                /// A page holds about as many keys as it was asked for, or fewer.
                a_page_is_bounded
                /// A page of no key, or of more than the most, is Invalid.
                a_page_has_a_size_within_bounds
                /// A cursor that the store has not made is Invalid.
                a_cursor_of_nobody_is_refused
                /// What has ended is not listed.
                what_has_ended_is_not_listed
            }
        }
        program_and_scan_laws [programs scan] {
            scans {
                /// Records are listed as values are.
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
