use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Result, ReturnPath, SessionError};

/// The page to which visitors who are not signed in are redirected, instead of a 401.
///
/// Pass it to [`RequireUserLayer`](crate::RequireUserLayer), or put it among the extensions of the
/// requests whose handlers take a `RequireUser`. The redirect is a 303. For a `GET` or `HEAD` it has
/// the requested address in the query parameter `next`, in place of one that the page has; parse it as a
/// [`ReturnPath`], which never leads to another site.
#[derive(Clone, Debug)]
pub struct SignInPage {
    path: ReturnPath,
    parameter: Arc<str>,
}

/// RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl SignInPage {
    /// Makes the sign-in page at `path`, which may have a query.
    ///
    /// [`RequireUserLayer`](crate::RequireUserLayer) lets a request for the page pass. If the page has a query, the
    /// request must have each of its parameters with the same values: `/?view=sign-in` exempts neither `/` nor
    /// `/?view=account`. It may have other parameters too, and the one for the requested address may differ.
    ///
    /// # Errors
    /// [`SessionErrorKind::Invalid`](crate::SessionErrorKind::Invalid) if it is not a [`ReturnPath`].
    pub fn new(path: &str) -> Result<Self> {
        let path = ReturnPath::parse(path).ok_or_else(|| {
            SessionError::invalid(
                "the path of a sign-in page must be a path of this site that begins with one '/'",
            )
        })?;
        Ok(Self {
            path,
            parameter: "next".into(),
        })
    }

    /// Sets the query parameter for the requested address. The default is `next`.
    #[must_use]
    pub fn with_parameter(mut self, name: impl AsRef<str>) -> Self {
        self.parameter = utf8_percent_encode(name.as_ref(), RESERVED)
            .to_string()
            .into();
        self
    }

    /// Makes the response that redirects a request to this page, with an empty `body`.
    pub(crate) fn redirect<B>(&self, parts: &Parts, body: B) -> Response<B> {
        let to = match requested(parts) {
            Some(next) => self.with_way_back(&next),
            None => self.path.as_str().to_owned(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::SEE_OTHER;
        let headers = response.headers_mut();
        // A return path and what is percent-encoded are visible ASCII: this does not fail.
        if let Ok(to) = HeaderValue::try_from(to) {
            headers.insert(header::LOCATION, to);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Returns the address of the page with the requested address, in place of the one that the page has.
    fn with_way_back(&self, next: &ReturnPath) -> String {
        let (path, query) = self.split();
        let back = decoded(&self.parameter);
        let mut to = format!("{path}?");
        for pair in pairs(query).filter(|pair| name_and_value(pair).0 != back) {
            to.push_str(pair);
            to.push('&');
        }
        to.push_str(&self.parameter);
        to.push('=');
        to.extend(utf8_percent_encode(next.as_str(), RESERVED));
        to
    }

    /// Returns the path and the query of the page.
    fn split(&self) -> (&str, &str) {
        let page = self.path.as_str();
        page.split_once('?').unwrap_or((page, ""))
    }

    /// Returns whether a request is for this page: it has the path, and each parameter that the page has.
    pub(super) fn is_asked_for(&self, parts: &Parts) -> bool {
        let (path, query) = self.split();
        let asked = original_uri(parts);
        asked.path() == path && self.has_parameters_of(query, asked.query().unwrap_or_default())
    }

    /// Returns whether each parameter in `own` has the same values in `asked`.
    ///
    /// A further value of one of them could make the app show another page. Only the parameter with the way back
    /// may differ.
    fn has_parameters_of(&self, own: &str, asked: &str) -> bool {
        let back = decoded(&self.parameter);
        parameters(own)
            .filter(|(name, _)| *name != back)
            .all(|(name, _)| values(own, &name).eq(values(asked, &name)))
    }
}

type Decoded = Vec<u8>;

/// Returns the decoded names and values of a query.
fn parameters(query: &str) -> impl Iterator<Item = (Decoded, Decoded)> {
    pairs(query).map(name_and_value)
}

fn pairs(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter(|pair| !pair.is_empty())
}

fn name_and_value(pair: &str) -> (Decoded, Decoded) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(name), decoded(value))
}

fn values(query: &str, name: &[u8]) -> impl Iterator<Item = Decoded> {
    parameters(query).filter_map(move |(held, value)| (held == name).then_some(value))
}

fn decoded(text: &str) -> Decoded {
    percent_decode_str(&text.replace('+', " ")).collect()
}

/// Returns the requested address. None if a link to it could not repeat the request.
fn requested(parts: &Parts) -> Option<ReturnPath> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return None;
    }
    ReturnPath::parse(original_uri(parts).path_and_query()?.as_str())
}

/// Returns the address that the visitor requested, which axum's nested routers shorten.
fn original_uri(parts: &Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = parts.extensions.get::<axum::extract::OriginalUri>() {
        return &original.0;
    }
    &parts.uri
}
