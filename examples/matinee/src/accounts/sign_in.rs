use axum::extract::{Query, State};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use larder::session::{EndReason, Session, SessionErrorKind, SignInOptions};
use metrics::counter;
use serde::Deserialize;

use super::attempts::{Attempt, Charge, Refusal};
use super::device_name::device_name;
use super::{Accounts, Email, next};
use crate::clock::now_ms;
use crate::config::DemoAccounts;
use crate::db::{self, Account};
use crate::errors::Problem;
use crate::limits::Client;
use crate::pages::SignIn;
use crate::{flash, pages};

const WRONG: &str = "The email or the password is wrong.";
/// A 401 names a way to authenticate (RFC 9110, section 15.5.2): the form in its body.
const FORM: HeaderValue =
    HeaderValue::from_static("Cookie realm=\"Matinee\", form-action=\"/sign-in\"");

#[derive(Deserialize)]
pub(super) struct Return {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    email: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn form(
    State(accounts): State<Accounts>,
    session: Session,
    Query(query): Query<Return>,
) -> Result<Response, Problem> {
    let next = next::safe(&query.next);
    let mut page = SignIn::new("", &next, accounts.demo);
    // Without `next`, nobody was sent here, so there is nothing to explain. The form is shown even
    // while the store fails.
    if !query.next.is_empty() {
        page.notice = session.take_end_reason().await?.map(why);
        page.flashes = flash::take(&session).await;
    }
    Ok(pages::sign_in(page))
}

/// Explains why the session of this browser has ended.
fn why(reason: EndReason) -> &'static str {
    match reason {
        EndReason::SignedOutElsewhere => "You signed out on another device.",
        EndReason::Disabled => DISABLED,
        EndReason::Expired => "You were away for a while. Please sign in again.",
        _ => "You were signed out. Please sign in again.",
    }
}

const DISABLED: &str = "This account is disabled. Please write to the box office.";

/// Signs in a visitor who knows the password. The charge is refunded unless the password was wrong.
pub(super) async fn submit(
    State(accounts): State<Accounts>,
    session: Session,
    Client(from): Client,
    headers: HeaderMap,
    Form(typed): Form<Credentials>,
) -> Result<Response, Response> {
    let email = Email::new(&typed.email);
    let next = next::safe(&typed.next);
    let form = SignIn::new(&typed.email, &next, accounts.demo);
    let email = &email;
    let attempt = Attempt { email, from };
    let charged = match accounts.attempts.charge(attempt).await {
        Ok(Charge::Made(charged)) => charged,
        Ok(Charge::Refused(refusal)) => return Ok(refused(form, refusal, attempt)),
        Err(problem) => return Err(problem.into_response()),
    };
    let known = match find(&accounts, email, typed.password).await {
        Ok(None) => return Ok(again(form)),
        known => known,
    };
    accounts.attempts.give_back(attempt, &charged).await;
    let signed_in = async {
        if let Some(account) = known? {
            if account.is_disabled {
                count("disabled");
                return Err(Problem::forbidden(DISABLED));
            }
            let options = SignInOptions::new().with_method("password");
            let signed_in = session.log_in_with(account.id.to_string(), options);
            signed_in.await.map_err(|error| match error.kind() {
                SessionErrorKind::Disabled => Problem::forbidden(DISABLED),
                _ => error.into(),
            })?;
            let now = db::account(&accounts.pool, account.id).await;
            if !matches!(&now, Ok(Some(now)) if is_as_checked(&account, now)) {
                if session.log_out().await.is_err() {
                    // The response may have been sent already, with the cookie, if the request timed out.
                    let id = account.id.to_string();
                    accounts.sessions.revoke_all(&id).await?;
                }
                now?;
                return Ok(again(form));
            }
            session.name_device(device_name(&headers)).await?;
            count("ok");
        }
        Ok::<_, Problem>(Redirect::to(&next).into_response())
    };
    signed_in.await.map_err(IntoResponse::into_response)
}

/// Returns the account with this email and this password.
async fn find(
    accounts: &Accounts,
    email: &Email,
    password: String,
) -> Result<Option<Account>, Problem> {
    let account = db::account_by_email(&accounts.pool, email).await?;
    // A demo account does not count if demo accounts are closed, even if it is in the database.
    let account = account.filter(|it| accounts.demo == DemoAccounts::Open || !it.is_demo);
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let is_right = accounts.passwords.verify(password, hash).await?;
    Ok(account.filter(|_| is_right))
}

/// Returns whether the account has the password that was checked, and is not disabled, now that its session has begun.
///
/// Whoever replaces a password first disables the account and then ends its sessions. So a session that begins at that
/// time is either ended with the others, or this returns false.
fn is_as_checked(checked: &Account, now: &Account) -> bool {
    !now.is_disabled && now.password_hash == checked.password_hash
}

fn again(mut form: SignIn<'_>) -> Response {
    count("wrong");
    form.wrong = Some(WRONG.to_owned());
    let page = pages::sign_in(form);
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, FORM)], page).into_response()
}

/// Shows the form, with the time at which the next attempt is accepted.
fn refused(mut form: SignIn<'_>, refusal: Refusal, attempt: Attempt<'_>) -> Response {
    count(if refusal.is_ban() {
        "banned"
    } else {
        "refused"
    });
    let words = refusal.words(attempt.from, now_ms());
    form.wrong = Some(words.clone());
    let wait = [(RETRY_AFTER, refusal.wait_seconds().to_string())];
    let page = pages::sign_in(form);
    // For programs, which do not read the form.
    let problem = Extension(Problem::too_many(words));
    (StatusCode::TOO_MANY_REQUESTS, wait, problem, page).into_response()
}

fn count(outcome: &'static str) {
    counter!("matinee_sign_ins_total", "outcome" => outcome).increment(1);
}

/// Ends the session, in all processes.
pub(super) async fn sign_out(session: Session) -> Result<Redirect, Problem> {
    session.log_out().await?;
    Ok(Redirect::to("/sign-in"))
}
