use std::time::Duration;

/// What the store holds for a URI, and why a request may not be served from it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UriExplanation {
    /// What the store holds.
    pub state: UriState,
    /// The request headers that select one of the responses, in lower case.
    pub selecting: Vec<String>,
    /// The responses that were stored for it, in no order.
    pub responses: Vec<ResponseExplanation>,
    /// Whether a purge of the URI waits for the store, so that this process serves none of them.
    pub is_purge_pending: bool,
}

/// What the store holds for a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UriState {
    /// Nothing: it was not requested, must not be stored, was purged, or has expired.
    Absent,
    /// A reservation for a response that is being stored.
    Reserved,
    /// Unreadable bytes: damaged, or written by another release.
    Unreadable,
    /// One response for all requests, or one for each selection of headers.
    Stored,
}

/// A response that is stored for a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseExplanation {
    /// The status code.
    pub status: u16,
    /// The length of the body, in bytes.
    pub bytes: usize,
    /// How old it is, by `Age`, `Date` and the time since it was received.
    pub age: Duration,
    /// How much longer it is fresh. Zero if it is not: a request then has it validated.
    pub fresh_for: Duration,
    /// How much longer it permits to be served, also while it is validated or if the origin fails.
    pub usable_for: Duration,
    /// The number of its tags.
    pub tags: usize,
    /// Whether a tag of it was purged, is to be purged, or cannot be read, so that it is not served.
    pub is_purged: bool,
    /// Whether a purge made it stale.
    pub is_expired: bool,
    /// Whether it is served to requests with `Authorization` too.
    pub permits_authorized: bool,
}
