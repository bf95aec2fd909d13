use proptest::prelude::*;

use super::*;

const FIVE: Bytes = Bytes::from_static(b"i5");
const TEXT: Bytes = Bytes::from_static(b"mtext");

fn int(int: i64) -> Bytes {
    value::int_to_store(int).unwrap()
}

fn seen(pending: &Pending, stored: Option<&Bytes>) -> Option<i64> {
    value::stored_int(&pending.on_top_of("n", stored.map(|it| &**it))?)
}

/// One operation on the one field of these tests.
#[derive(Clone, Debug)]
enum Op {
    Set(i64),
    SetText,
    Remove,
    Take,
    Add(i64),
}
use Op::{Add, Remove, Set, SetText, Take};

/// A request that found `stored`, as [`Session`](crate::Session) does it.
struct Request {
    stored: Option<Bytes>,
    pending: Pending,
}

impl Request {
    fn new(stored: Option<i64>) -> Self {
        Self {
            stored: stored.map(int),
            pending: Pending::default(),
        }
    }

    fn field(&self) -> Option<Bytes> {
        let field = self.pending.on_top_of("n", self.stored.as_deref());
        field.map(|field| field.into_owned().into())
    }

    fn run(&mut self, op: &Op) {
        match op {
            Set(to) => self.pending.set("n", int(*to)),
            SetText => self.pending.set("n", TEXT),
            Remove => self.pending.remove("n"),
            Take => {
                if self.field().is_some() {
                    self.pending.take("n", self.stored.clone());
                }
            }
            Add(by) => {
                // `Session::increment` makes the same check first.
                if alone(self.field(), op) != Err(()) {
                    self.pending.add("n", *by).unwrap();
                }
            }
        }
    }

    /// Returns the new value of a field that is `held` now.
    fn written_on(&self, held: Option<Bytes>) -> Result<Option<Bytes>, ()> {
        match self.pending.get("n") {
            None => Ok(held),
            Some(change) => change.of(held.as_ref()).map_err(|_| ()),
        }
    }
}

/// Returns the sequential reference: the effect of one operation on a field that no other request
/// changes.
fn alone(held: Option<Bytes>, op: &Op) -> Result<Option<Bytes>, ()> {
    match op {
        Set(to) => Ok(Some(int(*to))),
        SetText => Ok(Some(TEXT)),
        Remove | Take => Ok(None),
        Add(by) => match held {
            None => Ok(Some(int(*by))),
            Some(held) => Ok(Some(int(value::stored_int(&held).ok_or(())? + by))),
        },
    }
}

fn all_alone(held: Option<Bytes>, ops: &[Op]) -> Option<Bytes> {
    ops.iter()
        .fold(held, |held, op| alone(held.clone(), op).unwrap_or(held))
}

/// Each pair of operations of one request, while others add 7 to the 5 or the 0 that it found.
#[test]
fn what_others_add_between_two_operations_is_kept_unless_it_is_replaced() {
    for (ops, from_five, from_nothing) in [
        // Sums, in all combinations.
        ([Add(1), Add(2)], Some(15), Some(10)),
        ([Take, Add(1)], Some(8), Some(8)),
        ([Add(1), Take], Some(7), Some(7)),
        // This request has not added to it: a value that others set stays.
        ([Take, Take], Some(12), Some(7)),
        // A value that was set or removed counts as the last state.
        ([Set(1), Add(2)], Some(3), Some(3)),
        ([Remove, Add(2)], Some(2), Some(2)),
        ([Set(1), Set(2)], Some(2), Some(2)),
        ([Remove, Set(2)], Some(2), Some(2)),
        ([Take, Set(2)], Some(2), Some(2)),
        ([Add(1), Set(2)], Some(2), Some(2)),
        ([Set(1), Take], None, None),
        ([Set(1), Remove], None, None),
        ([Remove, Take], None, None),
        ([Remove, Remove], None, None),
        ([Take, Remove], None, None),
        ([Add(1), Remove], None, None),
    ] {
        for (stored, expected) in [(Some(5), from_five), (None, from_nothing)] {
            let mut request = Request::new(stored);
            ops.iter().for_each(|op| request.run(op));
            let others = Some(int(stored.unwrap_or(0) + 7));
            let written = request.written_on(others).unwrap();
            assert_eq!(written, expected.map(int), "{ops:?} on {stored:?}");
        }
    }
}

#[test]
fn sums_add_up_before_they_are_written() {
    let mut pending = Pending::default();
    pending.add("n", 2).unwrap();
    pending.add("n", 3).unwrap();
    assert_eq!(seen(&pending, Some(&FIVE)), Some(10));
    assert!(pending.changes() == [("n".into(), Change::Add(5))]);
}

#[test]
fn a_sum_on_top_of_ones_own_value_is_a_value() {
    let mut pending = Pending::default();
    pending.set("n", FIVE);
    pending.add("n", 1).unwrap();
    assert_eq!(seen(&pending, Some(&Bytes::from_static(b"i100"))), Some(6));
    pending.remove("n");
    pending.add("n", 1).unwrap();
    assert_eq!(seen(&pending, Some(&FIVE)), Some(1));
}

#[test]
fn what_is_taken_goes_only_if_it_is_still_that() {
    let mut pending = Pending::default();
    pending.take("n", Some(FIVE));
    assert_eq!(pending.on_top_of("n", Some(b"i5")), None);
    let newer: &[u8] = b"i6";
    assert_eq!(pending.on_top_of("n", Some(newer)).as_deref(), Some(newer));
}

#[test]
fn what_is_no_integer_is_not_added_to() {
    let mut pending = Pending::default();
    pending.set("n", TEXT);
    let error = pending.add("n", 1).unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::NotAnInteger);
}

#[test]
fn no_sum_of_a_tally_leaves_its_bounds() {
    const MOST: i64 = larder_store::program::MAX_INT;
    for (stored, by, others, expected) in [
        (-MOST, MOST, -MOST + 1, Err(())),
        (MOST, 1, MOST - 1, Ok(Some(int(0)))),
        (1, MOST, 2, Err(())),
        (5, MOST, 4, Ok(Some(int(MOST - 1)))),
    ] {
        let mut request = Request::new(Some(stored));
        [Take, Add(by)].iter().for_each(|op| request.run(op));
        assert_eq!(request.written_on(Some(int(others))), expected);
    }
    let mut pending = Pending::default();
    pending.take("n", Some(FIVE));
    pending.add("n", MOST).unwrap();
    assert!(pending.add("n", 1).is_err());
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (-9_i64..10).prop_map(Set),
        1 => Just(SetText),
        2 => Just(Remove),
        4 => Just(Take),
        5 => (-9_i64..10).prop_map(Add),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    proptest::collection::vec(op(), 0..7)
}

proptest! {
    /// Without other writers, a request has the effect of its operations one after the other.
    #[test]
    fn alone_a_request_does_what_its_operations_do_in_turn(stored in proptest::option::of(-20_i64..20), ops in ops()) {
        let mut request = Request::new(stored);
        let mut held = stored.map(int);
        for op in &ops {
            request.run(op);
            held = alone(held.clone(), op).unwrap_or(held);
            prop_assert_eq!(request.field(), held.clone());
        }
        prop_assert_eq!(request.written_on(stored.map(int)), Ok(held));
    }

    /// Where others add meanwhile, the outcome is that of some order in which the requests could have
    /// come one after the other; a pure `take` is the one exception, and leaves changes of others.
    #[test]
    fn with_others_who_add_a_request_does_what_some_order_of_the_two_does(
        stored in proptest::option::of(-20_i64..20),
        ops in ops(),
        added in (-9_i64..10).prop_filter("a change", |by| *by != 0),
    ) {
        let mut request = Request::new(stored);
        ops.iter().for_each(|op| request.run(op));
        let others = int(stored.unwrap_or(0) + added);
        let written = request.written_on(Some(others.clone()));
        let only_takes = matches!(request.pending.get("n"), Some(Change::Discard(_)));
        if only_takes {
            prop_assert_eq!(written, Ok(Some(others)));
            return Ok(());
        }
        let after = all_alone(Some(others), &ops);
        let before = all_alone(stored.map(int), &ops);
        let before = alone(before.clone(), &Add(added)).unwrap_or(before);
        // For a sum, absent is the same as zero.
        let number = |held: Option<Bytes>| held.unwrap_or_else(|| int(0));
        let written = number(written.unwrap());
        prop_assert!(
            written == number(before.clone()) || written == number(after.clone()),
            "{:?} is neither {:?} nor {:?}", written, before, after
        );
    }

    /// If others set another type, no operation panics, and a value that was set stays set.
    #[test]
    fn what_is_set_last_is_the_last_whatever_others_put_there(stored in proptest::option::of(-20_i64..20), mut ops in ops(), to in -9_i64..10) {
        let mut request = Request::new(stored);
        ops.push(Set(to));
        ops.iter().for_each(|op| request.run(op));
        for held in [None, Some(TEXT), Some(int(3))] {
            prop_assert_eq!(request.written_on(held), Ok(Some(int(to))));
        }
    }

    /// Many requests that take from a counter and add to it: what they took and what is left is
    /// what was added in all.
    #[test]
    fn what_is_taken_and_what_is_left_of_a_counter_is_what_was_added(
        requests in proptest::collection::vec((any::<bool>(), -9_i64..10, -9_i64..10), 1..8),
    ) {
        // All of them read the same value, as concurrent requests do.
        let stored = 20;
        let (mut held, mut sum) = (Some(int(stored)), stored);
        let mut taken = 0;
        for (takes, first, second) in requests {
            let mut request = Request::new(Some(stored));
            request.run(&Add(first));
            if takes && taken == 0 {
                taken = value::stored_int(&request.field().unwrap()).unwrap();
                request.run(&Take);
            }
            request.run(&Add(second));
            sum += first + second;
            held = request.written_on(held).unwrap();
        }
        let left = held.and_then(|held| value::stored_int(&held)).unwrap_or(0);
        prop_assert_eq!(taken + left, sum);
    }
}
