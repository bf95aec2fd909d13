use std::fmt;
use std::sync::Arc;

use tower_layer::Layer;

use super::{SessionService, Shared};
use crate::{OnFailure, Result, SessionCookie, Sessions};

/// Gives each request a [`Session`](crate::Session), among its extensions.
///
/// See the [crate's page](crate) for the rules, in order, and for what a deployment has to get right.
///
/// # Examples
/// ```
/// use std::sync::Arc;
///
/// use larder_session::{OnFailure, SessionCookie, SessionLayer, Sessions};
///
/// # fn sessions(store: Arc<dyn larder_store::Store>) -> larder_session::Result<()> {
/// let sessions = Sessions::new(store)?;
/// let layer = SessionLayer::new(sessions, SessionCookie::default(), OnFailure::Unavailable)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SessionLayer {
    shared: Arc<Shared>,
}

impl SessionLayer {
    /// A layer of `sessions` that visitors keep by `cookie`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where browsers would refuse the cookie.
    pub fn new(sessions: Sessions, cookie: SessionCookie, on_failure: OnFailure) -> Result<Self> {
        let cookie = cookie.build()?;
        Ok(Self {
            shared: Arc::new(Shared {
                sessions,
                cookie,
                on_failure,
            }),
        })
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, self.shared.clone())
    }
}

impl fmt::Debug for SessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("sessions", &self.shared.sessions)
            .field("on_failure", &self.shared.on_failure)
            .finish_non_exhaustive()
    }
}
