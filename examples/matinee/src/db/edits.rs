//! Edits of films.

use sqlx::SqlitePool;

use super::{fold, writers};
use crate::films::Film;

/// The outcome of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    Done,
    /// The film was already like this: a form was sent twice, and the first has written it.
    Already,
    /// Somebody else has edited the film, or it is gone; nothing was written.
    Outdated,
}

/// Writes a film, if it still has the revision that its editor saw.
pub(crate) async fn edit_film(pool: &SqlitePool, film: &Film) -> Result<Edited, sqlx::Error> {
    let known = [
        Some(&film.title),
        film.director.as_ref(),
        film.distributor.as_ref(),
    ];
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let _turn = writers::turn().await?;
    let written = sqlx::query(
        "UPDATE films SET title = ?, released = ?, certificate = ?, running_time_min = ?, genre = ?,
                director = ?, distributor = ?, overview = ?, search_text = ?,
                revision = revision + 1
         WHERE id = ? AND revision = ?",
    )
    .bind(&film.title)
    .bind(&film.released)
    .bind(&film.certificate)
    .bind(film.running_time_min)
    .bind(&film.genre)
    .bind(&film.director)
    .bind(&film.distributor)
    .bind(&film.overview)
    .bind(fold(&known.join(" ")))
    .bind(film.id)
    .bind(film.revision)
    .execute(pool)
    .await?;
    if written.rows_affected() > 0 {
        return Ok(Edited::Done);
    }
    let is_written: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM films
         WHERE id = ? AND title = ? AND released IS ? AND certificate IS ? AND running_time_min IS ?
               AND genre IS ? AND director IS ? AND distributor IS ? AND overview IS ?)",
    )
    .bind(film.id)
    .bind(&film.title)
    .bind(&film.released)
    .bind(&film.certificate)
    .bind(film.running_time_min)
    .bind(&film.genre)
    .bind(&film.director)
    .bind(&film.distributor)
    .bind(&film.overview)
    .fetch_one(pool)
    .await?;
    Ok(match is_written {
        true => Edited::Already,
        false => Edited::Outdated,
    })
}
