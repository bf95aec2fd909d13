//! Clients that may no longer connect: a removed user, a changed password, too many clients.

use std::sync::Arc;

use larder_store::{ErrorKind, Refusal};
use larder_test::server::RedisOptions;

use super::{APP, Operation, Operations, Scene, Who};
use crate::support::{patient, until};

const KILL: &[&str] = &["CLIENT", "KILL", "TYPE", "normal"];

/// Calls `act` after the user was removed, and then adds the user again.
pub(crate) async fn while_gone(who: Who, act: impl AsyncFnOnce(&Scene)) -> Scene {
    let scene = Scene::of(who, &[]).await;
    scene.does(&["ACL", "DELUSER", "app"]);
    act(&scene).await;
    let password = format!(">{}", who.password);
    let rules = [
        "ACL", "SETUSER", "app", "on", &password, "~*", "&*", "+@all",
    ];
    scene.does(&rules);
    scene
}

/// Calls `act` while the server accepts no more clients.
pub(crate) async fn while_full(who: Who, act: impl AsyncFnOnce(&Scene)) -> Scene {
    let scene = Scene::of(who, &[]).await;
    let mut admin = scene.server.connect().unwrap();
    admin.call(&["CONFIG", "SET", "maxclients", "1"]).unwrap();
    // Existing connections keep working until they are lost.
    scene.operations.work("before the connection is lost").await;
    admin.call(KILL).unwrap();
    act(&scene).await;
    admin.call(&["CONFIG", "SET", "maxclients", "100"]).unwrap();
    scene
}

/// Calls `act` after the default user's password was changed from `before`, and then changes it back.
pub(crate) async fn while_locked(
    who: Who,
    before: &str,
    query: &str,
    act: impl AsyncFnOnce(&Operations),
) -> Operations {
    let mut options = RedisOptions::new();
    if !before.is_empty() {
        options = options.with_password(before);
    }
    let server = options.start().unwrap();
    let url = format!("{}{query}", server.url());
    let store = Arc::new(patient(&url).connect().await.unwrap());
    let operations = Operations::on(&store, who);
    operations.prepare().await;
    let mut admin = server.connect().unwrap();
    let mut lock = |password: &str| {
        admin
            .call(&["CONFIG", "SET", "requirepass", password])
            .unwrap();
        admin.call(KILL).unwrap();
    };
    lock("another");
    act(&operations).await;
    lock(before);
    operations.recover("the password is as it was").await;
    operations
}

/// Checks that every operation fails, and that none is sent once the store knows that the connection is
/// lost.
async fn cannot_be_sent(operations: &Operations, when: &str) {
    until("known to be lost", || async {
        let read = operations.run(Operation::Read).await.remove(0);
        read.expect_err(when).kind() == ErrorKind::NotSent
    })
    .await;
    for operation in Operation::ALL {
        for result in operations.run(operation).await {
            let error = result.expect_err(when);
            assert_eq!(error.kind(), ErrorKind::NotSent, "{when}: {error}");
        }
    }
}

#[tokio::test]
async fn a_user_who_was_removed_cannot_send_and_can_when_there_again() {
    let scene = while_gone(APP, async |scene| {
        cannot_be_sent(&scene.operations, "WRONGPASS").await;
    })
    .await;
    scene.operations.recover("WRONGPASS").await;
}

#[tokio::test]
async fn a_password_that_changed_is_refused_when_the_connection_has_to_be_made_again() {
    while_locked(APP, "sesame", "", async |operations| {
        cannot_be_sent(operations, "WRONGPASS").await;
    })
    .await;
}

#[tokio::test]
async fn a_password_that_is_newly_required_refuses_users_without_one() {
    // In RESP2 there is no HELLO, in whose answer the server could report it.
    while_locked(APP, "", "?protocol=resp2", async |operations| {
        let refused = Operation::ALL.map(|operation| (operation, Refusal::Denied));
        operations.are_refused(&refused, "NOAUTH").await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_its_maximum_of_clients_is_dialed_until_it_has_room() {
    let scene = while_full(APP, async |scene| {
        cannot_be_sent(&scene.operations, "max clients").await;
    })
    .await;
    scene.operations.recover("max clients").await;
}
