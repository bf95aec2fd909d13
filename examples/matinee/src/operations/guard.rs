use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use larder::ops::page::Operator;
use larder::session::Session;
use sqlx::SqlitePool;

use super::PAGE;
use super::lately::Lately;
use crate::accounts::{self, Admin};
use crate::config::Config;
use crate::{db, sessions};

/// Admits administrators who have signed in recently.
///
/// While the store fails nobody can be recognized by a session, and that is when the page is needed most. So an
/// administrator who was admitted recently may go on reading the page, but may do nothing else.
#[derive(Clone)]
pub(super) struct Guard {
    pool: SqlitePool,
    reauth_after: Duration,
    lately: Arc<Lately>,
}

/// An administrator with a recent sign-in.
struct Recognized {
    admin: db::Account,
    session: Session,
    /// For how long the sign-in is still recent.
    left: Duration,
}

impl Guard {
    pub(super) fn new(config: &Config, pool: SqlitePool) -> Self {
        Self {
            pool,
            reauth_after: config.reauth_after.into(),
            lately: Arc::new(Lately::new(sessions::cookie_name(config))),
        }
    }

    pub(super) async fn admit(self, mut parts: Parts) -> Result<Operator, Response> {
        match self.recognize(&mut parts).await {
            Ok(Recognized {
                admin,
                session,
                left,
            }) => {
                self.lately.note(&parts.headers, admin.id, session, left);
                Ok(operator(&admin))
            }
            Err(refused) if refused.status() == StatusCode::SERVICE_UNAVAILABLE => {
                let known = self.lately.find(&parts.headers).ok_or(refused)?;
                match db::account(&self.pool, known).await {
                    Ok(Some(admin)) if admin.is_admin && !admin.is_disabled => {
                        Ok(operator(&admin).read_only())
                    }
                    _ => Err(StatusCode::SERVICE_UNAVAILABLE.into_response()),
                }
            }
            Err(refused) => {
                self.lately.forget(&parts.headers);
                Err(refused)
            }
        }
    }

    async fn recognize(&self, parts: &mut Parts) -> Result<Recognized, Response> {
        let Admin(admin) = Admin::from_request_parts(parts, &self.pool).await?;
        let session = Session::from_request_parts(parts, &()).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let again = accounts::sign_in_again(&session, self.reauth_after, PAGE).await;
        if let Some(form) = again.map_err(IntoResponse::into_response)? {
            return Err(form);
        }
        let signed_in = session.authentication().await;
        let signed_in = signed_in.map_err(IntoResponse::into_response)?;
        let age = signed_in.map_or(self.reauth_after, |signed_in| signed_in.age);
        Ok(Recognized {
            admin,
            session,
            left: self.reauth_after.saturating_sub(age),
        })
    }
}

fn operator(admin: &db::Account) -> Operator {
    Operator::new(format!("{} ({})", admin.name, admin.id))
}
