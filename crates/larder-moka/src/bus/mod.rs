//! The bus: messages between the tasks of this process.

mod audience;
mod board;

use async_trait::async_trait;
use bytes::Bytes;
use larder_store::{Bus, Channel, Interest, Message, Result, Subscription, check_message};

pub(crate) use board::Board;

use crate::MokaStore;

/// Both answer without waiting: a message is in the mailbox of each subscription when `publish` is
/// answered.
#[async_trait]
impl Bus for MokaStore {
    async fn publish(&self, channel: &Channel, payload: Bytes) -> Result<()> {
        check_message(&payload)?;
        let channel = channel.clone();
        self.board.publish(&Message { channel, payload });
        Ok(())
    }

    async fn subscribe(&self, interest: Interest) -> Result<Subscription> {
        interest.check()?;
        Board::subscribe(&self.board, interest.distinct())
    }
}
