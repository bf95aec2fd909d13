//! States in which a server refuses operations, each set and reset by a few commands.

use larder_store::{Delete, Refusal, Store};

use super::Operation::{self, Look, Publish, Read, Remove, RemoveStep, Step, Write};
use super::{APP, Scene};
use crate::support::{Remove as GiveBack, key, programs, tally};

/// A state of a server in which it refuses.
pub(crate) struct Case {
    pub(crate) code: &'static str,
    pub(crate) begin: &'static [&'static [&'static str]],
    pub(crate) end: &'static [&'static [&'static str]],
    refused: &'static [(Operation, Refusal)],
}

const NOT_READY: Refusal = Refusal::Unavailable;

pub(crate) const CASES: &[Case] = &[
    Case {
        code: "READONLY",
        begin: &[&["REPLICAOF", "127.0.0.1", "1"]],
        end: &[&["REPLICAOF", "NO", "ONE"]],
        refused: &[
            (Write, Refusal::ReadOnly),
            (Step, Refusal::ReadOnly),
            (Remove, Refusal::ReadOnly),
            (RemoveStep, Refusal::ReadOnly),
        ],
    },
    Case {
        code: "MASTERDOWN",
        begin: &[
            &["CONFIG", "SET", "replica-serve-stale-data", "no"],
            &["REPLICAOF", "127.0.0.1", "1"],
        ],
        end: &[
            &["REPLICAOF", "NO", "ONE"],
            &["CONFIG", "SET", "replica-serve-stale-data", "yes"],
        ],
        refused: &[
            (Read, NOT_READY),
            (Look, NOT_READY),
            // The error of a replica takes precedence.
            (Write, Refusal::ReadOnly),
            (Step, Refusal::ReadOnly),
            (Remove, Refusal::ReadOnly),
            (RemoveStep, Refusal::ReadOnly),
        ],
    },
    Case {
        code: "OOM",
        begin: &[&["CONFIG", "SET", "maxmemory", "1"]],
        end: &[&["CONFIG", "SET", "maxmemory", "0"]],
        refused: &[(Write, Refusal::Full), (Step, Refusal::Full)],
    },
    Case {
        code: "NOREPLICAS",
        begin: &[&["CONFIG", "SET", "min-replicas-to-write", "1"]],
        end: &[&["CONFIG", "SET", "min-replicas-to-write", "0"]],
        refused: &[
            (Write, NOT_READY),
            (Step, NOT_READY),
            (Remove, NOT_READY),
            (RemoveStep, NOT_READY),
        ],
    },
    Case {
        code: "NOPERM of keys",
        begin: &[&["ACL", "SETUSER", "app", "resetkeys", "~other:*"]],
        end: &[&["ACL", "SETUSER", "app", "~*"]],
        refused: &[
            (Read, Refusal::Denied),
            (Look, Refusal::Denied),
            (Write, Refusal::Denied),
            (Step, Refusal::Denied),
            (Remove, Refusal::Denied),
            (RemoveStep, Refusal::Denied),
        ],
    },
    Case {
        code: "NOPERM of commands",
        begin: &[&[
            "ACL",
            "SETUSER",
            "app",
            "-@write",
            "-@scripting",
            "-publish",
        ]],
        end: &[&["ACL", "SETUSER", "app", "+@all"]],
        refused: &[
            (Look, Refusal::Denied),
            (Write, Refusal::Denied),
            (Step, Refusal::Denied),
            (Remove, Refusal::Denied),
            (RemoveStep, Refusal::Denied),
            (Publish, Refusal::Denied),
        ],
    },
    Case {
        code: "NOPERM of channels",
        begin: &[&["ACL", "SETUSER", "app", "resetchannels"]],
        end: &[&["ACL", "SETUSER", "app", "&*"]],
        refused: &[(Publish, Refusal::Denied)],
    },
    Case {
        code: "NOSCRIPT",
        begin: &[&["SCRIPT", "FLUSH"]],
        end: &[],
        refused: &[],
    },
];

#[tokio::test]
async fn a_refused_operation_did_nothing_and_works_once_the_server_accepts_it() {
    let scene = Scene::of(APP, &[]).await;
    let operations = &scene.operations;
    for Case {
        code,
        begin,
        end,
        refused,
    } in CASES
    {
        operations.prepare().await;
        scene.all(begin);
        operations.are_refused(refused, code).await;
        scene.all(end);
        operations.are_undone(code).await;
        scene.all(begin);
        operations.work_but_for(refused, code).await;
        scene.all(end);
        operations.work(code).await;
    }
}

#[tokio::test]
async fn a_full_server_still_reads_and_deletes() {
    let scene = Scene::of(APP, &[]).await;
    let (store, programs) = (&scene.store, programs(&scene.store));
    let held = store.get(&key(APP.id)).await.unwrap().unwrap();
    scene.does(&["CONFIG", "SET", "maxmemory", "1"]);
    let delete = Delete::new(key(APP.id)).if_version(held.version);
    assert!(store.delete(&delete).await.unwrap().is_deleted());
    let removed = programs.run(&tally(APP.id), &GiveBack::default()).await;
    assert_eq!(removed.unwrap(), 1);
}
