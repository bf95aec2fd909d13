//! The scripts of leases, and their calls.

use std::sync::LazyLock;

use ::redis::Cmd;
use larder_store::Key;
use larder_store::program::{Effect, Script};

use crate::program_step::write_key;
use crate::script::{Named, Prepared, Tell, Time};
use crate::waits::WAITERS;

/// The suffix of the key of a lease. No part has a `~` in its name.
const LEASE: &str = "~lease";

/// The bytes that every call may add to its key and its value.
const ROOM: usize = 120;

/// All scripts of leases, by the server's time or by that of a test.
pub(super) struct Scripts {
    pub(super) claim: Prepared,
    pub(super) renew: Prepared,
    pub(super) commit: Prepared,
    pub(super) abandon: Prepared,
    pub(super) invalidate: Prepared,
    pub(super) follow: Prepared,
}

macro_rules! lua {
    ($($part:literal)+) => {
        concat!($(include_str!(concat!("../lua/lease/", $part, ".lua"))),+)
    };
}

impl Scripts {
    pub(super) fn by(time: Time, tell: Tell) -> &'static Self {
        use Tell::{Publish, ShardPublish};
        static SERVER: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(Time::Server, Publish));
        static VIRTUAL: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(Time::Virtual, Publish));
        static CLUSTER: LazyLock<Scripts> =
            LazyLock::new(|| Scripts::new(Time::Server, ShardPublish));
        static VIRTUAL_CLUSTER: LazyLock<Scripts> =
            LazyLock::new(|| Scripts::new(Time::Virtual, ShardPublish));
        match (time, tell) {
            (Time::Server, Publish) => &SERVER,
            (Time::Virtual, Publish) => &VIRTUAL,
            (Time::Server, ShardPublish) => &CLUSTER,
            (Time::Virtual, ShardPublish) => &VIRTUAL_CLUSTER,
        }
    }

    /// Prepares the scripts; those that take no memory may run when memory is full.
    fn new(time: Time, tell: Tell) -> Self {
        let script = |name, lua| Script::new(name, Effect::Once, lua);
        let timed = |script: Script| Prepared::timed(&script, time, tell);
        Self {
            claim: timed(script("claim", lua!("state" "claim"))),
            renew: timed(script("renew", lua!("state" "renew")).runs_when_full()),
            commit: timed(script("commit", lua!("state" "release" "commit"))),
            abandon: timed(script("abandon", lua!("state" "release" "abandon")).runs_when_full()),
            invalidate: timed(
                script("invalidate", lua!("state" "release" "invalidate")).runs_when_full(),
            ),
            follow: timed(Script::new("follow", Effect::Read, lua!("state" "follow"))),
        }
    }
}

/// Begins a call on the value and the lease of `key`, by hash.
pub(super) fn call(script: &Prepared, key: &Key, args: usize, room: usize) -> Cmd {
    let length = key.as_bytes().len();
    let keys = 2 + usize::from(script.wakes());
    let mut cmd = script.call(Named::ByHash, keys, args + 1, keys * length + ROOM + room);
    cmd.arg(key.as_bytes());
    write_key(&mut cmd, key, LEASE);
    if script.wakes() {
        write_key(&mut cmd, key, WAITERS);
    }
    cmd
}
