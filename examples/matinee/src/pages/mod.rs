//! Pages: turns loaded data into text and HTML. Nothing here queries the database.

mod account;
mod admin;
mod catalogue;
mod error;
mod film;
mod link;
mod pager;
mod poster;
mod seat_map;
mod sign_in;
pub(crate) mod text;
mod tickets;

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use larder::session::{Flash, FlashLevel};

pub(crate) use self::account::account;
pub(crate) use self::admin::{Edit, admin, admin_account, admin_accounts, admin_film};
pub(crate) use self::catalogue::catalogue;
pub(crate) use self::error::error;
pub(crate) use self::film::film;
pub(crate) use self::link::catalogue as catalogue_link;
pub(crate) use self::seat_map::{Notice, seat_map, seats_event};
pub(crate) use self::sign_in::{SignIn, sign_in};
pub(crate) use self::tickets::tickets;
use crate::assets;
use crate::errors::Problem;

/// The data of the layout, on every page.
struct Frame {
    stylesheet: &'static str,
    icon: &'static str,
    footer: Option<Footer>,
    messages: Vec<Message>,
}

/// A message about what a form has done, shown once.
struct Message {
    text: String,
    is_bad: bool,
}

impl Frame {
    fn new(footer: Option<Footer>) -> Self {
        Self {
            stylesheet: assets::stylesheet_path(),
            icon: assets::icon_path(),
            footer,
            messages: Vec::new(),
        }
    }

    /// Makes the frame of a page that shows what a form has done.
    fn telling(flashes: Vec<Flash>) -> Self {
        let message = |flash: Flash| Message {
            is_bad: matches!(flash.level, FlashLevel::Warning | FlashLevel::Error),
            text: flash.text,
        };
        Self {
            messages: flashes.into_iter().map(message).collect(),
            ..Self::new(None)
        }
    }
}

/// The line at the foot of a page that says how fresh its data is. It names a time of day, because
/// the page may be shown again later.
struct Footer {
    queries: String,
    at: String,
    at_iso: String,
}

impl Footer {
    fn new(loaded_at_ms: i64, queries: u32) -> Self {
        Self {
            queries: text::counted(queries, "query", "queries"),
            at: text::utc(loaded_at_ms, "%Y-%m-%d %H:%M:%S%.3f UTC"),
            at_iso: text::utc(loaded_at_ms, "%Y-%m-%dT%H:%M:%S%.3fZ"),
        }
    }
}

fn show(template: &impl Template) -> Response {
    match template.render() {
        Ok(page) => Html(page).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page failed to render");
            Problem::of(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}
