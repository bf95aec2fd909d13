use proptest::prelude::*;

use larder_store::Ttl;

use super::*;

const NOW: i64 = 1_767_225_600_000_000;

fn gcra(quota: Quota) -> Gcra {
    Gcra::new(quota, 1).unwrap()
}

/// One visitor, whose TAT is kept here.
struct Visitor {
    gcra: Gcra,
    tat: Option<i64>,
}

impl Visitor {
    fn ask(&mut self, now: i64) -> Decision {
        let (decision, change) = self.gcra.charge(self.tat, now);
        if let Change::Set(tat) = change {
            self.tat = Some(tat);
        }
        decision
    }
}

fn fresh(quota: Quota) -> Visitor {
    Visitor {
        gcra: gcra(quota),
        tat: None,
    }
}

#[test]
fn exactly_the_limit_passes_at_once_and_then_one_for_each_interval() {
    let mut visitor = fresh(Quota::per_second(4));
    for left in [3, 2, 1, 0] {
        let decision = visitor.ask(NOW);
        assert!(decision.is_allowed());
        assert_eq!(decision.remaining(), left);
    }
    for later in 1..=4 {
        assert!(!visitor.ask(NOW + later * 250_000 - 1).is_allowed());
        assert!(visitor.ask(NOW + later * 250_000).is_allowed());
        assert!(!visitor.ask(NOW + later * 250_000).is_allowed());
    }
}

#[test]
fn a_refusal_keeps_the_tat_and_names_the_exact_microsecond() {
    let mut visitor = fresh(Quota::per_second(1));
    let _ = visitor.ask(NOW);
    let tat = visitor.tat;
    for step in 0..1_000 {
        let refused = visitor.ask(NOW + step);
        assert_eq!(
            refused.retry_after(),
            Duration::from_micros(1_000_000 - step.unsigned_abs())
        );
        assert_eq!(refused.reset(), refused.retry_after());
        assert_eq!(visitor.tat, tat);
    }
    assert!(visitor.ask(NOW + 1_000_000).is_allowed());
}

#[test]
fn a_refusal_writes_nothing_and_the_edge_is_exact_to_the_microsecond() {
    let gcra = gcra(Quota::per_second(2));
    let edge = NOW + 500_000;
    let (passed, change) = gcra.charge(Some(edge), NOW);
    assert!(passed.is_allowed() && gcra.peek(Some(edge), NOW).is_allowed());
    assert_eq!(change, Change::Set(edge + 500_000));
    let (refused, change) = gcra.charge(Some(edge + 1), NOW);
    assert_eq!((refused.retry_after_us, change), (1, Change::Keep));
    assert_eq!(gcra.peek(Some(edge + 1), NOW).retry_after_us, 1);
    // As far ahead as the burst is its own; past it the TAT is cut.
    assert_eq!(gcra.charge(Some(NOW + 1_000_000), NOW).1, Change::Keep);
    let cut = gcra.charge(Some(NOW + 1_000_001), NOW).1;
    assert_eq!(cut, Change::Set(NOW + 1_000_000));
}

#[test]
fn quotas_up_to_a_century_and_costs_up_to_the_burst_are_taken_and_nothing_past_them() {
    let century = Duration::from(Ttl::MAX);
    let longest = Quota::new(1, century);
    let (decision, change) = gcra(longest).charge(None, (1 << 53) - 1);
    assert!(decision.is_allowed());
    assert_eq!(change, Change::Set((1 << 53) - 1 + Ttl::MAX.as_micros()));
    for wrong in [
        Duration::ZERO,
        Duration::from_nanos(999),
        century + Duration::from_micros(1),
        Duration::MAX,
    ] {
        let error = Gcra::new(Quota::new(1, wrong), 1).unwrap_err();
        assert!(error.to_string().contains("100 years"), "{error}");
    }
    let half = Quota::new(1, century / 2);
    assert!(Gcra::new(half.with_burst(2), 2).is_ok());
    assert!(Gcra::new(half.with_burst(3), 1).is_err());
    assert!(Gcra::new(half.with_burst(2), 3).is_err());
    let many = |period| Gcra::new(Quota::new(1_000, Duration::from_micros(period)), 1);
    assert!(many(1_000).is_ok() && many(999).is_err());
}

#[test]
fn nobody_saves_up_more_than_the_burst() {
    let mut visitor = fresh(Quota::per_second(10).with_burst(2));
    let _ = visitor.ask(NOW);
    let later = NOW + 3_600_000_000;
    assert_eq!(
        [(); 4].map(|()| visitor.ask(later).is_allowed()),
        [true, true, false, false]
    );
}

#[test]
fn a_tat_from_another_time_is_cut_to_the_burst_once() {
    let mut visitor = fresh(Quota::per_second(2));
    visitor.tat = Some(NOW + 3_600_000_000);
    let first = visitor.ask(NOW);
    assert!(!first.is_allowed());
    assert_eq!(first.retry_after(), Duration::from_millis(500));
    assert_eq!(visitor.tat, Some(NOW + 1_000_000));
    assert!(visitor.ask(NOW + 500_000).is_allowed());
}

#[test]
fn a_cost_takes_its_units_at_once_and_waits_for_all_of_them() {
    let quota = Quota::per_second(10);
    let five = Gcra::new(quota, 5).unwrap();
    let (_, change) = five.charge(None, NOW);
    let Change::Set(tat) = change else {
        panic!("a fresh visitor is charged")
    };
    let (second, _) = five.charge(Some(tat + 1), NOW);
    assert!(!second.is_allowed());
    assert_eq!(second.remaining(), 4);
    assert_eq!(second.retry_after(), Duration::from_micros(1));
}

#[test]
fn a_cost_of_zero_or_past_the_burst_and_a_burst_past_a_century_are_refused() {
    let error = Gcra::new(Quota::per_second(2), 3).unwrap_err();
    assert!(error.to_string().contains("at most the burst"), "{error}");
    let error = Gcra::new(Quota::per_second(2), 0).unwrap_err();
    assert!(error.to_string().contains("at least 1"), "{error}");
    let slow = Quota::new(1, Duration::from_secs(3_000_000_000));
    let error = Gcra::new(slow.with_burst(2), 1).unwrap_err();
    assert!(error.to_string().contains("within 100 years"), "{error}");
    let huge = Quota::per_second(u32::MAX);
    assert!(Gcra::new(huge, 1).is_err());
}

#[test]
fn a_peek_returns_what_a_charge_would_decide() {
    let gcra = gcra(Quota::per_second(2));
    assert_eq!(gcra.peek(None, NOW).remaining(), 2);
    assert_eq!(gcra.peek(None, NOW).reset(), Duration::ZERO);
    assert!(gcra.peek(Some(NOW + 500_000), NOW).is_allowed());
    let refused = gcra.peek(Some(NOW + 500_001), NOW);
    assert!(!refused.is_allowed());
    assert_eq!(refused.retry_after(), Duration::from_micros(1));
}

fn quotas() -> impl Strategy<Value = Quota> {
    (1_u32..100_000, 1_u32..5_000, 100_000_u64..10_000_000_000).prop_map(
        |(limit, burst, period)| Quota::new(limit, Duration::from_micros(period)).with_burst(burst),
    )
}

proptest! {
    #[test]
    fn from_fresh_exactly_the_burst_passes(quota in quotas()) {
        let mut visitor = fresh(quota);
        for _ in 0..quota.burst() {
            prop_assert!(visitor.ask(NOW).is_allowed());
        }
        prop_assert!(!visitor.ask(NOW).is_allowed());
    }

    #[test]
    fn every_number_of_an_answer_is_exact(
        quota in quotas(),
        steps in prop::collection::vec((0_i64..3, 0_i64..2_000_000), 1..60),
    ) {
        let mut visitor = fresh(quota);
        let mut now = NOW;
        for (edge, gap) in steps {
            let before = visitor.tat;
            let decision = visitor.ask(now);
            prop_assert_eq!(visitor.gcra.peek(before, now).is_allowed(), decision.is_allowed());

            let retry = now + decision.retry_after_us;
            prop_assert!(visitor.gcra.peek(visitor.tat, retry).is_allowed() || decision.allowed);
            if !decision.allowed {
                prop_assert!(!visitor.gcra.peek(visitor.tat, retry - 1).is_allowed());
                prop_assert_eq!(visitor.tat, before);
            }
            let whole = now + decision.reset_us;
            prop_assert_eq!(visitor.gcra.peek(visitor.tat, whole).remaining(), quota.burst());

            let more = visitor.gcra.until_more(&decision).as_micros() as i64;
            if more > 0 {
                let units = |at| visitor.gcra.peek(visitor.tat, at).remaining();
                prop_assert_eq!(units(now + more), decision.remaining + 1);
                prop_assert_eq!(units(now + more - 1), decision.remaining);
                prop_assert!(decision.allowed || more <= decision.retry_after_us);
            }
            now = if decision.allowed { now + gap } else { retry + edge - 1 };
        }
    }
}
