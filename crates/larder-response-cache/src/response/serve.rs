use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;

use crate::engine::{ByteRange, RangeSelection, is_not_modified, not_modified, range};
use crate::request::CacheRequest;
use crate::response::CacheStatus;
use crate::response::ResponseBody;
use crate::storage::StoredResponse;
use crate::storage::with_age_and_status;

/// The response that a stored one is for a request (RFC 9111, 4): whole, a part, without its body
/// for a HEAD, or a 304. The body is shared, never copied.
pub(crate) fn serve<B: Body>(
    entry: &StoredResponse,
    cache_request: &CacheRequest,
    request: &HeaderMap,
    name: &str,
    cache_status: CacheStatus,
    now: Timestamp,
) -> Response<ResponseBody<B>> {
    let age = entry.rules.freshness.age(now);
    let (status, headers, body) = if cache_request.is_conditional {
        let (status, headers, body) = select(entry, cache_request, request);
        (
            status,
            with_age_and_status(headers, age, name, cache_status),
            body,
        )
    } else {
        let headers = entry
            .hit_headers
            .headers(&entry.headers, age, name, cache_status);
        (entry.status, headers, whole(entry, cache_request))
    };
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn whole(entry: &StoredResponse, cache_request: &CacheRequest) -> Bytes {
    if cache_request.is_head {
        return Bytes::new();
    }
    entry.body.clone()
}

/// What is served by the conditions of the request, and the part that it asks for.
fn select(
    entry: &StoredResponse,
    cache_request: &CacheRequest,
    request: &HeaderMap,
) -> (StatusCode, HeaderMap, Bytes) {
    if is_not_modified(request, entry.status, &entry.headers) {
        let headers = not_modified(&entry.headers);
        return (StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    let headers = entry.headers.clone();
    let part = match entry.status {
        StatusCode::OK if !cache_request.is_head && !names_weak_date(entry, request) => {
            range(request, &entry.headers, entry.body.len())
        }
        _ => RangeSelection::Whole,
    };
    match part {
        RangeSelection::Whole => (entry.status, headers, whole(entry, cache_request)),
        RangeSelection::Part(part) => part_of(entry, headers, part),
        RangeSelection::Unsatisfiable => unsatisfiable(entry, headers),
    }
}

/// Whether `If-Range` names a date that did not tell versions apart when the body came.
fn names_weak_date(entry: &StoredResponse, request: &HeaderMap) -> bool {
    let if_range = request.get(header::IF_RANGE);
    let names_date = if_range.is_some_and(|value| !value.as_bytes().contains(&b'"'));
    entry.date_info.is_last_modified_weak && names_date
}

fn part_of(
    entry: &StoredResponse,
    mut headers: HeaderMap,
    part: ByteRange,
) -> (StatusCode, HeaderMap, Bytes) {
    let whole = entry.body.len();
    let said = format!("bytes {}-{}/{whole}", part.start, part.end - 1);
    set(&mut headers, header::CONTENT_RANGE, said);
    let body = entry.body.slice(part);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    (StatusCode::PARTIAL_CONTENT, headers, body)
}

fn unsatisfiable(entry: &StoredResponse, mut headers: HeaderMap) -> (StatusCode, HeaderMap, Bytes) {
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::ETAG] {
        headers.remove(name);
    }
    let said = format!("bytes */{}", entry.body.len());
    set(&mut headers, header::CONTENT_RANGE, said);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    (StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new())
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
