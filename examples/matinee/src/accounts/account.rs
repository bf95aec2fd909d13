use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use larder::session::{DeviceId, FlashLevel, Session};
use serde::Deserialize;

use super::{Accounts, SignedIn};
use crate::errors::Problem;
use crate::{db, flash, pages};

#[derive(Deserialize)]
pub(super) struct Choice {
    device: String,
}

/// The account, with the devices that are signed in.
pub(super) async fn show(
    State(accounts): State<Accounts>,
    SignedIn(user): SignedIn,
    session: Session,
) -> Result<Response, Problem> {
    let Some(account) = db::account(&accounts.pool, user).await? else {
        session.revoke_all().await?;
        return Ok(to_the_form());
    };
    let devices = session.devices().await?;
    let flashes = flash::take(&session).await;
    Ok(pages::account(&account, &devices, flashes))
}

/// Signs out one device, at its next request.
pub(super) async fn revoke(
    SignedIn(_): SignedIn,
    session: Session,
    Form(choice): Form<Choice>,
) -> Result<Response, Problem> {
    let device: DeviceId = choice
        .device
        .parse()
        .map_err(|_| Problem::bad_request("That device is not in the list."))?;
    let is_gone = session.revoke(device).await?;
    if session.user().await?.is_none() {
        // It was this device, so nobody is left to read a notice.
        return Ok(to_the_form());
    }
    let (level, told) = if is_gone {
        (FlashLevel::Success, "That device has been signed out.")
    } else {
        (FlashLevel::Error, "That is not one of your devices.")
    };
    Ok(flash::tell(&session, level, told, "/account").await)
}

/// Signs out all devices but this one.
pub(super) async fn revoke_others(
    SignedIn(_): SignedIn,
    session: Session,
) -> Result<Response, Problem> {
    session.revoke_others().await?;
    let told = "Every other device has been signed out.";
    Ok(flash::tell(&session, FlashLevel::Success, told, "/account").await)
}

/// Signs out all devices, including this one.
pub(super) async fn revoke_all(
    SignedIn(_): SignedIn,
    session: Session,
) -> Result<Response, Problem> {
    session.revoke_all().await?;
    Ok(to_the_form())
}

fn to_the_form() -> Response {
    Redirect::to("/sign-in").into_response()
}
