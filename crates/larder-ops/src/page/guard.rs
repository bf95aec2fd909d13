use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::future::BoxFuture;

/// Decides who may see the page.
pub(super) type Guard =
    Arc<dyn Fn(Parts) -> BoxFuture<'static, Result<Operator, Response>> + Send + Sync>;

/// A person whom the app's guard has let in.
///
/// The name is shown on the page, recorded in the log of actions, and owns the tokens of forms: give each
/// person a different one, such as a user id. At most 64 characters of it are shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Operator {
    name: Arc<str>,
    may_act: bool,
}

impl Operator {
    /// Makes a person who may see the page, and act if [the page allows it](super::OpsPage::allow_actions).
    pub fn new(name: impl AsRef<str>) -> Self {
        Self {
            name: name.as_ref().into(),
            may_act: true,
        }
    }

    /// Lets the person look, and never act.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.may_act = false;
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the person may act where the page allows it.
    pub fn may_act(&self) -> bool {
        self.may_act
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may_act = self.may_act;
        f.debug_struct("Operator")
            .field("may_act", &may_act)
            .finish_non_exhaustive()
    }
}

/// Asks the guard before any part of the page is served.
pub(super) async fn admit(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    let operator = guard(parts.clone()).await?;
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(operator);
    Ok(next.run(request).await)
}
