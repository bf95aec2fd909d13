use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use larder::session::{FlashLevel, Session};
use sqlx::SqlitePool;

use super::{Editor, FilmForm};
use crate::accounts::Admin;
use crate::admin::editor::Saved;
use crate::errors::Problem;
use crate::films::{Film, LoadError, RawQuery, film_id, load_catalogue, load_film};
use crate::flash;
use crate::pages::{self, Edit};

pub(super) async fn films(
    _: Admin,
    State(pool): State<SqlitePool>,
    State(editor): State<Editor>,
    Query(raw): Query<RawQuery>,
) -> Result<Response, Problem> {
    // Read directly from the database, not through the caches.
    let films = load_catalogue(&pool, &raw.parse()?).await?;
    Ok(pages::admin(&films, &raw.typed(), editor.operations))
}

pub(super) async fn film(
    _: Admin,
    State(pool): State<SqlitePool>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let film = load(&pool, id).await?;
    let flashes = flash::take(&session).await;
    Ok(pages::admin_film(id, &film.into(), &Edit::Begun, flashes))
}

pub(super) async fn save(
    _: Admin,
    State(editor): State<Editor>,
    State(pool): State<SqlitePool>,
    session: Session,
    Path(id): Path<String>,
    Form(form): Form<FilmForm>,
) -> Result<Response, Problem> {
    let id = film_id(&id)?;
    let edit = match form.parse(id) {
        Ok(edit) => edit,
        Err(wrong) => {
            let page = pages::admin_film(id, &form, &Edit::Wrong(wrong), Vec::new());
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let saved = editor.save(edit).await.map_err(LoadError::from)?;
    // The current data and revision, for the next attempt.
    let now: FilmForm = load(&pool, id).await?.into();
    Ok(match saved {
        Saved::Everywhere => {
            let page = format!("/admin/films/{id}");
            flash::tell(&session, FlashLevel::Success, "The film is saved.", &page).await
        }
        Saved::NotPurged => {
            let page = pages::admin_film(id, &now, &Edit::NotPurged, Vec::new());
            (StatusCode::ACCEPTED, page).into_response()
        }
        Saved::Outdated => {
            let page = pages::admin_film(id, &now, &Edit::Outdated, Vec::new());
            (StatusCode::CONFLICT, page).into_response()
        }
    })
}

async fn load(pool: &SqlitePool, id: i64) -> Result<Film, LoadError> {
    let page = load_film(pool, id).await?;
    Ok(page.ok_or(LoadError::NoSuchFilm)?.film)
}
