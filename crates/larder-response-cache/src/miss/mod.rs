//! What becomes of a request that is not answered at once from this process.

mod conditions;
mod flights;
mod forward;
mod hit_for_miss;
mod lookup;
mod recorder;
mod store;
mod validate;

pub(crate) use flights::{FetchOutcome, Flights, Lead, Place};
pub(crate) use forward::{FetchMode, Miss};
pub(crate) use hit_for_miss::HitForMiss;
pub(crate) use lookup::{Lookup, flight_key, respond};
pub(crate) use recorder::{BodyRecorder, RecordOutcome};
