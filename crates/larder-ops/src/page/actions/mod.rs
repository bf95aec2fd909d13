//! The actions of operators: each is confirmed, carried out, and logged.

mod action;
mod attempt;
mod limit;
mod lock;
mod queue;
mod sessions;
mod trouble;

use axum::Form;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::Instrument;

pub(super) use action::{Action, Target};
pub(super) use queue::queue_of;

use action::Question;
use attempt::{attempt, within};
use trouble::Trouble;

use super::model::{Block, Form as Shown, Origin, Panel, Tone, shown};
use super::patience::ask;
use super::render::{frame, refuse, unsure};
use super::state::Visit;
use super::view::View;

/// The number of newest log entries in which a recent action is looked for.
const RECENT: u32 = 20;

/// The text about an action that is not in the log.
const UNLOGGED: &str = "It could not be written to the log of actions.";

/// The fields of a form that acts.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    token: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    seen: String,
    #[serde(default)]
    sure: String,
}

/// Makes the form of a button that acts.
pub(super) fn button(action: Action, label: &'static str, subject: &str) -> Shown {
    Shown {
        to: "actions",
        hidden: vec![
            ("action", action.name().to_owned()),
            ("subject", subject.to_owned()),
        ],
        button: label,
        ..Shown::default()
    }
}

/// Refuses operators who may not act, and forms from other sites or of other operators.
pub(super) async fn check(visit: &Visit, token: &str) -> Result<(), Response> {
    if !visit.may_act() {
        let text = "This page is read-only for you, so nothing was done.";
        return Err(refuse(visit, StatusCode::FORBIDDEN, text).await);
    }
    let is_ours = match visit.is_same_site() {
        true => ask(visit.shared.tokens.is_of(&visit.operator, token)).await,
        false => Ok(false),
    };
    match is_ours {
        Ok(true) => Ok(()),
        Ok(false) => {
            let text = "This form is too old, or was sent from another site, so nothing was done. Open \
                        the page again and repeat it.";
            Err(refuse(visit, StatusCode::FORBIDDEN, text).await)
        }
        Err(trouble) => Err(refuse(visit, StatusCode::SERVICE_UNAVAILABLE, &trouble).await),
    }
}

/// Carries out an action, or asks for confirmation first.
pub(super) async fn act(visit: Visit, Form(sent): Form<Sent>) -> Result<Response, Response> {
    check(&visit, &sent.token).await?;
    let Some(action) = Action::named(&sent.action) else {
        let text = "There is no such action.";
        return Err(refuse(&visit, StatusCode::BAD_REQUEST, text).await);
    };
    let target = Target {
        subject: sent.subject.trim().to_owned(),
        device: sent.device,
        policy: sent.policy.trim().to_owned(),
        seen: sent.seen,
    };
    if !action.is_harmless() && sent.sure != "yes" {
        let question = action.question(&visit.shared, &target);
        return match within(question).await {
            Ok(question) => Ok(confirm(&visit, action, &target, question).await),
            Err(trouble) => Err(refuse(&visit, StatusCode::CONFLICT, trouble.text()).await),
        };
    }
    let work = attempt(visit.shared.clone(), visit.operator.clone(), action, target);
    // If the browser disconnects, neither the action nor its entry in the log is interrupted.
    let Ok(attempt) = tokio::spawn(work.in_current_span()).await else {
        let text = "The page failed, and a part of it may have been done. It may be missing in the log of actions.";
        return Err(unsure(&visit, StatusCode::INTERNAL_SERVER_ERROR, text).await);
    };
    match attempt.result {
        Ok(count) if attempt.is_logged => {
            let (name, view) = (action.name(), action.view().path());
            let back = format!("{}/{view}?did={name}&count={count}", visit.base);
            Ok((StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response())
        }
        Ok(count) => Ok(unlogged(&visit, action, count).await),
        Err(Trouble::Refused(text)) => Err(refuse(&visit, StatusCode::CONFLICT, &text).await),
        Err(Trouble::Unsure(_, text)) => {
            let text = match attempt.is_logged {
                true => text,
                false => format!("{text} {UNLOGGED}"),
            };
            Err(unsure(&visit, StatusCode::SERVICE_UNAVAILABLE, &text).await)
        }
    }
}

/// Shows what an action would do, and asks.
async fn confirm(visit: &Visit, action: Action, target: &Target, question: Question) -> Response {
    let form = Shown {
        to: "actions",
        hidden: vec![
            ("action", action.name().to_owned()),
            ("subject", target.subject.clone()),
            ("device", target.device.clone()),
            ("policy", target.policy.clone()),
            ("seen", question.seen),
            ("sure", "yes".to_owned()),
        ],
        button: action.verb(),
        is_danger: true,
        back: Some(action.view().path()),
        ..Shown::default()
    };
    let panel = Panel::new("confirm", "Are you sure?", Origin::Page)
        .alarm(Tone::Warn, question.text)
        .with(Block::Table(super::model::Table {
            caption: "What it is done to",
            columns: vec![super::model::text("action"), super::model::text("target")],
            rows: vec![vec![
                super::model::Cell::Text(action.verb().to_owned()),
                super::model::Cell::Name(shown(&target.subject)),
            ]],
            empty: "",
        }))
        .with(Block::Form(form));
    let mut frame = frame(visit, action.view(), None).await;
    frame.is_live = false;
    frame.page(StatusCode::OK, &[panel])
}

/// Reports that something was done but is not in the log.
async fn unlogged(visit: &Visit, action: Action, count: u64) -> Response {
    let panel = Panel::new("unlogged", "It was done", Origin::Page)
        .alarm(Tone::Good, action.done(count))
        .alarm(Tone::Warn, UNLOGGED);
    let mut frame = frame(visit, action.view(), None).await;
    frame.is_live = false;
    frame.page(StatusCode::OK, &[panel])
}

/// Reports what was done, if the address matches an entry of the operator in the log.
///
/// Anybody can make a link to such an address, so the address alone is not trusted. One round trip.
pub(super) async fn notice(visit: &Visit, view: View, did: &str, count: u64) -> Option<String> {
    let action = Action::named(did).filter(|action| action.view() == view)?;
    let newest = ask(visit.shared.log.newest(RECENT)).await.ok()?;
    let mut newest = newest.iter();
    let is_true = newest.any(|entry| entry.is_of(&visit.operator, action.name(), count));
    is_true.then(|| action.done(count))
}
