//! Edits of films.

use sqlx::SqlitePool;

use super::fold;
use crate::films::Film;

/// The outcome of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edited {
    Done,
    /// Somebody else has edited the film, or it is gone; nothing was written.
    Outdated,
}

/// The number of the edition of the films: another one after each edit.
pub(crate) async fn edition(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT number FROM edition")
        .fetch_one(pool)
        .await
}

/// Writes a film over the revision that it names, the one that its editor saw, and makes another
/// edition, in one transaction.
pub(crate) async fn edit_film(pool: &SqlitePool, film: &Film) -> Result<Edited, sqlx::Error> {
    let known = [
        Some(&film.title),
        film.director.as_ref(),
        film.distributor.as_ref(),
    ];
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
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
    .execute(&mut *transaction)
    .await?;
    if written.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Edited::Outdated);
    }
    sqlx::query("UPDATE edition SET number = random()")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Edited::Done)
}
