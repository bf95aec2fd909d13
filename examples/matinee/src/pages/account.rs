use askama::Template;
use axum::response::Response;
use larder::session::{Device, Flash};

use super::{Frame, show, text};
use crate::clock::now_ms;
use crate::db;

/// A device counts as seen just now for this long, because a session is touched once a minute.
const JUST_NOW_MS: i64 = 90_000;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountTemplate<'a> {
    frame: Frame,
    name: &'a str,
    email: &'a str,
    is_admin: bool,
    devices: Vec<Row<'a>>,
}

struct Row<'a> {
    id: String,
    name: &'a str,
    is_current: bool,
    since: String,
    since_iso: String,
    seen: String,
}

/// Renders the account of a visitor, with the devices that are signed in.
pub(crate) fn account(account: &db::Account, devices: &[Device], flashes: Vec<Flash>) -> Response {
    let now = now_ms();
    show(&AccountTemplate {
        frame: Frame::telling(flashes),
        name: &account.name,
        email: &account.email,
        is_admin: account.is_admin,
        devices: devices.iter().map(|device| row(device, now)).collect(),
    })
}

fn row(device: &Device, now: i64) -> Row<'_> {
    let since = device.signed_in.as_micros() / 1000;
    let seen = now - device.last_seen.as_micros() / 1000;
    Row {
        id: device.id.to_string(),
        name: device.name.as_deref().unwrap_or("A browser"),
        is_current: device.is_current,
        since: text::utc(since, "%-d %B %Y, %H:%M"),
        since_iso: text::iso(since),
        seen: if seen < JUST_NOW_MS {
            "just now".to_owned()
        } else {
            format!("{} ago", text::age(seen))
        },
    }
}
