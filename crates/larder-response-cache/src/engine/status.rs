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

/// Whether the origin failed, so that a stale response may be better (RFC 5861, 4).
pub(super) fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}
