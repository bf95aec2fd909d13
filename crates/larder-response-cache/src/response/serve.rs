use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;

use super::{CacheStatus, ResponseCacheBody};
use crate::engine::{
    ByteRange, RangeSelection, is_not_modified, not_modified, range, remove_content_digests,
};
use crate::request::CacheRequest;
use crate::storage::StoredResponse;

/// Makes the response to a request from a stored one (RFC 9111, 4).
///
/// It is the whole response, a part of it, a 304, or for a HEAD the headers. The body is shared, never
/// copied. `name` is the name of this cache in `Cache-Status`.
pub(crate) fn serve<B: Body>(
    stored: &StoredResponse,
    request: &CacheRequest,
    headers: &HeaderMap,
    name: &str,
    cache_status: CacheStatus,
    now: Timestamp,
) -> Response<ResponseCacheBody<B>> {
    let age = stored.rules.freshness.age(now);
    let finish = |mut headers: HeaderMap| {
        headers.insert(header::AGE, HeaderValue::from(age));
        cache_status.add(name, &mut headers);
        headers
    };
    let (status, headers, body) = if request.is_conditional {
        let (status, headers, body) = select(stored, request, headers);
        (status, finish(headers), body)
    } else {
        let build = || finish(stored.headers.clone());
        let headers = match cache_status {
            // The header depends only on the age, so all hits within a second share it.
            CacheStatus::Hit { .. } => stored.hit_headers.of_age(age, build),
            _ => build(),
        };
        (stored.status, headers, whole(stored, request))
    };
    let mut response = Response::new(ResponseCacheBody::whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn whole(stored: &StoredResponse, request: &CacheRequest) -> Bytes {
    match request.is_head {
        true => Bytes::new(),
        false => stored.body.clone(),
    }
}

/// Applies the preconditions of the request, and selects the range that it asks for.
fn select(
    stored: &StoredResponse,
    request: &CacheRequest,
    headers: &HeaderMap,
) -> (StatusCode, HeaderMap, Bytes) {
    if is_not_modified(headers, stored.status, &stored.headers) {
        let headers = not_modified(&stored.headers);
        return (StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    let selection = match stored.status {
        StatusCode::OK if !request.is_head && !names_weak_date(stored, headers) => {
            range(headers, &stored.headers, stored.body.len())
        }
        _ => RangeSelection::Whole,
    };
    let headers = stored.headers.clone();
    match selection {
        RangeSelection::Whole => (stored.status, headers, whole(stored, request)),
        RangeSelection::Part(part) => part_of(stored, headers, part),
        RangeSelection::Unsatisfiable => unsatisfiable(stored, headers),
    }
}

/// Returns whether `If-Range` names a date that did not tell versions apart when the body was
/// received.
fn names_weak_date(stored: &StoredResponse, headers: &HeaderMap) -> bool {
    let if_range = headers.get(header::IF_RANGE);
    let names_date = if_range.is_some_and(|value| !value.as_bytes().contains(&b'"'));
    stored.date_info.is_last_modified_weak && names_date
}

fn part_of(
    stored: &StoredResponse,
    mut headers: HeaderMap,
    part: ByteRange,
) -> (StatusCode, HeaderMap, Bytes) {
    remove_content_digests(&mut headers);
    let length = stored.body.len();
    let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
    set(&mut headers, header::CONTENT_RANGE, range);
    let body = stored.body.slice(part);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    (StatusCode::PARTIAL_CONTENT, headers, body)
}

fn unsatisfiable(
    stored: &StoredResponse,
    mut headers: HeaderMap,
) -> (StatusCode, HeaderMap, Bytes) {
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ETAG] {
        headers.remove(name);
    }
    remove_content_digests(&mut headers);
    let range = format!("bytes */{}", stored.body.len());
    set(&mut headers, header::CONTENT_RANGE, range);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    (StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new())
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
