//! A tower layer that requires a signed-in user.

use std::fmt;
use std::mem;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::problem::{missing_layer, problem};
use super::{ResponseBody, SignInPage};
use crate::{Session, SessionErrorKind, UserId};

/// Requires a signed-in user for all requests of a service, such as a whole router.
///
/// It works with any tower service, inside a [`SessionLayer`](crate::SessionLayer):
/// 1. A request of a signed-in user passes, with the [`UserId`] among its extensions.
/// 2. Any other request is answered with 401 (problem details, RFC 9457) and
///    `WWW-Authenticate: Cookie realm="session"`, which makes no browser show a dialog.
/// 3. With a [sign-in page](Self::with_sign_in_page), a browser that opens a page is redirected there
///    instead, with the requested address. Requests of scripts still get 401: they cannot follow.
/// 4. A request for the sign-in page itself passes, so the page may be part of the router. If the page has a query,
///    a request must have [each of its parameters](SignInPage::new).
/// 5. While the store fails the answer is 503, whatever [`OnFailure`](crate::OnFailure) says.
///
/// A browser opens a page if it sends `Sec-Fetch-Mode: navigate` or, without that field, if it accepts
/// `text/html`. The layer costs the read of the session, which the handler then need not repeat.
///
/// ```
/// use larder_session::{RequireUserLayer, Result, SignInPage};
///
/// fn users_only() -> Result<RequireUserLayer> {
///     let page = SignInPage::new("/sign-in")?;
///     Ok(RequireUserLayer::new().with_sign_in_page(page))
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequireUserLayer {
    page: Option<SignInPage>,
}

impl RequireUserLayer {
    /// Makes a layer that answers 401 to visitors who are not signed in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Redirects browsers that open a page to `page` if nobody is signed in.
    #[must_use]
    pub fn with_sign_in_page(mut self, page: SignInPage) -> Self {
        self.page = Some(page);
        self
    }
}

impl<S> Layer<S> for RequireUserLayer {
    type Service = RequireUserService<S>;

    fn layer(&self, inner: S) -> RequireUserService<S> {
        RequireUserService {
            inner,
            page: self.page.clone(),
        }
    }
}

/// The service of a [`RequireUserLayer`]: passes the requests of signed-in users.
///
/// Its error is the inner service's.
#[derive(Clone)]
pub struct RequireUserService<S> {
    inner: S,
    page: Option<SignInPage>,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RequireUserService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: Body + Send + 'static,
    ResBody::Data: From<Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // The instance that was polled ready is the one that is called.
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let page = self.page.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match admit(&parts, page.as_ref()).await {
                Err(refusal) => return Ok(refusal.response(&parts)),
                Ok(None) => {}
                Ok(Some(user)) => drop(parts.extensions.insert(user)),
            }
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(response.map(ResponseBody::inner))
        })
    }
}

impl<S> fmt::Debug for RequireUserService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireUserService").finish_non_exhaustive()
    }
}

/// Why a request does not pass.
enum Refusal<'a> {
    /// A browser is redirected to this page.
    SignIn(&'a SignInPage),
    Problem(SessionErrorKind),
    MissingLayer,
}

/// Returns the signed-in user, or the refusal. None for the sign-in page itself.
async fn admit<'a>(
    parts: &Parts,
    page: Option<&'a SignInPage>,
) -> Result<Option<UserId>, Refusal<'a>> {
    if page.is_some_and(|page| page.is_asked_for(parts)) {
        return Ok(None);
    }
    let session = Session::from_parts(parts).ok_or(Refusal::MissingLayer)?;
    let error = match session.require_user().await {
        Ok(user) => return Ok(Some(user)),
        Err(error) => error.kind(),
    };
    let may_sign_in = error == SessionErrorKind::SignedOut && opens_page(&parts.headers);
    Err(match page.filter(|_| may_sign_in) {
        Some(page) => Refusal::SignIn(page),
        None => Refusal::Problem(error),
    })
}

impl Refusal<'_> {
    fn response<B>(self, parts: &Parts) -> Response<ResponseBody<B>> {
        match self {
            Self::SignIn(page) => page.redirect(parts, ResponseBody::default()),
            Self::Problem(kind) => problem(kind, ResponseBody::text),
            Self::MissingLayer => missing_layer(),
        }
    }
}

/// Returns whether a browser requests a page to show, which may be replaced by another.
fn opens_page(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get(SEC_FETCH_MODE) {
        return mode == "navigate";
    }
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut ranges = accepted
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','));
    ranges.any(|range| {
        let media = range.split(';').next().unwrap_or_default();
        media.trim().eq_ignore_ascii_case("text/html")
    })
}

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_browser_that_opens_a_page_is_redirected() {
        const CHROME: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for (mode, accept, expected) in [
            (Some("navigate"), Some(CHROME), true),
            (Some("navigate"), None, true),
            (Some("cors"), Some(CHROME), false),
            (Some("same-origin"), Some("*/*"), false),
            (Some("no-cors"), Some("image/avif,*/*"), false),
            (None, Some(CHROME), true),
            (None, Some("application/json, Text/HTML ;q=0.5"), true),
            (None, Some("application/json"), false),
            (None, Some("*/*"), false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(mode) = mode {
                headers.insert(SEC_FETCH_MODE, HeaderValue::from_static(mode));
            }
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(opens_page(&headers), expected, "{mode:?} {accept:?}");
        }
    }
}
