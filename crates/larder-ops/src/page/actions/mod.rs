//! What operators can do: it is asked, done, and logged.

mod action;

use axum::Form;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

pub(super) use action::{Action, Target, queue_of};

use super::model::{Block, Form as Shown, Origin, Panel, Tone, shown};
use super::patience::ask;
use super::render::{frame, refuse};
use super::state::Visit;
use super::view::View;

/// What a form that acts sends.
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

/// Refuses who may not act, and forms of other sites and of others.
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

/// Does an action, or asks first.
pub(super) async fn act(visit: Visit, Form(sent): Form<Sent>) -> Result<Response, Response> {
    check(&visit, &sent.token).await?;
    let Some(action) = Action::named(&sent.action) else {
        let text = "There is no such action.";
        return Err(refuse(&visit, StatusCode::BAD_REQUEST, text).await);
    };
    let target = Target {
        subject: sent.subject.trim().to_owned(),
        device: sent.device,
    };
    let shared = &visit.shared;
    if !action.is_harmless() && sent.sure != "yes" {
        let question = action.question(shared, &target);
        return match within(question).await {
            Ok(question) => Ok(confirm(&visit, action, &target, question).await),
            Err(trouble) => Err(refuse(&visit, StatusCode::CONFLICT, &trouble).await),
        };
    }
    let count = match within(action.run(shared, &target)).await {
        Ok(count) => count,
        Err(trouble) => return Err(refuse(&visit, StatusCode::CONFLICT, &trouble).await),
    };
    shared.queues.forget();
    shared.locks.forget();
    let (name, operator) = (action.name(), &visit.operator);
    tracing::info!(
        operator = operator.name(),
        action = name,
        count,
        "an operator acted"
    );
    let noted = shared.log.note(operator, name, &target.subject, count);
    if let Err(trouble) = ask(noted).await {
        tracing::warn!(
            action = name,
            count,
            "an action is not in the log: {trouble}"
        );
    }
    let back = format!(
        "{}/{}?did={name}&count={count}",
        visit.base,
        action.view().path()
    );
    Ok((StatusCode::SEE_OTHER, [(LOCATION, back)]).into_response())
}

/// Bounds an action, which may take many round trips.
async fn within<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let bound = std::time::Duration::from_secs(10);
    let done = tokio::time::timeout(bound, work).await;
    done.unwrap_or_else(|_| Err("It took longer than 10 s, and may have been done in part.".into()))
}

/// Shows what an action would do, and asks.
async fn confirm(visit: &Visit, action: Action, target: &Target, question: String) -> Response {
    let form = Shown {
        to: "actions",
        hidden: vec![
            ("action", action.name().to_owned()),
            ("subject", target.subject.clone()),
            ("device", target.device.clone()),
            ("sure", "yes".to_owned()),
        ],
        button: action.verb(),
        is_danger: true,
        back: Some(action.view().path()),
        ..Shown::default()
    };
    let panel = Panel::new("confirm", "Are you sure?", Origin::Page)
        .alarm(Tone::Warn, question)
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
    let frame = frame(visit, action.view(), None).await;
    frame.page(StatusCode::OK, &[panel])
}

/// Says what was done, from the address that a redirect leads to.
pub(super) fn notice(view: View, did: &str, count: u64) -> Option<String> {
    let action = Action::named(did).filter(|action| action.view() == view)?;
    Some(action.done(count))
}
