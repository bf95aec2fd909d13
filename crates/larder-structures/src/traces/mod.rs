//! Holds the Lua of each program against its Rust, and plants faults in the Lua that must be seen.

use std::fmt::Debug;

use fastrand::Rng;
use larder_store::Ttl;
use larder_store::program::{Program, Record};
use larder_test::trace::{self, Fault, Step};

/// Draws one step of a trace.
pub(crate) type Next = fn(&mut Rng) -> Box<dyn Step>;

/// How many seeds the traces have, and how many steps each.
const LONG: (u64, usize) = (12, 400);

/// A step after which the TTLs end that it set.
pub(crate) fn after<P>(program: P, ttls: Vec<Ttl>) -> Box<dyn Step>
where
    P: Program + Debug + 'static,
    P::Reply: Debug,
{
    let spans = ttls.iter().map(|ttl| ttl.as_micros()).collect();
    trace::after(program, spans)
}

pub(crate) fn ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 2, 1_500, 60_000][rng.usize(..4)])
}

/// A TTL after which a record of several members has mostly been built up.
pub(crate) fn long_ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 60_000, 600_000, 3_600_000][rng.usize(..4)])
}

/// Fails where the two forms differ in a seeded trace.
pub(crate) async fn holds<R: Record>(next: Next) {
    Box::pin(larder_worlds::traces::holds::<R, _>(LONG, || next)).await;
}

/// Fails where the traces miss one of the faults.
pub(crate) async fn catches<R: Record>(next: Next, faults: &[Fault]) {
    Box::pin(larder_worlds::traces::catches::<R, _>(
        LONG,
        || next,
        faults,
    ))
    .await;
}
