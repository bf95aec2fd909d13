//! Moves that are cut short, and old stores that hang.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_moka::MokaStore;
use larder_store::ErrorKind;
use larder_test::faulty::{Operations, Trouble};
use larder_tower_sessions::LarderStore;
use time::OffsetDateTime;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{Error, Result};
use tower_sessions_core::{CachingSessionStore, Session, SessionStore};

use super::{HOUR, World, nested, record};

/// An old store that works, apart from what a test asks of it.
#[derive(Clone, Debug)]
struct Old {
    kept: LarderStore,
    looks: Arc<AtomicUsize>,
    /// The look, counted from 0, that never ends.
    hangs_at_look: Option<usize>,
    at_delete: AtDelete,
}

#[derive(Clone, Debug)]
enum AtDelete {
    Work,
    Hang,
    /// The session stays, and another request deletes its copy here.
    KeepAndDeleteIn(LarderStore),
}

impl Old {
    /// Makes a store that has `record`.
    async fn with(record: &Record) -> Self {
        let kept = LarderStore::new(Arc::new(MokaStore::new()));
        kept.create(&mut record.clone()).await.unwrap();
        Self {
            kept,
            looks: Arc::default(),
            hangs_at_look: None,
            at_delete: AtDelete::Work,
        }
    }
}

#[async_trait::async_trait]
impl SessionStore for Old {
    async fn save(&self, record: &Record) -> Result<()> {
        self.kept.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let look = self.looks.fetch_add(1, Ordering::SeqCst);
        if self.hangs_at_look == Some(look) {
            pending::<()>().await;
        }
        self.kept.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        match &self.at_delete {
            AtDelete::Work => self.kept.delete(id).await,
            AtDelete::Hang => pending().await,
            AtDelete::KeepAndDeleteIn(sessions) => sessions.delete(id).await,
        }
    }
}

/// Waits until a condition holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), wait).await;
    assert!(in_time.is_ok(), "it does not happen");
}

/// A wait that ends soon, for a store that never answers.
const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_move_that_is_dropped_leaves_no_copy_of_a_session_that_was_signed_out() {
    for World { sessions, .. } in World::both().await {
        let record = record(HOUR);
        let id = record.id;
        let mut old = Old::with(&record).await;
        old.hangs_at_look = Some(1);
        let moving = sessions.clone().with_previous(old.clone());
        let request = tokio::spawn(async move { moving.load(&id).await });
        until(async || old.looks.load(Ordering::SeqCst) == 2).await;
        assert!(sessions.load(&id).await.unwrap().is_some());
        // The sign-out deleted in both stores before the copy was written.
        old.kept.delete(&id).await.unwrap();
        request.abort();
        until(async || sessions.load(&id).await.unwrap().is_none()).await;
    }
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_is_deleted() {
    for World {
        sessions, switch, ..
    } in World::both().await
    {
        let record = record(HOUR);
        let id = record.id;
        let old = Old::with(&record).await;
        let moving = sessions.clone().with_previous(old.clone());
        switch.set_on(Operations::Writes, Trouble::LoseAnswer);
        let error = moving.load(&id).await.unwrap_err();
        assert!(error.to_string().contains("put"), "{error}");
        old.kept.delete(&id).await.unwrap();
        switch.clear();
        until(async || sessions.load(&id).await.unwrap().is_none()).await;
    }
}

#[tokio::test]
async fn a_copy_that_was_certainly_not_written_is_not_deleted() {
    for World {
        sessions, switch, ..
    } in World::both().await
    {
        let record = record(HOUR);
        let moving = sessions.clone().with_previous(Old::with(&record).await);
        switch.set_on(Operations::Writes, Trouble::Fail(ErrorKind::NotSent));
        assert!(moving.load(&record.id).await.is_err());
        // A look, and a put.
        assert_eq!(switch.operations(), 2);
        switch.clear();
        assert_eq!(moving.load(&record.id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn an_old_store_that_hangs_is_an_error_and_does_not_prevent_a_sign_out() {
    let mut first = record(HOUR);
    let mut old = Old::with(&first).await;
    old.at_delete = AtDelete::Hang;
    old.hangs_at_look = Some(0);
    let sessions = LarderStore::new(Arc::new(MokaStore::new())).with_store_timeout(SHORT);
    sessions.create(&mut first).await.unwrap();
    let moving = sessions.clone().with_previous(old);
    let failed = moving.delete(&first.id).await.unwrap_err();
    assert!(failed.to_string().contains("the old store"), "{failed}");
    assert_eq!(sessions.load(&first.id).await.unwrap(), None);
    assert!(moving.load(&first.id).await.is_err());
}

#[tokio::test]
async fn a_session_that_was_not_loaded_is_moved_and_then_saved() {
    for World { sessions, .. } in World::both().await {
        let record = record(HOUR);
        let old = Old::with(&record).await;
        let moving = sessions.clone().with_previous(old.clone());
        // tower-sessions does not load a session in order to clear it.
        let session = Session::new(Some(record.id), Arc::new(moving), None);
        session.clear().await;
        session.save().await.unwrap();
        let saved = sessions.load(&record.id).await.unwrap().unwrap();
        assert!(saved.data.is_empty(), "{saved:?}");
        assert_eq!(old.kept.load(&record.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_save_is_an_error_if_another_request_gives_the_move_up() {
    for World { sessions, .. } in World::both().await {
        let record = record(HOUR);
        let mut old = Old::with(&record).await;
        old.at_delete = AtDelete::KeepAndDeleteIn(sessions.clone());
        let moving = sessions.with_previous(old);
        let error = moving.save(&record).await.unwrap_err();
        assert!(error.to_string().contains("try again"), "{error}");
    }
}

#[tokio::test]
async fn a_save_into_the_past_ends_what_a_cut_move_left_in_the_old_store() {
    for World { sessions, .. } in World::both().await {
        let mut record = record(HOUR);
        let old = Old::with(&record).await;
        sessions.create(&mut record).await.unwrap();
        let moving = sessions.with_previous(old.clone());
        record.expiry_date = OffsetDateTime::now_utc();
        moving.save(&record).await.unwrap();
        assert_eq!(moving.load(&record.id).await.unwrap(), None);
        assert_eq!(old.kept.load(&record.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn as_the_cache_of_another_store_it_gets_new_sessions_only() {
    for World { sessions, .. } in World::both().await {
        let mut first = record(HOUR);
        let old = Old::with(&first).await;
        let caching = CachingSessionStore::new(sessions.clone(), old);
        assert_eq!(
            caching.load(&first.id).await.unwrap().as_ref(),
            Some(&first)
        );
        assert_eq!(sessions.load(&first.id).await.unwrap(), None);
        first.id = Id::default();
        caching.create(&mut first).await.unwrap();
        assert_eq!(sessions.load(&first.id).await.unwrap(), Some(first));
    }
}

/// An old store of one session, with whatever data.
#[derive(Clone, Debug)]
struct OfOne(Arc<Mutex<Option<Record>>>);

#[async_trait::async_trait]
impl SessionStore for OfOne {
    async fn save(&self, record: &Record) -> Result<()> {
        *self.0.lock().unwrap() = Some(record.clone());
        Ok(())
    }

    async fn load(&self, _: &Id) -> Result<Option<Record>> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn delete(&self, _: &Id) -> Result<()> {
        *self.0.lock().unwrap() = None;
        Ok(())
    }
}

#[tokio::test]
async fn a_session_whose_data_are_refused_is_loaded_and_stays_in_the_old_store_until_it_is_saved() {
    for World { sessions, .. } in World::both().await {
        let mut record = record(HOUR);
        record.data.insert("nested".to_owned(), nested(130));
        let old = OfOne(Arc::new(Mutex::new(Some(record.clone()))));
        let moving = sessions.clone().with_previous(old.clone());
        for _ in 0..2 {
            let loaded = moving.load(&record.id).await.unwrap();
            assert_eq!(loaded.as_ref(), Some(&record));
        }
        let refused = moving.save(&record).await;
        assert!(matches!(refused, Err(Error::Encode(_))), "{refused:?}");
        record.data.remove("nested");
        moving.save(&record).await.unwrap();
        assert_eq!(*old.0.lock().unwrap(), None);
        assert_eq!(sessions.load(&record.id).await.unwrap(), Some(record));
    }
}

/// Not every store leaves them out.
#[tokio::test]
async fn a_session_of_the_old_store_that_has_expired_is_neither_loaded_nor_saved() {
    for World { sessions, .. } in World::both().await {
        let mut expired = record(Duration::ZERO);
        for depth in [1, 130] {
            expired.data.insert("nested".to_owned(), nested(depth));
            let old = OfOne(Arc::new(Mutex::new(Some(expired.clone()))));
            let moving = sessions.clone().with_previous(old);
            assert_eq!(moving.load(&expired.id).await.unwrap(), None, "{depth}");
            // tower-sessions does not load a session in order to clear it.
            let session = Session::new(Some(expired.id), Arc::new(moving.clone()), None);
            session.clear().await;
            session.insert("name", "ada").await.unwrap();
            session.save().await.unwrap();
            assert_eq!(sessions.load(&expired.id).await.unwrap(), None, "{depth}");
        }
    }
}
