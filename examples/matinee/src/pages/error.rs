use askama::Template;
use axum::response::Response;

use super::{Frame, show};
use crate::errors::Problem;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorTemplate<'a> {
    frame: Frame,
    status: u16,
    heading: &'static str,
    detail: &'a str,
    /// The number to tell the box office; empty if there is nothing to investigate.
    reference: &'a str,
}

/// Renders an error as a page. The caller sets its status.
pub(crate) fn error(problem: &Problem, request_id: &str) -> Response {
    let status = problem.status();
    show(&ErrorTemplate {
        frame: Frame::new(None),
        status: status.as_u16(),
        heading: match status.as_u16() {
            404 => "This reel is missing",
            429 => "One at a time, please",
            500.. => "The film tore",
            _ => "That did not work",
        },
        detail: problem.detail(),
        reference: if status.is_server_error() {
            request_id
        } else {
            ""
        },
    })
}
