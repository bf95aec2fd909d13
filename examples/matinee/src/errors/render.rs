//! Renders every error for its reader, whether it came from a handler, a layer, an extractor or the
//! router.

use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Problem;
use crate::pages;

/// The answer to an address without a route.
pub(crate) async fn not_found() -> Problem {
    Problem::of(StatusCode::NOT_FOUND)
}

/// Turns an error into a page or into problem details. Its status and its other headers stay.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let reader = Reader::of(request.uri().path(), request.headers());
    let id = request.headers().get("x-request-id").cloned();
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || reader.understands(response.headers()) {
        return response;
    }
    let problem = response.extensions().get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| Problem::of(status));
    let rendered = match reader {
        Reader::Program => problem.into_response(),
        Reader::Person => {
            let id = id
                .as_ref()
                .and_then(|id| id.to_str().ok())
                .unwrap_or_default();
            pages::error(&problem, id)
        }
    };
    let (mut parts, _) = response.into_parts();
    for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
        parts.headers.remove(name);
    }
    let (new, body) = rendered.into_parts();
    parts.headers.extend(new.headers);
    Response::from_parts(parts, body)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Person,
    Program,
}

impl Reader {
    fn of(path: &str, headers: &HeaderMap) -> Self {
        let accept = headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .unwrap_or("*/*");
        let wants_json = accept.contains("json") && !accept.contains("text/html");
        let for_programs = ["/api/", "/healthz", "/readyz", "/metrics"];
        if wants_json || path == "/api" || for_programs.iter().any(|start| path.starts_with(start))
        {
            Self::Program
        } else {
            Self::Person
        }
    }

    fn understands(self, headers: &HeaderMap) -> bool {
        let content = headers
            .get(CONTENT_TYPE)
            .and_then(|content| content.to_str().ok());
        content.is_some_and(|content| match self {
            Self::Person => content.starts_with("text/html"),
            Self::Program => content.contains("json"),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    #[test]
    fn a_browser_gets_pages_and_a_program_gets_problem_details() {
        let asks = |path, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            Reader::of(path, &headers)
        };
        assert_eq!(asks("/films/0", "*/*"), Reader::Person);
        assert_eq!(
            asks("/films/0", "text/html,application/json"),
            Reader::Person
        );
        assert_eq!(asks("/films/0", "application/json"), Reader::Program);
        assert_eq!(asks("/api/films/0", "text/html"), Reader::Program);
        assert_eq!(asks("/apiary", "*/*"), Reader::Person);
    }

    #[tokio::test]
    async fn a_panic_and_a_bare_status_get_the_form_of_their_reader_and_keep_their_headers() {
        async fn boom() -> StatusCode {
            panic!("boom")
        }
        let app = Router::new()
            .route("/", get(boom))
            .route(
                "/api/wait",
                get(async || (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")])),
            )
            .layer(CatchPanicLayer::custom(Problem::from_panic))
            .layer(from_fn(render));
        let ask = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
            let body = to_bytes(body, 100_000).await.unwrap();
            (parts, String::from_utf8(body.into()).unwrap())
        };
        let (parts, body) = ask("/").await;
        assert_eq!(parts.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("<h1>The film tore</h1>") && !body.contains("boom"));

        let (parts, body) = ask("/api/wait").await;
        assert_eq!(parts.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(parts.headers["retry-after"], "3");
        assert_eq!(parts.headers[CONTENT_TYPE], Problem::MEDIA_TYPE);
        assert!(body.contains("\"status\":429"));
    }
}
