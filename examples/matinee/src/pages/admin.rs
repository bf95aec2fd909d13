use askama::Template;
use axum::response::Response;
use larder::rate_limit::Report;
use larder::session::Flash;

use super::{Frame, link, show, text};
use crate::accounts::{Standing, in_words};
use crate::admin::FilmForm;
use crate::caching::KEPT;
use crate::clock::now_ms;
use crate::db;
use crate::films::{CataloguePage, Listing};

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminTemplate<'a> {
    frame: Frame,
    /// The address of the operators' page, if there is one.
    operations: Option<&'static str>,
    q: &'a str,
    found: String,
    films: &'a [Listing],
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "admin_accounts.html")]
struct AccountsTemplate<'a> {
    frame: Frame,
    accounts: &'a [db::Account],
}

/// Renders the accounts, each with a button that disables or enables it.
pub(crate) fn admin_accounts(accounts: &[db::Account], flashes: Vec<Flash>) -> Response {
    show(&AccountsTemplate {
        frame: Frame::telling(flashes),
        accounts,
    })
}

#[derive(Template)]
#[template(path = "admin_account.html")]
struct AccountTemplate<'a> {
    frame: Frame,
    id: i64,
    name: &'a str,
    email: &'a str,
    address: &'a str,
    limits: Vec<Limit>,
}

/// A limit on wrong passwords, in words.
struct Limit {
    whom: &'static str,
    told: String,
}

/// Renders an account, with the state of its limits and of those of the address that a caller
/// names.
pub(crate) fn admin_account(
    account: &db::Account,
    address: &str,
    standing: &Standing,
    flashes: Vec<Flash>,
) -> Response {
    let limit = |whom, report| Limit {
        whom,
        told: told(report),
    };
    let mut limits = vec![limit("This account, from everywhere", &standing.account)];
    if let Some([both, address]) = &standing.address {
        limits.push(limit("This account, from that address", both));
        limits.push(limit("All accounts, from that address", address));
    }
    show(&AccountTemplate {
        frame: Frame::telling(flashes),
        id: account.id,
        name: &account.name,
        email: &account.email,
        address,
        limits,
    })
}

fn told(report: &Report) -> String {
    let decision = report.decision();
    let wait = decision.retry_after().as_secs() + 1;
    match report.ban() {
        Some(ban) => {
            let lasts = ban.as_millis().try_into().unwrap_or(i64::MAX);
            // Rounded up, because a caller must not be told too early a time.
            let ends = text::time(now_ms().saturating_add(lasts).saturating_add(59_999));
            format!("Banned until {ends} UTC")
        }
        None if decision.is_allowed() => {
            format!("{} more may be tried now", decision.remaining())
        }
        None => format!("Used up; the next may be tried {}", in_words(wait)),
    }
}

#[derive(Template)]
#[template(path = "admin_film.html")]
struct AdminFilmTemplate<'a> {
    frame: Frame,
    id: i64,
    form: &'a FilmForm,
    edit: &'a Edit,
    kept: String,
}

/// The state of an edit.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Begun,
    /// It is saved, but old pages may still be shown for a while.
    NotPurged,
    /// Somebody else has edited the film in the meantime.
    Outdated,
    /// The form has these errors.
    Wrong(Vec<String>),
}

/// Renders the list of films to edit.
pub(crate) fn admin(loaded: &CataloguePage, q: &str, operations: Option<&'static str>) -> Response {
    // Addresses of catalogue pages begin with `/?…`.
    let link = |page| format!("/admin{}", &link::catalogue(q, None, page)[1..]);
    show(&AdminTemplate {
        frame: Frame::new(None),
        operations,
        q,
        found: text::counted(loaded.total, "film", "films"),
        films: &loaded.films,
        previous: (loaded.page > 1).then(|| link(loaded.page - 1)),
        next: (loaded.page < loaded.pages).then(|| link(loaded.page + 1)),
    })
}

/// Renders the form of a film.
pub(crate) fn admin_film(id: i64, form: &FilmForm, edit: &Edit, flashes: Vec<Flash>) -> Response {
    show(&AdminFilmTemplate {
        frame: Frame::telling(flashes),
        id,
        form,
        edit,
        kept: text::whole_span(KEPT),
    })
}
