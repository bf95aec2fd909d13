//! States of a server that need more than a command: it loads its data, runs a script, or cannot save.

use std::fs;
use std::time::Duration;

use larder_store::{Delete, ErrorKind, Put, Refusal, Store, Ttl, Version};
use larder_test::server::Reply;
use tokio::task::spawn_blocking;

use super::Operation::{Look, Publish, Read, Remove, RemoveStep, Step, Write};
use super::{APP, Operation, Scene, Who};
use crate::support::{Add, Look as Seen, key, ok, patient, programs, tally, until};

const NOT_READY: Refusal = Refusal::Unavailable;

/// All operations except messages.
const DATA: [(Operation, Refusal); 6] = [
    (Read, NOT_READY),
    (Look, NOT_READY),
    (Write, NOT_READY),
    (Step, NOT_READY),
    (Remove, NOT_READY),
    (RemoveStep, NOT_READY),
];

/// Waits until a read is refused.
async fn until_it_refuses(scene: &Scene) {
    until("refused", || async {
        match scene.store.get(&key(scene.who.id)).await {
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::Refused(NOT_READY),
        }
    })
    .await;
}

/// Calls `act` while a server loads its data, and serves its clients after every kilobyte.
pub(crate) async fn while_loading(who: Who, act: impl AsyncFnOnce(&Scene)) -> Scene {
    let scene = Scene::of(
        who,
        &[
            ("enable-debug-command", "yes"),
            ("key-load-delay", "1000"),
            ("loading-process-events-interval-bytes", "1024"),
            ("rdbcompression", "no"),
        ],
    )
    .await;
    scene.does(&["DEBUG", "POPULATE", "2000", "filler", "100"]);
    let mut loading = scene.server.connect().unwrap();
    loading.set_patience(Duration::from_secs(20)).unwrap();
    loading.send(&["DEBUG", "RELOAD"]).unwrap();
    until_it_refuses(&scene).await;
    act(&scene).await;
    let done = spawn_blocking(move || loading.receive().unwrap());
    assert_eq!(done.await.unwrap(), Reply::Simple("OK".into()));
    scene
}

/// Calls `act` while a server runs a script that does not end.
pub(crate) async fn while_busy(who: Who, act: impl AsyncFnOnce(&Scene)) -> Scene {
    let scene = Scene::of(who, &[("busy-reply-threshold", "1")]).await;
    let mut busy = scene.server.connect().unwrap();
    busy.send(&["EVAL", "while true do end", "0"]).unwrap();
    until_it_refuses(&scene).await;
    act(&scene).await;
    scene.does(&["SCRIPT", "KILL"]);
    assert!(busy.receive().unwrap().error().is_some());
    scene
}

/// Calls `act` while a server cannot save.
pub(crate) async fn while_unsaved(who: Who, act: impl AsyncFnOnce(&Scene)) -> Scene {
    let scene = Scene::of(who, &[("save", "3600 1000000")]).await;
    // The server cannot replace a directory that is not empty by its file.
    let file = scene.server.dir().join("dump.rdb");
    fs::create_dir(&file).unwrap();
    fs::write(file.join("something"), "").unwrap();
    scene.does(&["BGSAVE"]);
    until("failed to save", || async { saved(&scene) == "err" }).await;
    act(&scene).await;
    fs::remove_dir_all(&file).unwrap();
    scene.does(&["BGSAVE"]);
    until("saved", || async { saved(&scene) == "ok" }).await;
    scene
}

#[tokio::test]
async fn a_server_that_loads_its_data_is_not_ready() {
    let scene = while_loading(APP, async |scene| {
        scene.operations.are_refused(&DATA, "LOADING").await;
        // The server accepts a client that connects in the meantime.
        let url = scene.server.url_as(APP.user, APP.password);
        patient(&url).connect().await.unwrap();
    })
    .await;
    scene.operations.are_undone("LOADING").await;
    scene.operations.work("LOADING").await;
}

#[tokio::test]
async fn a_server_that_is_busy_with_a_script_refuses_until_it_has_ended() {
    let scene = while_busy(APP, async |scene| {
        scene.operations.are_refused(&DATA, "BUSY").await;
        let publish = [(Publish, NOT_READY)];
        scene.operations.are_refused(&publish, "BUSY").await;
    })
    .await;
    scene.operations.are_undone("BUSY").await;
    scene.operations.work("BUSY").await;
}

#[tokio::test]
async fn a_server_that_cannot_save_takes_no_writes() {
    let scene = while_unsaved(APP, async |scene| {
        let refused = [Write, Step, Remove, RemoveStep].map(|it| (it, Refusal::ReadOnly));
        scene.operations.are_refused(&refused, "MISCONF").await;
        scene.operations.are_undone("MISCONF").await;
        scene.operations.work_but_for(&refused, "MISCONF").await;
    })
    .await;
    scene.operations.work("MISCONF").await;
}

/// Returns the outcome of the last save.
fn saved(scene: &Scene) -> String {
    let info = ok(&scene.server, &["INFO", "persistence"]);
    let info = info.text().unwrap().into_owned();
    let mut lines = info.lines();
    let status = lines.find_map(|line| line.strip_prefix("rdb_last_bgsave_status:"));
    status.unwrap().to_owned()
}

#[tokio::test]
async fn another_type_under_a_key_is_the_wrong_type_and_stays() {
    let scene = Scene::of(APP, &[]).await;
    let wrong = ErrorKind::Refused(Refusal::WrongType);
    for name in [key("list"), tally("list")] {
        scene.does(&["RPUSH", name.as_str(), "x"]);
    }
    let put = Put::new(key("list"), "a", Ttl::from_secs(60)).if_version(Version::random());
    let delete = Delete::new(key("list")).if_version(Version::random());
    let (programs, add) = (programs(&scene.store), Add { by: 1, ms: 60_000 });
    let errors = [
        scene.store.get(&key("list")).await.map(drop),
        scene.store.put(&put).await.map(drop),
        scene.store.delete(&delete).await.map(drop),
        programs
            .run(&tally("list"), &Seen::default())
            .await
            .map(drop),
        programs.run(&tally("list"), &add).await.map(drop),
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().kind(), wrong);
    }
    for name in [key("list"), tally("list")] {
        let held = ok(&scene.server, &["LLEN", name.as_str()]);
        assert_eq!(held, Reply::Int(1));
        scene.does(&["DEL", name.as_str()]);
    }
    scene.operations.work("WRONGTYPE").await;
}
