use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use problem_details::ProblemDetails;
use serde_json::Value;

/// A refusal as a problem document (RFC 9457), written once and sent any number of times.
///
/// The response forbids caches to store it, as RFC 6585, section 4, requires of a 429.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    text: Bytes,
}

impl Problem {
    /// Makes a problem from a status and `detail`, a sentence for people.
    pub fn new(status: StatusCode, detail: &'static str) -> Self {
        let document = ProblemDetails::from_status_code(status).with_detail(detail);
        // Text and numbers under names that are text can always be written.
        let text = serde_json::to_vec(&document).unwrap_or_default();
        Self {
            status,
            text: text.into(),
        }
    }

    /// Makes a problem of a registered type, with the members that the type requires.
    pub fn of_type(
        status: StatusCode,
        url: &'static str,
        title: &'static str,
        members: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Self {
        // `ProblemDetails` keeps its type as a `Uri`, which drops the fragment: it is a member here.
        let mut extensions: BTreeMap<_, _> = members.into_iter().collect();
        extensions.insert("type", Value::from(url));
        let document = ProblemDetails::new()
            .with_status(status)
            .with_title(title)
            .with_extensions(extensions);
        let text = serde_json::to_vec(&document).unwrap_or_default();
        Self {
            status,
            text: text.into(),
        }
    }

    /// Makes the response.
    ///
    /// `retry_after` becomes its `Retry-After`, in whole seconds, rounded up, and at least 1.
    pub fn response<B: From<Bytes>>(&self, retry_after: Option<Duration>) -> Response<B> {
        self.response_with(B::from, retry_after)
    }

    /// Makes the response as [`response`](Self::response) does, with the body that `body` makes.
    pub fn response_with<B>(
        &self,
        body: impl FnOnce(Bytes) -> B,
        retry_after: Option<Duration>,
    ) -> Response<B> {
        let mut response = Response::new(body(self.text.clone()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(5);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = retry_after {
            let part = u64::from(wait.subsec_nanos() > 0);
            let seconds = wait.as_secs().saturating_add(part);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_describes_itself_and_is_never_stored() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Try again later.");
        let response: Response<Bytes> = problem.response(Some(Duration::from_millis(1_001)));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let response: Response<Bytes> = problem.response(Some(Duration::MAX));
        assert_eq!(
            response.headers()[header::RETRY_AFTER],
            u64::MAX.to_string()
        );
        let document: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(document["status"], 503);
        assert_eq!(document["title"], "Service Unavailable");
        assert_eq!(document["detail"], "Try again later.");
    }

    #[test]
    fn a_registered_type_keeps_its_fragment_and_its_members() {
        let problem = Problem::of_type(
            StatusCode::TOO_MANY_REQUESTS,
            "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "Quota exceeded",
            [("violated-policies", Value::from(vec!["pages"]))],
        );
        let response: Response<Bytes> = problem.response(None);
        assert!(response.headers().get(header::RETRY_AFTER).is_none());
        let document: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(
            document["type"],
            "https://iana.org/assignments/http-problem-types#quota-exceeded"
        );
        assert_eq!(document["violated-policies"][0], "pages");
    }
}
