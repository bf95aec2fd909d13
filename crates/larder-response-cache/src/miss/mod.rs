//! A request that this process cannot answer at once, from the lookup to the stored response.
//!
//! - `lookup`: the request is answered by a stored response, waits for another fetch, or is a miss.
//! - `forward`: a miss is sent to the inner service; a stale response covers a failure.
//! - `validate`: a 304 updates the stored response (RFC 9111, 4.3).
//! - `background`: a stale response is validated after it was served.
//! - `conditions`: the client's preconditions are applied, if they were not forwarded.
//! - `store` and `recorder`: the response is sent on, and stored on the way (RFC 9111, 3).

mod background;
mod conditions;
mod flights;
mod forward;
mod lookup;
mod marks;
mod recorder;
mod store;
mod validate;

pub(crate) use flights::{FetchLeader, Flights};
pub(crate) use lookup::Lookup;
pub(crate) use marks::Marks;
