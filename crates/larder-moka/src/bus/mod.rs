//! The bus: messages between the tasks of this process.

mod audience;
mod board;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::{
    Bus, Channel, Error, ErrorKind, Interest, MAX_MESSAGE, Message, Result, Subscription,
};

pub(crate) use board::Board;

use crate::MokaStore;

/// Both answer without waiting: a message is in the mailbox of each subscription when `publish` is
/// answered.
#[async_trait]
impl Bus for MokaStore {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        if payload.len() > MAX_MESSAGE {
            return Err(too_large());
        }
        let channel = channel.clone();
        self.board.publish(&Message { channel, payload });
        Ok(())
    }

    async fn subscribe(&self, interest: Interest) -> Result<Subscription> {
        interest.check()?;
        Board::subscribe(&self.board, interest.distinct())
    }
}

fn too_large() -> Error {
    Error::new(
        "publish",
        ErrorKind::TooLarge,
        format!(
            "a message is at most {MAX_MESSAGE} bytes: put what is longer into the store, and \
             publish its key"
        ),
    )
}
