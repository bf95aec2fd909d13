use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use larder_store::Timestamp;

use crate::asked::Asked;
use crate::body::ResponseBody;
use crate::cache_status::CacheStatus;
use crate::engine::{ByteRange, Ranged, is_not_modified, not_modified, range};
use crate::entry::Entry;
use crate::stamp::stamped;

/// The response that a stored one is for a request (RFC 9111, 4): whole, a part, without its body
/// for a HEAD, or a 304. The body is shared, never copied.
pub(crate) fn serve<B: Body>(
    entry: &Entry,
    asked: &Asked,
    request: &HeaderMap,
    name: &str,
    how: CacheStatus,
    now: Timestamp,
) -> Response<ResponseBody<B>> {
    let age = entry.rules.freshness.age(now);
    let (status, headers, body) = if asked.is_conditional {
        let (status, headers, body) = select(entry, asked, request);
        (status, stamped(headers, age, name, how), body)
    } else {
        let headers = entry.stamp.headers(&entry.headers, age, name, how);
        (entry.status, headers, whole(entry, asked))
    };
    let mut response = Response::new(ResponseBody::whole(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn whole(entry: &Entry, asked: &Asked) -> Bytes {
    if asked.is_head {
        return Bytes::new();
    }
    entry.body.clone()
}

/// What is served by the conditions of the request, and the part that it asks for.
fn select(entry: &Entry, asked: &Asked, request: &HeaderMap) -> (StatusCode, HeaderMap, Bytes) {
    if is_not_modified(request, entry.status, &entry.headers) {
        let headers = not_modified(&entry.headers);
        return (StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    let headers = entry.headers.clone();
    let part = match entry.status {
        StatusCode::OK if !asked.is_head && !names_weak_date(entry, request) => {
            range(request, &entry.headers, entry.body.len())
        }
        _ => Ranged::Whole,
    };
    match part {
        Ranged::Whole => (entry.status, headers, whole(entry, asked)),
        Ranged::Part(part) => part_of(entry, headers, part),
        Ranged::Unsatisfiable => unsatisfiable(entry, headers),
    }
}

/// Whether `If-Range` names a date that did not tell versions apart when the body came.
fn names_weak_date(entry: &Entry, request: &HeaderMap) -> bool {
    let if_range = request.get(header::IF_RANGE);
    let names_date = if_range.is_some_and(|value| !value.as_bytes().contains(&b'"'));
    entry.dating.is_modified_weak && names_date
}

fn part_of(
    entry: &Entry,
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

fn unsatisfiable(entry: &Entry, mut headers: HeaderMap) -> (StatusCode, HeaderMap, Bytes) {
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
