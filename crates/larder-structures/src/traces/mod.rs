//! Compares the Lua of each program with its Rust, and plants faults in the Lua that must be found.

use std::fmt::Debug;

use fastrand::Rng;
use larder_store::Ttl;
use larder_store::program::{Program, Record};
use larder_test::trace::{self, Fault, Step};

/// Draws one step of a trace.
pub(crate) type Next = fn(&mut Rng) -> Box<dyn Step>;

/// The number of seeds of the traces, and of steps for each.
const LONG: (u64, usize) = (24, 240);

/// A step after which the TTLs that it set end.
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

/// A TTL long enough that a record of several members is usually built up.
pub(crate) fn long_ttl(rng: &mut Rng) -> Ttl {
    Ttl::from_millis([1, 60_000, 600_000, 3_600_000][rng.usize(..4)])
}

/// Fails if the two forms differ in a seeded trace.
pub(crate) async fn holds<R: Record>(next: Next) {
    Box::pin(larder_worlds::traces::holds::<R, _>(LONG, || next)).await;
}

/// Fails if the traces miss one of the faults.
pub(crate) async fn catches<R: Record>(next: Next, faults: &[Fault]) {
    Box::pin(larder_worlds::traces::catches::<R, _>(
        LONG,
        || next,
        faults,
    ))
    .await;
}
