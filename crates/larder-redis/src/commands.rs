//! The commands of the plain operations, and how to read their answers.

use ::redis::{Cmd, Value};
use larder_store::{Condition, Delete, Entry, Error, ErrorKind, Key, Put, Result, Ttl};

use crate::script::{DELETE_IF_VERSION, Named, PUT_IF_VERSION};
use crate::{classify, value_format};

pub(crate) fn get(key: &Key) -> Cmd {
    let mut cmd = command("GET", 2, key.as_bytes().len());
    cmd.arg(key.as_bytes());
    cmd
}

/// Makes the command of a put; `named` matters if it needs a script.
pub(crate) fn put(put: &Put, named: Named) -> Cmd {
    let key = put.key().as_bytes();
    let room = key.len() + value_format::length(put) + 40;
    let ttl = put.ttl().as_millis();
    if let Condition::IfVersion(version) = put.condition() {
        let mut cmd = PUT_IF_VERSION.call(named, 1, 3, room);
        cmd.arg(key).arg(version.as_bytes());
        value_format::write(&mut cmd, put);
        cmd.arg(ttl);
        return cmd;
    }
    let mut cmd = command("SET", 6, room);
    cmd.arg(key);
    value_format::write(&mut cmd, put);
    cmd.arg("PX").arg(ttl);
    match put.condition() {
        Condition::IfAbsent => cmd.arg("NX"),
        Condition::IfPresent => cmd.arg("XX"),
        Condition::Always | Condition::IfVersion(_) => &mut cmd,
    };
    cmd
}

/// Makes the command of a delete; `named` matters if it needs a script.
pub(crate) fn delete(delete: &Delete, named: Named) -> Cmd {
    let key = delete.key().as_bytes();
    if let Condition::IfVersion(version) = delete.condition() {
        let mut cmd = DELETE_IF_VERSION.call(named, 1, 1, key.len() + 16);
        cmd.arg(key).arg(version.as_bytes());
        return cmd;
    }
    let mut cmd = command("DEL", 2, key.len());
    cmd.arg(key);
    cmd
}

/// Returns whether a delete can have any effect.
pub(crate) fn may_delete(delete: &Delete) -> bool {
    delete.condition() != Condition::IfAbsent
}

pub(crate) fn expire(key: &Key, ttl: Ttl) -> Cmd {
    let mut cmd = command("PEXPIRE", 3, key.as_bytes().len() + 16);
    cmd.arg(key.as_bytes()).arg(ttl.as_millis());
    cmd
}

pub(crate) fn ttl(key: &Key) -> Cmd {
    let mut cmd = command("PTTL", 2, key.as_bytes().len());
    cmd.arg(key.as_bytes());
    cmd
}

fn command(name: &str, arguments: usize, room: usize) -> Cmd {
    let mut cmd = Cmd::with_capacity(arguments, name.len() + room);
    cmd.arg(name);
    cmd
}

/// Parses the answer of GET.
pub(crate) fn entry(operation: &'static str, key: &Key, value: Value) -> Result<Option<Entry>> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(value_format::read(key, bytes)),
        other => Err(unread(operation, &other)),
    }
}

/// Parses the answer of SET, DEL, PEXPIRE and the scripts of versions.
pub(crate) fn outcome<T: From<bool>>(operation: &'static str, value: &Value) -> Result<T> {
    match value {
        Value::Okay | Value::Int(1..) => Ok(true.into()),
        Value::Nil | Value::Int(0) => Ok(false.into()),
        other => Err(unread(operation, other)),
    }
}

/// Parses the answer of PTTL.
pub(crate) fn remaining(operation: &'static str, value: &Value) -> Result<Option<Ttl>> {
    match value {
        Value::Int(-2) => Ok(None),
        // Another client wrote it without a TTL; the longest TTL is the closest match.
        Value::Int(-1) => Ok(Some(Ttl::MAX)),
        // In the last millisecond the TTL is zero although the key still exists.
        Value::Int(millis @ 0..) => Ok(Some(Ttl::covering_micros(millis.saturating_mul(1000)))),
        other => Err(unread(operation, other)),
    }
}

/// Makes the error of an unexpected answer, or of one that is an error.
pub(crate) fn unread(operation: &'static str, value: &Value) -> Error {
    match value {
        Value::ServerError(error) => classify::refused(operation, error),
        _ => classify::unexpected(operation),
    }
}

/// Refuses a value that is longer than the store accepts.
pub(crate) fn check_size(operation: &'static str, put: &Put, most: usize) -> Result<()> {
    let length = put.value().len();
    if length <= most {
        return Ok(());
    }
    Err(Error::new(
        operation,
        ErrorKind::TooLarge,
        format!("the value has {length} bytes, but the store accepts at most {most}"),
    ))
}
