use askama::Template;
use axum::response::Response;

use super::{Frame, link, show, text};
use crate::admin::FilmForm;
use crate::caching::KEPT;
use crate::db;
use crate::films::{CataloguePage, Listing};

#[derive(Template)]
#[template(path = "admin.html")]
struct AdminTemplate<'a> {
    frame: Frame,
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

/// The accounts, each with a button that disables or enables it.
pub(crate) fn admin_accounts(accounts: &[db::Account]) -> Response {
    show(&AccountsTemplate {
        frame: Frame::new(None),
        accounts,
    })
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
    Saved,
    /// It is saved, but old pages may be shown for a while.
    NotPurged,
    /// Somebody else has edited the film first.
    Outdated,
    /// The form has these errors.
    Wrong(Vec<String>),
}

/// The list of films to edit.
pub(crate) fn admin(loaded: &CataloguePage, q: &str) -> Response {
    // Pages of the catalogue are addressed by `/?…`.
    let link = |page| format!("/admin{}", &link::catalogue(q, None, page)[1..]);
    show(&AdminTemplate {
        frame: Frame::new(None),
        q,
        found: text::counted(loaded.total, "film", "films"),
        films: &loaded.films,
        previous: (loaded.page > 1).then(|| link(loaded.page - 1)),
        next: (loaded.page < loaded.pages).then(|| link(loaded.page + 1)),
    })
}

/// The form of a film.
pub(crate) fn admin_film(id: i64, form: &FilmForm, edit: &Edit) -> Response {
    show(&AdminFilmTemplate {
        frame: Frame::new(None),
        id,
        form,
        edit,
        kept: text::whole_span(KEPT),
    })
}
