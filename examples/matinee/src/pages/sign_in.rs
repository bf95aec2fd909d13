use askama::Template;
use axum::response::Response;
use larder::session::Flash;

use super::{Frame, show};
use crate::accounts::{DEMO_ACCOUNTS, DemoAccount};
use crate::config::DemoAccounts;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInTemplate<'a> {
    frame: Frame,
    email: &'a str,
    next: &'a str,
    demo: &'a [DemoAccount],
    notice: Option<&'static str>,
    wrong: Option<&'a str>,
}

/// What the sign-in form shows.
pub(crate) struct SignIn<'a> {
    email: &'a str,
    next: &'a str,
    demo: DemoAccounts,
    /// Why the last session of this browser ended.
    pub(crate) notice: Option<&'static str>,
    pub(crate) flashes: Vec<Flash>,
    /// What was wrong with the last attempt.
    pub(crate) wrong: Option<String>,
}

impl<'a> SignIn<'a> {
    /// Makes the form with what was typed, and the page that it leads to.
    pub(crate) fn new(email: &'a str, next: &'a str, demo: DemoAccounts) -> Self {
        Self {
            email,
            next,
            demo,
            notice: None,
            flashes: Vec::new(),
            wrong: None,
        }
    }
}

/// Renders the sign-in form.
pub(crate) fn sign_in(form: SignIn<'_>) -> Response {
    show(&SignInTemplate {
        frame: Frame::telling(form.flashes),
        email: form.email,
        next: form.next,
        demo: match form.demo {
            DemoAccounts::Open => &DEMO_ACCOUNTS,
            DemoAccounts::Closed => &[],
        },
        notice: form.notice,
        wrong: form.wrong.as_deref(),
    })
}
