//! The meaning of status codes for a cache.

use http::StatusCode;

/// Returns whether a heuristic lifetime is permitted (RFC 9110, 15.1). Not for 206, which is not stored.
pub(super) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Returns whether this cache knows the status (RFC 9111, 3 and 5.2.2.3).
pub(super) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// Returns whether a response with this status is never stored.
///
/// It is not final or not complete, or it depends on more than the URI and the fields that `Vary` can
/// name: on `Range` (206, 416), on preconditions (304, 412, 428), on what was accepted or expected (226,
/// 406, 415, 417, 426), on how the request was sent (408, 411, 413, 421, 425, 431), or on who sent it
/// (401, 407, 429, 511). RFC 6585 forbids it for 428, 429, 431 and 511.
pub(super) fn is_never_stored(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        ..200 | 600..
            | 206
            | 226
            | 304
            | 401
            | 406
            | 407
            | 408
            | 411..=413
            | 415..=417
            | 421
            | 425
            | 426
            | 428
            | 429
            | 431
            | 511
    )
}

/// Returns whether the status says that the resource is gone.
pub(crate) fn is_gone(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 410)
}

/// Returns whether the origin failed, so that a stale response may be better (RFC 5861, 4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
