use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use sqlx::SqlitePool;

use super::{Editor, FilmForm};
use crate::accounts::Admin;
use crate::admin::editor::Saved;
use crate::errors::Problem;
use crate::films::{Film, LoadError, RawQuery, film_id, load_catalogue, load_film};
use crate::pages::{self, Edit};

#[derive(Deserialize)]
pub(super) struct After {
    /// Set on the redirect after a form was saved.
    saved: Option<String>,
}

pub(super) async fn films(
    _: Admin,
    State(pool): State<SqlitePool>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    // Straight from the database, past the caches.
    let films = load_catalogue(&pool, &raw.parse()?).await?;
    Ok(pages::admin(&films, &raw.typed()))
}

pub(super) async fn film(
    _: Admin,
    State(pool): State<SqlitePool>,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let film = load(&pool, id).await?;
    let edit = if after.saved.is_some() {
        Edit::Saved
    } else {
        Edit::Begun
    };
    Ok(pages::admin_film(id, &film.into(), &edit))
}

pub(super) async fn save(
    _: Admin,
    State(editor): State<Editor>,
    State(pool): State<SqlitePool>,
    Path(id): Path<String>,
    Form(form): Form<FilmForm>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let edit = match form.parse(id) {
        Ok(edit) => edit,
        Err(wrong) => {
            let page = pages::admin_film(id, &form, &Edit::Wrong(wrong));
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let saved = editor.save(edit).await.map_err(LoadError::from)?;
    // The current data and revision, for the next attempt.
    let now: FilmForm = load(&pool, id).await?.into();
    Ok(match saved {
        Saved::Everywhere => Redirect::to(&format!("/admin/films/{id}?saved=yes")).into_response(),
        Saved::NotPurged => {
            let page = pages::admin_film(id, &now, &Edit::NotPurged);
            (StatusCode::ACCEPTED, page).into_response()
        }
        Saved::Outdated => {
            let page = pages::admin_film(id, &now, &Edit::Outdated);
            (StatusCode::CONFLICT, page).into_response()
        }
    })
}

async fn load(pool: &SqlitePool, id: i64) -> Result<Film, LoadError> {
    let page = load_film(pool, id).await?;
    Ok(page.ok_or(LoadError::NoSuchFilm)?.film)
}
