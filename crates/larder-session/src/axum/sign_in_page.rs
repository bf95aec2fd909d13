use std::sync::Arc;

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Result, ReturnPath, SessionError};

/// The page that [`RequireUser`](super::RequireUser) redirects to, instead of answering 401.
///
/// Put it among the extensions of the requests to which it applies. The redirect is a 303. For a `GET`
/// or `HEAD` it passes the requested address in the query parameter `next`; parse that as a
/// [`ReturnPath`], which never leads to another site.
///
/// ```
/// use axum::extract::{Extension, Query};
/// use axum::{Router, routing::get};
/// use larder_session::{RequireUser, Result, ReturnPath, Session, SignInPage};
///
/// #[derive(serde::Deserialize)]
/// struct Next {
///     #[serde(default)]
///     next: ReturnPath,
/// }
///
/// async fn account(RequireUser(user): RequireUser) -> String {
///     user.as_str().to_owned()
/// }
///
/// async fn sign_in(session: Session, Query(Next { next }): Query<Next>) -> Result<ReturnPath> {
///     session.log_in("ada").await?; // after you checked the password
///     Ok(next)
/// }
///
/// fn pages() -> Result<Router> {
///     let users_only = Router::new()
///         .route("/account", get(account))
///         .layer(Extension(SignInPage::new("/sign-in")?));
///     // Wrap all of it in the `SessionLayer`.
///     Ok(Router::new().route("/sign-in", get(sign_in)).merge(users_only))
/// }
/// ```
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

    pub(super) fn redirect(&self, parts: &Parts) -> Response {
        let mut to = self.path.as_str().to_owned();
        if let Some(next) = requested(parts) {
            to.push(if to.contains('?') { '&' } else { '?' });
            to.push_str(&self.parameter);
            to.push('=');
            to.extend(utf8_percent_encode(next.as_str(), RESERVED));
        }
        let mut response = Redirect::to(&to).into_response();
        let no_store = HeaderValue::from_static("no-store");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, no_store);
        response
    }
}

/// Returns the requested address. None if a link cannot request it again.
fn requested(parts: &Parts) -> Option<ReturnPath> {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return None;
    }
    let original = parts.extensions.get::<OriginalUri>();
    let uri = original.map_or(&parts.uri, |original| &original.0);
    ReturnPath::parse(uri.path_and_query()?.as_str())
}
