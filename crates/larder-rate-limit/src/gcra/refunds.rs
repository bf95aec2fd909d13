use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_767_225_600_000_000;

fn per_second(limit: u32) -> Gcra {
    Gcra::new(Quota::per_second(limit), 1).unwrap()
}

/// Charges, and returns the decision and the new TAT.
fn charge(gcra: &Gcra, tat: Option<i64>, now: i64) -> (Decision, Option<i64>) {
    let (decision, change) = gcra.charge(tat, now);
    (decision, after(tat, change))
}

fn refund(gcra: &Gcra, tat: Option<i64>, decision: &Decision, now: i64) -> Option<i64> {
    after(tat, gcra.refund(tat, decision.paid_off_us, now).1)
}

fn after(tat: Option<i64>, change: Change) -> Option<i64> {
    match change {
        Change::Keep => tat,
        Change::Set(tat) => Some(tat),
        Change::Clear => None,
    }
}

#[test]
fn a_refund_leaves_what_there_was() {
    let gcra = per_second(4);
    let (_, one) = charge(&gcra, None, NOW);
    let (second, two) = charge(&gcra, one, NOW);
    assert_eq!(refund(&gcra, two, &second, NOW), one);
    let (first, one) = charge(&gcra, None, NOW);
    assert_eq!(refund(&gcra, one, &first, NOW), None);
}

#[test]
fn a_refund_gives_back_nothing_that_time_has_given_back() {
    let gcra = per_second(4);
    let (first, tat) = charge(&gcra, None, NOW);
    let (_, tat) = charge(&gcra, tat, NOW);
    // The first charge is paid off after a quarter of a second; until then, its remainder is
    // refunded.
    for (later, left) in [(0, 250_000), (100_000, 150_000), (249_999, 1), (250_000, 0)] {
        let now = NOW + later;
        let refunded = refund(&gcra, tat, &first, now).unwrap();
        assert_eq!(tat.unwrap() - refunded, left, "{later} later");
    }
    // Long after that, nothing is taken from a charge that was made since.
    let later = NOW + 5_000_000;
    let (_, tat) = charge(&gcra, tat, later);
    assert_eq!(refund(&gcra, tat, &first, later), tat);
}

#[test]
fn a_refund_that_gives_nothing_back_writes_nothing() {
    let gcra = per_second(4);
    let (first, _) = charge(&gcra, None, NOW);
    let (paid_off, tat) = (first.paid_off_us, NOW + 500_000);
    let change = |now| gcra.refund(Some(tat), paid_off, now).1;
    assert_eq!(change(paid_off - 1), Change::Set(tat - 1));
    assert_eq!(change(paid_off), Change::Keep);
    assert_eq!(change(tat - 1), Change::Keep);
    // A TAT that has passed counts as none.
    assert_eq!(change(tat), Change::Clear);
    assert_eq!(gcra.refund(Some(paid_off), paid_off, NOW).1, Change::Clear);
}

#[test]
fn what_was_not_charged_is_not_given_back() {
    let gcra = per_second(1);
    let (_, tat) = charge(&gcra, None, NOW);
    let (refused, tat) = charge(&gcra, tat, NOW);
    assert!(!refused.is_allowed() && !refused.is_charged());
    assert_eq!(refund(&gcra, tat, &refused, NOW), tat);
    assert!(!gcra.peek(tat, NOW).is_charged());
}

#[test]
fn a_refund_after_the_clock_went_back_gives_back_one_charge_at_most() {
    let gcra = per_second(4);
    let (_, tat) = charge(&gcra, None, NOW);
    let (second, tat) = charge(&gcra, tat, NOW);
    let before = NOW - 3_600_000_000;
    let refunded = refund(&gcra, tat, &second, before).unwrap();
    assert_eq!(refunded, before + gcra.tolerance - gcra.charge);
}

proptest! {
    /// One visitor makes a request that is refunded, and another does not make it. The first is never
    /// better off, and if no time passes, both are in the same state.
    #[test]
    fn nobody_gains_by_a_refund_and_at_the_same_moment_nobody_loses(
        limit in 1_u32..6,
        before in proptest::collection::vec(0_i64..400_000, 0..6),
        between in proptest::collection::vec(0_i64..400_000, 0..6),
        wait in 0_i64..400_000,
    ) {
        let gcra = per_second(limit);
        let (mut now, mut tat) = (NOW, None);
        for pause in before {
            now += pause;
            (_, tat) = charge(&gcra, tat, now);
        }
        let (decision, mut with) = charge(&gcra, tat, now);
        prop_assume!(decision.is_allowed());
        let mut without = tat;
        let start = now;
        for pause in between {
            now += pause;
            // A request that was refused because of the other one is repeated after the refund.
            let (other, charged) = charge(&gcra, with, now);
            if other.is_allowed() {
                with = charged;
                without = charge(&gcra, without, now).1;
            }
        }
        now += wait;
        let with = refund(&gcra, with, &decision, now).unwrap_or(now).max(now);
        let without = without.unwrap_or(now).max(now);
        prop_assert!(with >= without, "{} early", without - with);
        if now == start {
            prop_assert_eq!(with, without);
        }
    }
}
