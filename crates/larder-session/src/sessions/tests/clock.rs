//! The store's clock, which a process learns from two steps on one session.

use larder_store::Ttl;

use super::*;

/// The deadline of the session is read, then the session ends, and its key has a day left.
#[tokio::test]
async fn an_id_whose_grace_is_over_stays_dead_when_a_session_ends_while_its_time_is_read() {
    let server = RedisServer::start().unwrap();
    let redis = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    let sessions = process(Arc::new(redis.connect().await.unwrap()));
    let sessions = sessions.with_grace(Ttl::from_millis(1));
    let opens = async |token: &Token| sessions.open(token).await.unwrap().session().is_some();

    let old = begin(&sessions).await;
    let new = Token::random(old.record, old.user);
    assert!(sessions.rotate(&old, &new, None).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!opens(&old).await && opens(&new).await);

    let other = begin(&sessions).await;
    let mut reading = sessions.clone();
    let gate = Staged::on(&mut reading, "session-left", Stage::Wait);
    sessions.everyone.forget();
    let read = tokio::spawn(async move { reading.open(&other).await.is_ok() });
    gate.arrived.notified().await;
    assert!(sessions.revoke("ada", other.record).await.unwrap());
    gate.open.notify_one();
    assert!(read.await.unwrap());
    assert!(!opens(&old).await && opens(&new).await);
}
