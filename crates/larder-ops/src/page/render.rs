use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::model::{ACTIONS, Block, Cell, Column, Form, Origin, Panel, Tone};
use super::patience::ask;
use super::state::Visit;
use super::view::View;

/// The parts around a view.
pub(super) struct Frame<'a> {
    pub(super) visit: &'a Visit,
    pub(super) view: View,
    /// The token of forms that act. None if the operator may not act, or the store does not answer.
    pub(super) token: Option<String>,
    /// The action that was just carried out.
    pub(super) notice: Option<String>,
    pub(super) is_live: bool,
}

#[derive(Template)]
#[template(path = "page.html", whitespace = "minimize")]
struct Page<'a> {
    frame: &'a Frame<'a>,
    panels: &'a [Panel],
    operator: String,
}

#[derive(Template)]
#[template(path = "panels.html", whitespace = "minimize")]
struct Panels<'a> {
    frame: &'a Frame<'a>,
    panels: &'a [Panel],
}

impl Frame<'_> {
    fn views(&self) -> impl Iterator<Item = View> {
        let has_drill = self.visit.shared.has_drill;
        let views = View::ALL.into_iter();
        views.filter(move |view| has_drill || *view != View::Drill)
    }

    /// Returns the address of a view.
    fn address(&self, path: &str) -> String {
        let base = &self.visit.base;
        match path {
            "" if base.is_empty() => "/".to_owned(),
            "" => base.clone(),
            path => format!("{base}/{path}"),
        }
    }

    /// Returns the address of the stream of this view.
    fn live(&self) -> String {
        match self.view.path() {
            "" => self.address("live"),
            path => self.address(&format!("live/{path}")),
        }
    }

    /// Returns whether a form can be sent: those that act need a token.
    fn is_usable(&self, form: &Form) -> bool {
        form.to == View::Sessions.path() || self.token.is_some()
    }

    /// Returns whether a column is shown: without a token the column of actions is empty.
    fn shows(&self, column: &Column) -> bool {
        column.name != ACTIONS.name || self.token.is_some()
    }

    fn mode(&self) -> &'static str {
        match (self.visit.may_act(), self.token.is_some()) {
            (true, true) => "actions allowed",
            (true, false) => "actions need the store",
            (false, _) => "read-only",
        }
    }

    /// Writes the whole page.
    pub(super) fn page(&self, status: StatusCode, panels: &[Panel]) -> Response {
        let operator = super::model::shown(self.visit.operator.name());
        let frame = self;
        respond(
            status,
            Page {
                frame,
                panels,
                operator,
            }
            .render(),
        )
    }

    /// Writes only the panels.
    pub(super) fn panels(&self, panels: &[Panel]) -> String {
        let frame = self;
        // It writes to a string, which cannot fail.
        Panels { frame, panels }.render().unwrap_or_default()
    }
}

/// Writes a view that explains why something was not done.
pub(super) async fn refuse(visit: &Visit, status: StatusCode, text: &str) -> Response {
    let panel = Panel::new("refused", "Nothing was done", Origin::Page).alarm(Tone::Bad, text);
    alone(visit, status, panel).await
}

/// Writes a view that explains why something may not have been done.
pub(super) async fn unsure(visit: &Visit, status: StatusCode, text: &str) -> Response {
    let panel = Panel::new("unsure", "It may not have been done", Origin::Page);
    let panel = panel
        .alarm(Tone::Bad, text)
        .note("Look at the view again before you repeat it.");
    alone(visit, status, panel).await
}

async fn alone(visit: &Visit, status: StatusCode, panel: Panel) -> Response {
    let mut frame = frame(visit, View::Overview, None).await;
    frame.is_live = false;
    frame.page(status, &[panel])
}

/// Makes the parts around a view, with the token of the operator's forms.
pub(super) async fn frame(visit: &Visit, view: View, notice: Option<String>) -> Frame<'_> {
    let token = match visit.may_act() {
        true => ask(visit.shared.tokens.of(&visit.operator)).await.ok(),
        false => None,
    };
    Frame {
        visit,
        view,
        token,
        notice,
        is_live: !matches!(view, View::Sessions | View::Log | View::Drill),
    }
}

fn respond(status: StatusCode, html: askama::Result<String>) -> Response {
    match html {
        Ok(html) => (status, Html(html)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
