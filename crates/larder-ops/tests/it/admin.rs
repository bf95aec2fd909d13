//! The read-only commands that everything here is made of.

use larder_store::program::Wire;
use larder_store::{ErrorKind, Refusal};

use crate::support::{healthy, store};

#[tokio::test]
async fn a_command_that_writes_is_never_sent() {
    let server = healthy();
    let store = store(&server, "app").await;
    let one = &store.admin().servers()[0];
    let error = one
        .run(&[b"SET", b"prod:app:film:{1}", b"x"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(server.command(&["DBSIZE"]).unwrap().int(), Some(0));
}

#[tokio::test]
async fn a_command_that_the_user_may_not_run_says_so_and_names_no_argument() {
    let server = healthy();
    let store = store(&server, "app").await;
    let one = &store.admin().servers()[0];
    let error = one
        .run(&[b"CONFIG", b"GET", b"requirepass"])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied));
    let text = error.to_string();
    assert!(text.ends_with("this user may not run CONFIG GET"), "{text}");
    let pong = one.run(&[b"PING"]).await.unwrap();
    assert_eq!(pong, Wire::Bytes("PONG".into()));
}
