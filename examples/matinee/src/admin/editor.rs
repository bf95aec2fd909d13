use axum::extract::FromRef;
use larder::response_cache::Purger;
use sqlx::SqlitePool;

use crate::caching::Tag;
use crate::db::{self, Edited};
use crate::films::{Film, Loader};

/// Edits films, and removes cached copies of the old data.
#[derive(Clone)]
pub(crate) struct Editor {
    pool: SqlitePool,
    loader: Loader,
    purger: Purger,
    /// The address of the operators' page, to which the list of films links.
    pub(super) operations: Option<&'static str>,
}

/// The outcome of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It is in the database, and shown at once by this process and usually by every other, unless a message is lost.
    /// A process that misses one may use old copies for at most [`NEAR`](crate::caching::NEAR), and every process may
    /// show the pages that it makes from them for as long again.
    Everywhere,
    /// It is in the database, but cached pages may still be shown until they expire, for at most
    /// [`KEPT`](crate::caching::KEPT).
    NotPurged,
    /// Somebody else has edited the film in the meantime, so nothing was changed.
    Outdated,
}

/// Handlers of this feature, and their [`Admin`](crate::accounts::Admin), read the same database.
impl FromRef<Editor> for SqlitePool {
    fn from_ref(editor: &Editor) -> Self {
        editor.pool.clone()
    }
}

impl Editor {
    pub(crate) fn new(pool: SqlitePool, loader: Loader, purger: Purger) -> Self {
        Self {
            pool,
            loader,
            purger,
            operations: None,
        }
    }

    /// Adds a link to the operators' page.
    pub(crate) fn with_operations(mut self, page: &'static str) -> Self {
        self.operations = Some(page);
        self
    }

    /// Writes an edit, then removes the loaded data, then purges the pages made from it.
    ///
    /// In this order, a page that is made in between has the new data. A page that another process makes
    /// from old data is not cached if its request began before the purge, and is kept briefly if the data is from
    /// that process's memory.
    ///
    /// # Cancellation
    ///
    /// It runs in a task of its own, so a client that disconnects in between leaves no old page behind.
    pub(crate) async fn save(&self, film: Film) -> Result<Saved, sqlx::Error> {
        let this = self.clone();
        let saving = tokio::spawn(async move { this.save_and_purge(&film).await });
        // There is no result if the task panics, or if the app itself ends.
        saving.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    async fn save_and_purge(&self, film: &Film) -> Result<Saved, sqlx::Error> {
        match db::edit_film(&self.pool, film).await? {
            // If it was written before, it is purged again: the first request may not have come to that.
            Edited::Done | Edited::Already => {}
            Edited::Outdated => return Ok(Saved::Outdated),
        }
        let forgotten = self.loader.forget(film.id).await;
        let tags = [Tag::Film(film.id), Tag::Catalogue].map(Tag::name);
        let (film, catalogue) = tokio::join!(
            self.purger.purge_tag(&tags[0]),
            self.purger.purge_tag(&tags[1]),
        );
        match forgotten.and(film).and(catalogue) {
            Ok(()) => Ok(Saved::Everywhere),
            Err(error) => {
                tracing::error!(%error, "an edit is saved, but its cached pages were not purged");
                Ok(Saved::NotPurged)
            }
        }
    }
}
