//! The store as tower-sessions uses it, in process and on Redis.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod errors;
mod lagging;
mod moves;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_moka::MokaStore;
use larder_redis::RedisStore;
use larder_store::{ErrorKind, Key, Kind, Put, Store, Ttl};
use larder_test::faulty::{Faulty, Lie, Switch, Trouble};
use larder_test::server::{RedisServer, Reply};
use larder_tower_sessions::LarderStore;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions_core::session::{Expiry, Id, Record};
use tower_sessions_core::{Session, SessionStore, session_store};

/// A store under test.
struct World {
    store: Arc<dyn Store>,
    sessions: LarderStore,
    switch: Switch,
    server: Option<RedisServer>,
}

impl World {
    fn new(store: Arc<dyn Store>, server: Option<RedisServer>) -> Self {
        let faulty = Faulty::new(store);
        let switch = faulty.switch();
        let store: Arc<dyn Store> = Arc::new(faulty);
        let sessions = LarderStore::new(store.clone()).with_store_timeout(Duration::from_secs(20));
        Self {
            store,
            sessions,
            switch,
            server,
        }
    }

    async fn both() -> [Self; 2] {
        let server = RedisServer::start().unwrap();
        let builder = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(20));
        let redis = builder.connect().await.unwrap();
        [
            Self::new(Arc::new(MokaStore::new()), None),
            Self::new(Arc::new(redis), Some(server)),
        ]
    }
}

fn record(left: Duration) -> Record {
    Record {
        id: Id::default(),
        data: [
            ("name".to_owned(), "ada".into()),
            ("seats".to_owned(), vec![7, 8].into()),
        ]
        .into(),
        expiry_date: OffsetDateTime::now_utc() + left,
    }
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_session_is_created_saved_loaded_and_deleted_whole() {
    for World { sessions, .. } in World::both().await {
        let mut record = record(HOUR);
        assert_eq!(sessions.load(&record.id).await.unwrap(), None);
        sessions.create(&mut record).await.unwrap();
        assert_eq!(
            sessions.load(&record.id).await.unwrap().as_ref(),
            Some(&record)
        );
        record.data.insert("seats".to_owned(), i64::MIN.into());
        record.data.insert("large".to_owned(), u64::MAX.into());
        record.expiry_date += HOUR;
        sessions.save(&record).await.unwrap();
        assert_eq!(
            sessions.load(&record.id).await.unwrap().as_ref(),
            Some(&record)
        );
        sessions.delete(&record.id).await.unwrap();
        sessions.delete(&record.id).await.unwrap();
        assert_eq!(sessions.load(&record.id).await.unwrap(), None);
    }
}

/// Nested data, this deep.
fn nested(depth: usize) -> serde_json::Value {
    (1..depth).fold(serde_json::json!([]), |inner, _| vec![inner].into())
}

/// A reader stops at a depth of 128, and the data are a map.
#[tokio::test]
async fn data_that_are_nested_too_deep_to_be_read_are_refused_and_others_are_read_back() {
    for World { sessions, .. } in World::both().await {
        let mut record = record(HOUR);
        sessions.create(&mut record).await.unwrap();
        for depth in 1..300 {
            let mut deep = record.clone();
            deep.data.insert("nested".to_owned(), nested(depth));
            match sessions.save(&deep).await {
                Ok(()) => {
                    assert!(depth <= 126, "{depth}");
                    assert_eq!(sessions.load(&record.id).await.unwrap(), Some(deep));
                }
                Err(session_store::Error::Encode(_)) => assert!(depth > 126, "{depth}"),
                Err(error) => panic!("{depth}: {error}"),
            }
        }
        assert!(sessions.load(&record.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_number_of_a_session_is_read_back_as_it_was_saved() {
    for World { sessions, .. } in World::both().await {
        let store = Arc::new(sessions.clone());
        let session = Session::new(None, store.clone(), None);
        // serde_json reads another number here, unless it is told to be exact.
        let price = 27.684277497634646;
        session.insert("price", price).await.unwrap();
        session.save().await.unwrap();
        let next = Session::new(session.id(), store, None);
        assert_eq!(next.get::<f64>("price").await.unwrap(), Some(price));
    }
}

#[tokio::test]
async fn a_session_ends_at_its_expiry_without_a_task_that_deletes_it() {
    for World {
        sessions, store, ..
    } in World::both().await
    {
        let mut lasting = record(HOUR);
        sessions.create(&mut lasting).await.unwrap();
        let left = async |id| store.ttl(&key(id)).await.unwrap().unwrap();
        let hours = |hours: u64| Ttl::from_secs(hours * 3600);
        assert!(
            left(&lasting.id).await <= hours(1) && left(&lasting.id).await > Ttl::from_secs(60)
        );
        // A save that moves the expiry moves the end, and one into the past ends the session.
        lasting.expiry_date = OffsetDateTime::now_utc() + HOUR * 5;
        sessions.save(&lasting).await.unwrap();
        assert!(left(&lasting.id).await <= hours(5) && left(&lasting.id).await > hours(4));
        lasting.expiry_date = OffsetDateTime::now_utc();
        sessions.save(&lasting).await.unwrap();
        assert_eq!(sessions.load(&lasting.id).await.unwrap(), None);
        let mut short = record(Duration::from_millis(50));
        sessions.create(&mut short).await.unwrap();
        let gone = async {
            while sessions.load(&short.id).await.unwrap().is_some() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        assert!(gone.is_ok(), "it does not expire");
        // The longest expiry that there is does not overflow.
        let mut endless = record(HOUR);
        endless.expiry_date = OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT);
        sessions.create(&mut endless).await.unwrap();
        assert_eq!(sessions.load(&endless.id).await.unwrap(), Some(endless));
    }
}

#[tokio::test]
async fn a_new_session_whose_id_is_taken_gets_another_id() {
    for World { sessions, .. } in World::both().await {
        let mut first = record(HOUR);
        sessions.create(&mut first).await.unwrap();
        let mut second = record(HOUR);
        second.id = first.id;
        second.data.clear();
        sessions.create(&mut second).await.unwrap();
        assert_ne!(second.id, first.id);
        assert_eq!(sessions.load(&first.id).await.unwrap(), Some(first));
        assert_eq!(sessions.load(&second.id).await.unwrap(), Some(second));
    }
}

#[tokio::test]
async fn a_session_that_has_expired_takes_the_place_of_no_other() {
    for World { sessions, .. } in World::both().await {
        let mut first = record(HOUR);
        sessions.create(&mut first).await.unwrap();
        let mut expired = record(Duration::ZERO);
        expired.id = first.id;
        sessions.create(&mut expired).await.unwrap();
        assert_eq!(sessions.load(&first.id).await.unwrap(), Some(first));
        // The store that was used before may return what has expired.
        let record = record(Duration::ZERO);
        let id = record.id;
        let old = Leaving::new(record, false);
        let moved = sessions.with_previous(old).load(&id).await;
        assert_eq!(moved.unwrap(), None);
    }
}

fn key(id: &Id) -> Key {
    let digest = Sha256::new()
        .chain_update(b"larder-tower-sessions:")
        .chain_update(id.0.to_be_bytes())
        .finalize();
    Key::new(
        Kind::pinned("tower-session"),
        URL_SAFE_NO_PAD.encode(digest),
    )
}

#[tokio::test]
async fn damaged_bytes_are_no_session() {
    for World {
        sessions, store, ..
    } in World::both().await
    {
        let mut record = record(HOUR);
        sessions.create(&mut record).await.unwrap();
        let key = key(&record.id);
        let whole = store.get(&key).await.unwrap().unwrap().value;
        let mut cut = whole.to_vec();
        cut.pop();
        let mut other = whole.to_vec();
        other[0] += 1;
        for damaged in [vec![], b"noise".to_vec(), cut, other, vec![0xff; 1000]] {
            let put = Put::new(key.clone(), damaged, Ttl::from_secs(60));
            assert!(store.put(&put).await.unwrap().is_stored());
            assert_eq!(sessions.load(&record.id).await.unwrap(), None);
        }
        // It can be written again.
        sessions.save(&record).await.unwrap();
        assert_eq!(sessions.load(&record.id).await.unwrap(), Some(record));
    }
}

#[tokio::test]
async fn of_saves_at_once_one_wins_whole() {
    for World { sessions, .. } in World::both().await {
        let mut first = record(HOUR);
        sessions.create(&mut first).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..32 {
            let (sessions, mut record) = (sessions.clone(), first.clone());
            for field in ["name", "seats", "cart"] {
                record.data.insert(field.to_owned(), writer.into());
            }
            writers.spawn(async move { sessions.save(&record).await.unwrap() });
        }
        writers.join_all().await;
        let data = sessions.load(&first.id).await.unwrap().unwrap().data;
        assert_eq!(data["name"], data["seats"]);
        assert_eq!(data["name"], data["cart"]);
    }
}

#[tokio::test]
async fn a_session_stays_dead_after_a_sign_out_races_a_save() {
    for World { sessions, .. } in World::both().await {
        let store = Arc::new(sessions.clone());
        let first = Session::new(None, store.clone(), None);
        first.insert("user", "ada").await.unwrap();
        first.save().await.unwrap();
        // A request that read the session before its visitor signed out on another one.
        let slow = Session::new(first.id(), store.clone(), None);
        slow.insert("cart", 7).await.unwrap();
        let id = first.id().unwrap();
        first.flush().await.unwrap();
        slow.save().await.unwrap();
        assert_eq!(sessions.load(&id).await.unwrap(), None);
        let next = Session::new(Some(id), store, None);
        assert_eq!(next.get::<String>("user").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_new_id_keeps_the_data_and_ends_the_old_id() {
    for World { sessions, .. } in World::both().await {
        let store = Arc::new(sessions.clone());
        let expiry = Some(Expiry::OnInactivity(time::Duration::hours(1)));
        let session = Session::new(None, store.clone(), expiry);
        session.insert("user", "ada").await.unwrap();
        session.save().await.unwrap();
        let old = session.id().unwrap();
        session.cycle_id().await.unwrap();
        session.save().await.unwrap();
        assert_eq!(sessions.load(&old).await.unwrap(), None);
        let next = Session::new(session.id(), store, expiry);
        assert_eq!(
            next.get::<String>("user").await.unwrap().as_deref(),
            Some("ada")
        );
    }
}

#[tokio::test]
async fn a_failing_store_is_an_error_and_never_a_missing_session() {
    for World {
        sessions, switch, ..
    } in World::both().await
    {
        let mut record = record(HOUR);
        sessions.create(&mut record).await.unwrap();
        switch.set(Trouble::Fail(ErrorKind::NotSent));
        for error in [
            sessions.create(&mut record.clone()).await.unwrap_err(),
            sessions.save(&record).await.unwrap_err(),
            sessions.load(&record.id).await.unwrap_err(),
            sessions.delete(&record.id).await.unwrap_err(),
        ] {
            let id = record.id.to_string();
            assert!(!error.to_string().contains(&id), "{error}");
        }
        switch.clear();
        switch.set(Trouble::Hang);
        let impatient = sessions
            .clone()
            .with_store_timeout(Duration::from_millis(20));
        assert!(impatient.load(&record.id).await.is_err());
    }
}

#[tokio::test]
async fn a_dump_of_the_store_holds_no_id() {
    let [
        _,
        World {
            sessions, server, ..
        },
    ] = World::both().await;
    let mut record = record(HOUR);
    sessions.create(&mut record).await.unwrap();
    let server = server.unwrap();
    let Reply::Array(keys) = server.command(&["KEYS", "*"]).unwrap() else {
        panic!("no list")
    };
    let keys: String = keys.iter().map(|key| key.text().unwrap()).collect();
    assert!(keys.contains("tower-session:{"), "{keys}");
    assert!(!keys.contains(&record.id.to_string()) && !keys.contains(&record.id.0.to_string()));
}

#[tokio::test]
async fn sessions_of_the_old_store_are_moved_at_their_first_request() {
    for World { sessions, .. } in World::both().await {
        // Any other store: here larder's, in process.
        let old = LarderStore::new(Arc::new(MokaStore::new()));
        let moving = sessions.clone().with_previous(old.clone());
        let mut first = record(HOUR);
        old.create(&mut first).await.unwrap();
        let at_once = (0..8).map(|_| {
            let (moving, id) = (moving.clone(), first.id);
            tokio::spawn(async move { moving.load(&id).await.unwrap() })
        });
        for moved in at_once.collect::<Vec<_>>() {
            assert_eq!(moved.await.unwrap().as_ref(), Some(&first));
        }
        assert_eq!(old.load(&first.id).await.unwrap(), None);
        first.data.clear();
        moving.save(&first).await.unwrap();
        assert_eq!(
            sessions.load(&first.id).await.unwrap().as_ref(),
            Some(&first)
        );
        // A new one is larder's alone.
        let mut second = record(HOUR);
        moving.create(&mut second).await.unwrap();
        assert_eq!(old.load(&second.id).await.unwrap(), None);
        for id in [first.id, second.id] {
            moving.delete(&id).await.unwrap();
            assert_eq!(moving.load(&id).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_session_that_was_signed_out_is_not_moved() {
    for World { sessions, .. } in World::both().await {
        let old = LarderStore::new(Arc::new(MokaStore::new()));
        let moving = sessions.clone().with_previous(old.clone());
        for _ in 0..100 {
            let mut first = record(HOUR);
            old.create(&mut first).await.unwrap();
            let (one, other, id) = (moving.clone(), moving.clone(), first.id);
            let request = tokio::spawn(async move { one.load(&id).await.unwrap() });
            let sign_out = tokio::spawn(async move { other.delete(&id).await.unwrap() });
            request.await.unwrap();
            sign_out.await.unwrap();
            assert_eq!(moving.load(&id).await.unwrap(), None);
        }
    }
}

/// An old store that no longer has the session at the second look, or fails then.
#[derive(Clone, Debug)]
struct Leaving {
    record: Record,
    looks: Arc<AtomicUsize>,
    fails: bool,
    /// Where another request saves a change before the second look fails.
    saves_in: Option<LarderStore>,
}

impl Leaving {
    fn new(record: Record, fails: bool) -> Self {
        Self {
            record,
            looks: Arc::default(),
            fails,
            saves_in: None,
        }
    }

    /// The session as the other request has changed it.
    fn changed(&self) -> Record {
        let mut changed = self.record.clone();
        changed.data.insert("seats".to_owned(), vec![9].into());
        changed
    }
}

#[async_trait::async_trait]
impl SessionStore for Leaving {
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        Ok(())
    }

    async fn load(&self, _: &Id) -> session_store::Result<Option<Record>> {
        if self.looks.fetch_add(1, Ordering::SeqCst) == 0 {
            return Ok(Some(self.record.clone()));
        }
        if let Some(store) = &self.saves_in {
            store.save(&self.changed()).await?;
        }
        match self.fails {
            true => Err(session_store::Error::Backend("it fails".to_owned())),
            false => Ok(None),
        }
    }

    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        match self.fails {
            true => Err(session_store::Error::Backend("it fails".to_owned())),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_session_that_may_have_been_signed_out_during_its_move_is_gone() {
    for World { sessions, .. } in World::both().await {
        for fails in [false, true] {
            let record = record(HOUR);
            let id = record.id;
            let old = Leaving::new(record, fails);
            let moved = sessions.clone().with_previous(old).load(&id).await;
            assert_eq!(moved.is_err(), fails);
            assert_eq!(moved.ok().flatten(), None);
            assert_eq!(sessions.load(&id).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn a_save_during_a_move_survives_a_failure_of_the_old_store_and_no_sign_out() {
    for World { sessions, .. } in World::both().await {
        for fails in [false, true] {
            let record = record(HOUR);
            let id = record.id;
            let old = Leaving {
                saves_in: Some(sessions.clone()),
                ..Leaving::new(record, fails)
            };
            let changed = old.changed();
            let moved = sessions.clone().with_previous(old).load(&id).await;
            assert_eq!(moved.is_err(), fails);
            assert_eq!(moved.ok().flatten(), None);
            // A visitor whom the old store signed out stays signed out.
            let kept = fails.then_some(changed);
            assert_eq!(sessions.load(&id).await.unwrap(), kept);
        }
    }
}

#[tokio::test]
async fn a_save_of_a_session_that_was_signed_out_during_its_move_is_dropped() {
    for World { sessions, .. } in World::both().await {
        let record = record(HOUR);
        let old = Leaving::new(record.clone(), false);
        let moving = sessions.clone().with_previous(old);
        moving.save(&record).await.unwrap();
        // The old store no longer has it.
        moving.save(&record).await.unwrap();
        assert_eq!(sessions.load(&record.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_sign_out_ends_the_session_in_larder_even_if_the_old_store_fails() {
    for World {
        sessions, switch, ..
    } in World::both().await
    {
        let mut first = record(HOUR);
        sessions.create(&mut first).await.unwrap();
        let old = Leaving::new(first.clone(), true);
        let moving = sessions.clone().with_previous(old);
        let failed = moving.delete(&first.id).await.unwrap_err();
        assert!(failed.to_string().contains("it fails"), "{failed}");
        assert_eq!(sessions.load(&first.id).await.unwrap(), None);
        // The error of larder's store is not hidden either.
        let old = Leaving::new(first.clone(), false);
        let moving = sessions.with_previous(old);
        switch.set(Trouble::Fail(ErrorKind::NotSent));
        assert!(moving.delete(&first.id).await.is_err());
    }
}

/// An old store that still has the session, which another request begins to move at the first look.
#[derive(Clone, Debug)]
struct Staying {
    record: Record,
    looks: Arc<AtomicUsize>,
    sessions: LarderStore,
    has_it: bool,
}

#[async_trait::async_trait]
impl SessionStore for Staying {
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        Ok(())
    }

    async fn load(&self, _: &Id) -> session_store::Result<Option<Record>> {
        let is_first = self.looks.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first {
            self.sessions.create(&mut self.record.clone()).await?;
        }
        Ok((is_first || self.has_it).then(|| self.record.clone()))
    }

    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_move_that_another_request_gives_up_is_an_error_and_no_sign_out() {
    for World {
        sessions, switch, ..
    } in World::both().await
    {
        for has_it in [true, false] {
            let record = record(HOUR);
            let id = record.id;
            let old = Staying {
                record,
                looks: Arc::default(),
                sessions: sessions.clone(),
                has_it,
            };
            // The copy of the other request is there when this one writes, and gone when it reads.
            switch.set(Trouble::Lie(Lie::ValueOf(key(&Id::default()))));
            let moved = sessions.clone().with_previous(old).load(&id).await;
            switch.clear();
            match has_it {
                true => assert!(moved.is_err(), "{moved:?}"),
                false => assert_eq!(moved.unwrap(), None),
            }
        }
    }
}
