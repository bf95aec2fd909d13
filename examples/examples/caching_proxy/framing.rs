//! The length of a message, if the message states it in more than one way (RFC 9112, 6).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::BoxError;

/// Returns why a request cannot be sent on: its body is in a coding that this proxy does not decode, so
/// that the origin would not know what it gets (RFC 9112, 6.1), or is in chunks of chunks.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<StatusCode> {
    let (mut chunked, mut others) = (0, 0);
    for coding in list(headers, TRANSFER_ENCODING) {
        match coding.eq_ignore_ascii_case(b"chunked") {
            true => chunked += 1,
            false => others += 1,
        }
    }
    match (chunked, others) {
        (0 | 1, 0) => None,
        (_, 0) => Some(StatusCode::BAD_REQUEST),
        _ => Some(StatusCode::NOT_IMPLEMENTED),
    }
}

/// Makes a response state one length, and only if it has that one.
///
/// A length beside a transfer coding is not that of the encoded body, and a 204 has none (RFC 9110, 8.6);
/// several equal lengths count as one.
///
/// # Errors
///
/// If the response is in a coding that is not decoded, or states several lengths.
pub(crate) fn settle<B>(response: &mut Response<B>) -> Result<(), BoxError> {
    let is_bare = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if refusal(headers).is_some() {
        return Err("the origin sends a body in a coding that this proxy does not take off".into());
    }
    if is_bare || headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    let mut lengths = list(headers, CONTENT_LENGTH);
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    if lengths.any(|other| other != length) {
        return Err("the origin names several lengths".into());
    }
    let length = HeaderValue::from_bytes(length)?;
    drop(lengths);
    headers.insert(CONTENT_LENGTH, length);
    Ok(())
}

/// Returns the members of a list, over all the fields with that name.
fn list(headers: &HeaderMap, name: http::HeaderName) -> impl Iterator<Item = &[u8]> {
    let fields = headers.get_all(name).into_iter();
    let members = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii).filter(|it| !it.is_empty())
}
