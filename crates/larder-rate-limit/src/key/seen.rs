use http::request::Parts;
use http::{Extensions, HeaderMap, Request};

/// What is looked at of a request, where it stands: to take a request apart and put it together
/// again moves half a kilobyte.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
    /// Only where a function of the app's own has to be shown them.
    pub(crate) parts: Option<&'a Parts>,
}

impl<'a> Seen<'a> {
    pub(crate) fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            headers: request.headers(),
            extensions: request.extensions(),
            parts: None,
        }
    }

    pub(crate) fn of_parts(parts: &'a Parts) -> Self {
        Self {
            headers: &parts.headers,
            extensions: &parts.extensions,
            parts: Some(parts),
        }
    }
}
