//! The names of logs, groups, consumers and messages, and the sizes of pages.

use std::sync::Arc;

use larder_store::{Error, ErrorKind, Result, check_name};

use super::{MAX_BATCH, MessageId};

const MAX_CONSUMER: usize = 64;
const MAX_MESSAGE_ID: usize = 256;

fn invalid<T>(operation: &'static str, text: impl Into<String>) -> Result<T> {
    Err(Error::new(operation, ErrorKind::Invalid, text.into()))
}

/// Checks the name of a log or a group; the error calls it `user`.
pub(super) fn name(user: &str, name: &str) -> Result<Arc<str>> {
    check_name(&format!("the name of {user}"), name)?;
    Ok(name.into())
}

pub(super) fn consumer(name: &str) -> Result<Arc<str>> {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=MAX_CONSUMER).contains(&name.len()) && name.bytes().all(is_ours) {
        return Ok(name.into());
    }
    invalid(
        "build",
        "the name of a consumer must be 1 to 64 letters, digits, '-', '_' and '.'",
    )
}

/// Returns the text under which a message is remembered.
pub(super) fn message(message: MessageId<'_>) -> Result<Arc<str>> {
    let is_ours = |text: &str| (1..=MAX_MESSAGE_ID).contains(&text.len());
    if !is_ours(message.producer) || !is_ours(message.id) {
        return invalid(
            "append",
            "a producer and the id of a message must be 1 to 256 bytes",
        );
    }
    // The length keeps the two parts distinct.
    let length = message.producer.len();
    Ok(format!("{length}:{}{}", message.producer, message.id).into())
}

/// Checks the number of events of one call, and returns it as the store gets it.
pub(super) fn check_many(operation: &'static str, many: usize) -> Result<u32> {
    match u32::try_from(many) {
        Ok(number) if many <= MAX_BATCH => Ok(number),
        _ => invalid(
            operation,
            "one call reads or settles at most 100 events: make several calls",
        ),
    }
}
