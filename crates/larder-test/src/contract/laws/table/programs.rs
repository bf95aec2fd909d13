//! The laws about records and programs.

#[doc(hidden)]
#[macro_export]
macro_rules! __programs_laws {
    ([$($then:tt)*] $($before:tt)*) => { $crate::__bus_laws! { [$($then)*] $($before)*
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
        wait_laws [programs waits] {
            waits {
                /// A step with a wake wakes the waiter of its record.
                a_wake_reaches_a_waiter
                /// A wake between the registration and the wait is not lost.
                a_wake_before_a_waiter_asks_is_not_lost
                /// Each of 16 waiters for one record is woken.
                a_wake_reaches_all_waiters
                /// A waiter is woken again by the next wake.
                a_waiter_is_woken_each_time
                /// A waiter that was woken is not woken again by the same wake.
                a_wake_is_over_once_a_waiter_has_it
                /// A step that does not wake wakes nobody.
                a_step_without_a_wake_wakes_no_waiter
                /// A step with a wake does not wake a waiter of another record.
                a_wake_of_another_record_wakes_no_waiter
                /// A woken waiter sees the changes of the step.
                a_woken_waiter_sees_the_changes_of_the_step
                /// A step of `run_many` wakes.
                a_step_among_others_wakes
                /// A waiter that is dropped takes no wake from those that stay and those that come.
                a_dropped_waiter_takes_no_wake
                /// A wait that is dropped loses no wake that comes after it.
                a_dropped_wait_loses_no_wake
                /// A wait for a value is refused with WrongType.
                only_records_are_waited_for
            }
        }
    } };
}
