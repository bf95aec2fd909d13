use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::SessionService;
use crate::session::Config;
use crate::site_data::ClearSiteData;
use crate::{OnFailure, SessionCookie, Sessions, SiteData};

/// Puts a [`Session`](crate::Session) into the extensions of each request.
///
/// The [crate's page](crate) lists the rules in order, and the deployment caveats.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use larder_session::{OnFailure, SessionLayer, Sessions};
///
/// # fn sessions(store: Arc<dyn larder_store::Store>) -> larder_session::Result<()> {
/// let layer = SessionLayer::new(Sessions::new(store)?);
/// let lenient = layer.with_on_failure(OnFailure::Anonymous);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    config: Arc<Config>,
}

impl SessionLayer {
    /// Makes a layer with the default cookie and [`OnFailure::Unavailable`].
    pub fn new(sessions: Sessions) -> Self {
        Self {
            config: Arc::new(Config {
                sessions,
                cookie: SessionCookie::default(),
                on_failure: OnFailure::default(),
                clear_site_data: None,
            }),
        }
    }

    /// Sets the cookie. The default is [`SessionCookie::default`].
    #[must_use]
    pub fn with_cookie(mut self, cookie: SessionCookie) -> Self {
        Arc::make_mut(&mut self.config).cookie = cookie;
        self
    }

    /// Sets how requests are answered while the store fails. The default is
    /// [`OnFailure::Unavailable`].
    #[must_use]
    pub fn with_on_failure(mut self, on_failure: OnFailure) -> Self {
        Arc::make_mut(&mut self.config).on_failure = on_failure;
        self
    }

    /// Makes browsers remove data of this site at a sign-out, with `Clear-Site-Data`.
    ///
    /// The header is sent with each response to a request that came with a session's cookie and signed
    /// out, by [`log_out`](crate::Session::log_out) or by revoking its own session. Browsers obey it
    /// only over TLS. [`SiteData::Cookies`] is left out if the response sets a cookie, of the app or of the
    /// session. By default the header is not sent.
    ///
    /// ```
    /// use larder_session::{SessionLayer, SiteData};
    ///
    /// # fn layer(layer: SessionLayer) -> SessionLayer {
    /// layer.with_clear_site_data([SiteData::Cache, SiteData::Storage])
    /// # }
    /// ```
    #[must_use]
    pub fn with_clear_site_data(mut self, data: impl IntoIterator<Item = SiteData>) -> Self {
        Arc::make_mut(&mut self.config).clear_site_data = ClearSiteData::new(data);
        self
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.config.clone())
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("sessions", &self.config.sessions)
            .field("cookie", &self.config.cookie)
            .field("on_failure", &self.config.on_failure)
            .finish()
    }
}
