//! The scripts of leases, and their calls.

use std::sync::LazyLock;

use ::redis::Cmd;
use larder_store::Key;
use larder_store::program::{Effect, Script};

use crate::script::{Named, Prepared, Time};
use crate::step::write_key;

/// What is added to a key for its lease; no part has a `~` in its name. It is the name of the channel
/// that followers listen to, too.
const LEASE: &str = "~lease";

/// What every call may add to the length of its key and its value.
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
    pub(super) fn by(time: Time) -> &'static Self {
        static SERVER: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(Time::Server));
        static VIRTUAL: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(Time::Virtual));
        match time {
            Time::Server => &SERVER,
            Time::Virtual => &VIRTUAL,
        }
    }

    /// What makes no key longer runs when memory is full, too.
    fn new(time: Time) -> Self {
        let script = |name, lua| Script::new(name, Effect::Once, lua);
        let timed = |script: Script| Prepared::timed(&script, time);
        Self {
            claim: timed(script("claim", lua!("state" "claim"))),
            renew: timed(script("renew", lua!("state" "renew")).runs_when_full()),
            commit: timed(script("commit", lua!("state" "release" "commit"))),
            abandon: timed(script("abandon", lua!("state" "release" "abandon")).runs_when_full()),
            invalidate: timed(
                script("invalidate", lua!("state" "release" "invalidate")).runs_when_full(),
            ),
            follow: timed(script("follow", lua!("state" "follow")).runs_when_full()),
        }
    }
}

/// The beginning of a call on the value and the lease of `key`, by the hash of its script.
pub(super) fn call(script: &Prepared, key: &Key, args: usize, room: usize) -> Cmd {
    let length = key.as_bytes().len();
    let mut cmd = script.call(Named::ByHash, 2, args + 1, 2 * length + ROOM + room);
    cmd.arg(key.as_bytes());
    write_key(&mut cmd, key, LEASE);
    cmd
}

/// The channel on which followers of `key` are told.
pub(super) fn channel(key: &Key) -> String {
    format!("{}:{LEASE}", key.as_str())
}
