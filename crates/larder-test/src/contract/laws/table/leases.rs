//! The laws about leases.

#[doc(hidden)]
#[macro_export]
macro_rules! __leases_laws {
    ([$($then:tt)*] $($before:tt)*) => { $crate::__scans_laws! { [$($then)*] $($before)*
        lease_laws [leases] {
            leases {
                /// A claim of an absent key without a leader leads.
                a_claim_of_an_absent_key_leads
                /// A claim of an absent key follows while another caller leads.
                a_claim_beside_a_leader_follows
                /// A claim of a present key gets its value and its version.
                a_claim_of_a_present_key_gets_its_value
                /// A claim that has seen the value leads, and the value stays.
                a_claim_that_has_seen_the_value_leads
                /// A claim that has seen an older value gets the newer one.
                a_claim_that_has_seen_an_older_value_gets_the_newer_one
                /// A claim that has seen the value may serve it while another caller leads.
                a_claim_that_has_seen_the_value_beside_a_leader_may_serve_it
                /// A claim that has seen a deleted value follows while another caller leads.
                a_claim_that_has_seen_a_deleted_value_follows
                /// A claim of an expired value leads, even if it has seen it.
                a_claim_of_an_expired_value_leads
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
                /// A commit after an invalidation is refused while the next caller leads, which may commit.
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
                /// A renewal after a commit or an abandon is refused, and does not revive the lease.
                a_lease_that_was_given_back_is_not_renewed
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
    } };
}
