use http::{HeaderMap, StatusCode};
use larder_layer::{Leader, SingleFlight};
use smallvec::SmallVec;

use crate::engine::OriginFailure;
use crate::request::CacheRequest;
use crate::storage::Found;

/// The fetches under way, one for each key of [`flight_key`].
pub(crate) type Flights = SingleFlight<Vec<u8>, FetchOutcome>;

/// The leader of a fetch, which completes it for every request that waits.
pub(crate) type FetchLeader = Leader<Vec<u8>, FetchOutcome>;

/// The outcome of a fetch, for the requests that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchOutcome {
    /// The response is stored, and may be served.
    Stored,
    /// The response was purged or replaced meanwhile. Each request looks again.
    Superseded,
    /// There is no response to share. Each request is forwarded by itself.
    NotShared,
    /// The origin failed, with this status if it answered. A stale response may be served.
    Failed(OriginFailure, Option<StatusCode>),
}

/// Returns the key that requests for the same response share: the URI, and the variant if there are
/// variants.
pub(super) fn flight_key(
    request: &CacheRequest,
    found: &Found,
    headers: &HeaderMap,
) -> SmallVec<[u8; 128]> {
    let mut key = SmallVec::from_slice(request.key.as_bytes());
    let selecting = found.selecting(&request.key_fields);
    if !selecting.is_empty() {
        key.push(b' ');
        key.extend_from_slice(selecting.variant(headers).as_bytes());
    }
    key
}
