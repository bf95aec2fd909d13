use askama::Template;
use axum::response::Response;

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
    wrong: Option<&'static str>,
}

/// The sign-in form, with what the visitor should know and the error of the last attempt, if any.
pub(crate) fn sign_in(
    email: &str,
    next: &str,
    demo: DemoAccounts,
    notice: Option<&'static str>,
    wrong: Option<&'static str>,
) -> Response {
    show(&SignInTemplate {
        frame: Frame::new(None),
        email,
        next,
        demo: match demo {
            DemoAccounts::Open => &DEMO_ACCOUNTS,
            DemoAccounts::Closed => &[],
        },
        notice,
        wrong,
    })
}
