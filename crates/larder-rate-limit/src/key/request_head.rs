use http::request::Parts;
use http::{Extensions, HeaderMap, Request};

/// The parts of a request that a key is found in, borrowed.
///
/// Taking a request apart and putting it together again would move half a kilobyte.
#[derive(Clone, Copy)]
pub(crate) struct RequestView<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) extensions: &'a Extensions,
    /// Present if a function of the application needs them.
    pub(crate) parts: Option<&'a Parts>,
}

impl<'a> RequestView<'a> {
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
