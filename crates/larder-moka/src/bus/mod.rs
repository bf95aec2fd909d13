//! The bus: messages between the tasks of this process.

mod channel_subscribers;
mod subscribers;

pub(crate) use subscribers::Subscribers;
