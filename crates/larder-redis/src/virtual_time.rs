use ::redis::Cmd;
use larder_store::Key;

use crate::script::{Named, VIRTUAL_EXPIRE};
use crate::step;

/// What is added to the key of a record for the deadlines of its keys in virtual time; no part
/// has a `~` in its name.
pub(crate) const DEADLINES: &str = "~deadlines";

/// Removes the keys of a record whose deadline is at or before `now`.
///
/// It is a call of its own, so that a program that only reads still runs as one that may not
/// write. Time does not move in between: the call that follows has the same `now`.
pub(crate) fn expire(key: &Key, parts: &[&str], now: i64) -> Cmd {
    let mut cmd = VIRTUAL_EXPIRE.call(Named::ByText, parts.len() + 1, 1, 0);
    for part in parts.iter().copied().chain([DEADLINES]) {
        step::write_key(&mut cmd, key, part);
    }
    cmd.arg(now);
    cmd
}
