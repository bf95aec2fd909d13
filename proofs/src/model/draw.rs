use larder_store::Ttl;
use larder_test::records::Add;
use proptest::collection::vec;
use proptest::prelude::*;

use super::arguments::{Content, Id, When, Write};
use super::events;
use super::leases;
use super::limits;
use super::operation::Operation;
use super::queue;
use super::sessions;
use super::time::Time;

/// Sequences of fewer than 60 operations.
pub(crate) fn sequences(time: Time) -> impl Strategy<Value = Vec<Operation>> {
    vec(operation(time), 1..60)
}

/// Sequences of fewer than 60 operations on rate limits alone.
pub(crate) fn of_limits() -> impl Strategy<Value = Vec<Operation>> {
    let limits = limits::operation().prop_map(Operation::Limit);
    vec(
        prop_oneof![2 => limits.boxed(), 1 => lapse().boxed()],
        1..60,
    )
}

fn operation(time: Time) -> BoxedStrategy<Operation> {
    let values = prop_oneof![
        3 => id().prop_map(Operation::Get),
        2 => id().prop_map(Operation::GetNow),
        6 => write(time).prop_map(Operation::Put),
        4 => write(time).prop_map(Operation::PutNow),
        2 => (id(), when()).prop_map(|(id, when)| Operation::Delete(id, when)),
        2 => (id(), when()).prop_map(|(id, when)| Operation::DeleteNow(id, when)),
        2 => (id(), ttl(time)).prop_map(|(id, ttl)| Operation::Expire(id, ttl)),
        2 => id().prop_map(Operation::TtlOf),
        2 => vec(id(), 0..6).prop_map(Operation::GetMany),
        2 => vec(write(time), 0..6).prop_map(Operation::PutMany),
        2 => vec((id(), when()), 0..6).prop_map(Operation::DeleteMany),
    ];
    let programs = prop_oneof![
        4 => (record(), add(time)).prop_map(|(id, add)| Operation::Add(id, add)),
        2 => vec((record(), add(time)), 0..6).prop_map(Operation::AddMany),
        2 => record().prop_map(Operation::ReadTally),
        1 => record().prop_map(Operation::ClearTally),
        1 => record().prop_map(Operation::InspectTally),
        1 => (record(), short(time)).prop_map(|(id, ttl)| Operation::Mark(id, ttl)),
        2 => (record(), vec(any::<u8>(), 0..8), short(time))
            .prop_map(|(id, line, ttl)| Operation::Append(id, line, ttl)),
        2 => record().prop_map(Operation::ReadJournal),
        1 => record().prop_map(Operation::ClearJournal),
    ];
    let leases = leases::operation(time).prop_map(Operation::Lease);
    // Boxed, since a draw holds those of all its parts, on stacks as small as those of tests.
    let all = prop_oneof![
        8 => values.boxed(),
        6 => programs.boxed(),
        8 => leases.boxed(),
        1 => scan(time).boxed(),
    ];
    match time {
        Time::Passes | Time::PassesBesideValues => {
            let queues = queue::operation(time).prop_map(Operation::Queue);
            let logs = events::operation(time).prop_map(Operation::Log);
            let sessions = sessions::operation(time).prop_map(Operation::Session);
            let limits = limits::operation().prop_map(Operation::Limit);
            prop_oneof![
                20 => all.boxed(),
                3 => queues.boxed(),
                3 => logs.boxed(),
                6 => limits.boxed(),
                6 => sessions.boxed(),
                4 => lapse().boxed(),
                2 => at_end(time).boxed(),
            ]
            .boxed()
        }
        // Queues and logs are ordered by times that differ by a server's clock and not by the model's.
        // What a limit lets pass depends on the time too.
        Time::StandsStill => all.boxed(),
    }
}

pub(crate) fn id() -> impl Strategy<Value = Id> {
    prop_oneof![24 => value().prop_map(Id::Value), 1 => record().prop_map(Id::Record)]
}

/// Some are drawn more often than others, so that many operations meet on one key.
pub(crate) fn value() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0), 2 => Just(1), 2 => 2..4_u8]
}

fn record() -> impl Strategy<Value = u8> {
    0..3_u8
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        3 => Just(When::Always),
        2 => Just(When::IfAbsent),
        2 => Just(When::IfPresent),
        4 => (0..3_usize).prop_map(When::IfVersion),
    ]
}

pub(crate) fn write(time: Time) -> impl Strategy<Value = Write> {
    let value = prop_oneof![
        40 => vec(any::<u8>(), 0..40).prop_map(Content::Bytes),
        1 => Just(Content::TooLarge),
    ];
    let drawn = (id(), value, ttl(time), when());
    drawn.prop_map(|(id, value, ttl, when)| Write {
        id,
        value,
        ttl,
        when,
    })
}

/// Draws an addition whose limit is often near, sometimes of zero.
fn add(time: Time) -> impl Strategy<Value = Add> {
    let drawn = (-3..10_i64, 0..20_i64, short(time));
    drawn.prop_map(|(by, limit, ttl)| Add { by, limit, ttl })
}

/// Draws the TTL of a value.
fn ttl(time: Time) -> BoxedStrategy<Ttl> {
    match time {
        Time::Passes => ending(),
        Time::PassesBesideValues | Time::StandsStill => lasting(),
    }
}

/// Draws the TTL of a record or a lease.
pub(crate) fn short(time: Time) -> BoxedStrategy<Ttl> {
    match time {
        Time::Passes | Time::PassesBesideValues => ending(),
        Time::StandsStill => lasting(),
    }
}

fn ending() -> BoxedStrategy<Ttl> {
    prop_oneof![8 => 1..20_u64, 1 => Just(60_000), 1 => Just(Ttl::MAX.as_millis())]
        .prop_map(Ttl::from_millis)
        .boxed()
}

fn lasting() -> BoxedStrategy<Ttl> {
    (600..1200_u64).prop_map(Ttl::from_secs).boxed()
}

/// Draws a time at an end, or a microsecond before or after it.
fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(-1), 2 => Just(0), 1 => Just(1)]
}

fn at_end(time: Time) -> impl Strategy<Value = Operation> {
    let drawn = (micros(), leases::operation(time));
    drawn.prop_map(|(micros, operation)| Operation::LeaseAtEnd(micros, operation))
}

/// Draws a step of the clock: onto an end, or by some time.
fn lapse() -> impl Strategy<Value = Operation> {
    let back = prop_oneof![4 => Just(0), 2 => Just(1), 1 => Just(2)];
    prop_oneof![
        1 => (0..12_i64, micros())
            .prop_map(|(millis, micros)| Operation::Advance(millis * 1000 + micros)),
        2 => (back, micros()).prop_map(|(back, micros)| Operation::AdvanceToEnd(back, micros)),
    ]
}

/// Draws a scan. It skips records if only the model's clock moves, since the store may still
/// list expired ones.
fn scan(time: Time) -> impl Strategy<Value = Operation> {
    let prefixes: &[&str] = match time {
        Time::Passes | Time::StandsStill => &[
            "",
            "model:",
            "law-",
            "law-tally:{1",
            "model:{2}",
            "odel",
            "*",
            "mode?",
        ],
        Time::PassesBesideValues => &["model:", "model:{2}", "odel", "mode?"],
    };
    let about = prop_oneof![6 => 1..5_usize, 2 => Just(1000), 1 => Just(0), 1 => Just(1001)];
    let drawn = (prop::sample::select(prefixes), about);
    drawn.prop_map(|(prefix, about)| Operation::Scan(prefix, about))
}
