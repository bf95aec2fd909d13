//! Disabling accounts, which ends their sessions, and helping callers who cannot sign in.

use std::net::IpAddr;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use larder::session::{FlashLevel, Session};
use serde::Deserialize;

use super::AccountsDesk;
use crate::accounts::{Admin, Email, Help};
use crate::errors::Problem;
use crate::{db, flash, pages};

#[derive(Deserialize)]
pub(super) struct Choice {
    disabled: String,
}

pub(super) async fn list(
    _: Admin,
    State(desk): State<AccountsDesk>,
    session: Session,
) -> Result<Response, Problem> {
    let accounts = db::all_accounts(&desk.pool).await?;
    let flashes = flash::take(&session).await;
    Ok(pages::admin_accounts(&accounts, flashes))
}

/// The database decides whether an account is disabled; the store ends its sessions at their next
/// request.
pub(super) async fn choose(
    Admin(admin): Admin,
    State(desk): State<AccountsDesk>,
    session: Session,
    Path(id): Path<i64>,
    Form(choice): Form<Choice>,
) -> Result<Response, Problem> {
    let is_disabled = choice.disabled == "yes";
    desk.set_disabled(id, is_disabled).await?;
    tracing::info!(
        admin = admin.id,
        account = id,
        is_disabled,
        "an account was disabled or enabled"
    );
    let told = match is_disabled {
        true => "The account has been disabled, and its devices have been signed out.",
        false => "The account has been enabled again.",
    };
    Ok(flash::tell(&session, FlashLevel::Success, told, "/admin/accounts").await)
}

#[derive(Deserialize)]
pub(super) struct Caller {
    /// The address that the sign-in form has shown to the caller; empty if unknown.
    #[serde(default)]
    address: String,
}

impl Caller {
    fn address(&self) -> Result<Option<IpAddr>, Problem> {
        match self.address.trim() {
            "" => Ok(None),
            address => address.parse().map(Some).map_err(|_| {
                Problem::bad_request(
                    "That is not an IP address, such as 203.0.113.7 or 2001:db8::7.",
                )
            }),
        }
    }
}

/// Shows an account, and what keeps a caller from signing in to it.
pub(super) async fn show(
    _: Admin,
    State(desk): State<AccountsDesk>,
    session: Session,
    Path(id): Path<i64>,
    Query(caller): Query<Caller>,
) -> Result<Response, Problem> {
    let (from, account) = (caller.address()?, desk.account(id).await?);
    let email = Email::new(&account.email);
    let standing = desk.attempts.standing(&email, from).await;
    let standing = standing.map_err(|error| failed(&error))?;
    let address = from.map(|from| from.to_string()).unwrap_or_default();
    let flashes = flash::take(&session).await;
    Ok(pages::admin_account(&account, &address, &standing, flashes))
}

#[derive(Deserialize)]
pub(super) struct HelpForm {
    #[serde(flatten)]
    caller: Caller,
    help: String,
}

/// Allows a caller to try again.
pub(super) async fn help(
    Admin(admin): Admin,
    State(desk): State<AccountsDesk>,
    session: Session,
    Path(id): Path<i64>,
    Form(form): Form<HelpForm>,
) -> Result<Response, Problem> {
    let (from, account) = (form.caller.address()?, desk.account(id).await?);
    let (help, told) = match &*form.help {
        "forgive" => (
            Help::Forgive,
            "The ban is over. Wrong passwords still count.",
        ),
        "reset" => (
            Help::Reset,
            "The wrong passwords are forgotten, and a ban is over.",
        ),
        _ => {
            return Err(Problem::bad_request(
                "Choose to end a ban, or to forget wrong passwords.",
            ));
        }
    };
    let email = Email::new(&account.email);
    let helped = desk.attempts.help(&email, from, help).await;
    helped.map_err(|error| failed(&error))?;
    tracing::info!(
        admin = admin.id,
        account = id,
        ?help,
        "a caller may try again to sign in"
    );
    let page = match from {
        Some(from) => format!("/admin/accounts/{id}?address={from}"),
        None => format!("/admin/accounts/{id}"),
    };
    Ok(flash::tell(&session, FlashLevel::Success, told, &page).await)
}

fn failed(error: &larder::Error) -> Problem {
    tracing::error!(%error, "the store failed to read or change limits");
    Problem::unavailable(
        "The limits cannot be read or changed at the moment. Please try again soon.",
    )
}
