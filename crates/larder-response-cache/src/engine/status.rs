//! What is known about status codes.

use http::StatusCode;

/// Whether a response with this status may be reused for a while without being asked to
/// (RFC 9110, 15.1). 206 is left out: ranges are not stored.
pub(super) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

/// Whether what the status means for a cache is known here (RFC 9111, 3 and 5.2.2.3).
pub(super) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// Whether a response with this status is never stored, as it is not final, not whole, or depends on
/// more than the URI and the fields that `Vary` may name: on `Range` (206, 416), conditions (304, 412,
/// 428), what was accepted or expected (226, 406, 415, 417, 426), how the request was sent (408, 411,
/// 413, 421, 425, 431), or who sent it (401, 407, 429, 511).
///
/// RFC 9111, 3 asks it of what is not understood, RFC 6585 of 428, 429, 431 and 511.
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

/// Whether an error with this status says that the resource is gone.
pub(super) fn is_gone(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 410)
}

/// Whether the origin failed, so that a stale response may be better (RFC 5861, 4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
