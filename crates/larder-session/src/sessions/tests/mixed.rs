//! Lists on which an earlier release, which does not know evicted sessions, signs in on one of them again.

use larder_test::server::Reply;

use super::*;
use crate::EndReason;
use crate::user_record::{Revocation, Revoke, UserRecord};

#[tokio::test]
async fn a_session_with_both_entries_is_on_the_list_once_and_stays_there_when_it_is_evicted() {
    let server = RedisServer::start().unwrap();
    let redis = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(10));
    let sessions = process(Arc::new(redis.connect().await.unwrap()));
    let phone = begin(&sessions).await;
    let Reply::Array(keys) = server.command(&["KEYS", "session-user:*}"]).unwrap() else {
        panic!("no list")
    };
    let key = keys[0].text().unwrap().into_owned();
    let [listed, evicted] = ["s", "e"].map(|kind| format!("{kind}:{}", phone.record));
    let has = |field: &str| {
        let answer = server.command(&["HEXISTS", &key, field]).unwrap();
        answer.int() == Some(1)
    };
    let entry = server.command(&["HGET", &key, &listed]).unwrap();
    let entry = entry.text().unwrap().into_owned();
    server.command(&["HSET", &key, &evicted, &entry]).unwrap();
    assert_eq!(sessions.devices("ada").await.unwrap().len(), 1);

    let mut failing = sessions
        .clone()
        .with_device_limit(DeviceLimit::EndOldest(1));
    Staged::on(&mut failing, "session-destroy", Stage::Fail);
    begin(&failing).await;
    assert!(!has(&listed) && has(&evicted), "the next sign-in ends it");

    server.command(&["HSET", &key, &listed, &entry]).unwrap();
    let revoke = Revoke {
        epoch: [7; 16],
        reason: EndReason::Administrator,
        disabled: 0,
        spared: None,
        by: None,
    };
    let list = UserRecord::key("ada");
    let Revocation::Done(ended) = sessions.programs.run(&list, &revoke).await.unwrap() else {
        panic!("it is not refused")
    };
    assert_eq!(ended.len(), 2, "the phone and the laptop, each once");
}
