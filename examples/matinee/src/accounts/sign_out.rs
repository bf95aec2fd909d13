use axum::response::Redirect;
use larder::session::Session;

use crate::errors::Problem;

pub(super) async fn submit(session: Session) -> Result<Redirect, Problem> {
    session.log_out().await?;
    Ok(Redirect::to("/sign-in"))
}
