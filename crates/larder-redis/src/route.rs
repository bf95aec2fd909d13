//! Which server an operation goes to: the one entrance to what is below.
//!
//! Whoever sends commands begins by key, and holds no node: [`Route::begin`] for the commands of
//! one key, [`Route::begin_many`] for those of several.

use std::sync::Arc;

use ::redis::{Cmd, Pipeline, Value};
use larder_store::{Error, Key, Result};

use crate::classify;
use crate::connection::{Limits, Member, Operation, Repeat, Request};

/// The servers of a store.
pub(crate) enum Route {
    One(Arc<Member>),
}

impl Route {
    /// Begins an operation on the server that holds `key`, unless too many are in flight there.
    pub(crate) fn begin(&self, name: &'static str, _key: &Key) -> Result<Routed<'_>> {
        match self {
            Self::One(server) => Ok(Routed {
                operation: server.begin(name)?,
            }),
        }
    }

    /// Begins an operation on several keys, wherever they are.
    pub(crate) fn begin_many(&self, name: &'static str) -> Result<Batch<'_>> {
        match self {
            Self::One(server) => Ok(Batch {
                operation: server.begin(name)?,
            }),
        }
    }

    /// The servers that take writes: each key is on one of them.
    #[allow(dead_code)]
    pub(crate) fn masters(&self) -> Vec<Arc<Member>> {
        match self {
            Self::One(server) => vec![server.clone()],
        }
    }

    pub(crate) fn location(&self) -> &str {
        match self {
            Self::One(server) => server.location(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        match self {
            Self::One(server) => server.limits(),
        }
    }
}

/// One operation on one key, from its begin to its deadline.
pub(crate) struct Routed<'a> {
    operation: Operation<'a>,
}

impl Routed<'_> {
    /// Whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        self.operation.has_time()
    }

    /// Sends a command of the operation's key, and waits for its answer, which may be an error of
    /// the server's.
    ///
    /// # Errors
    /// As [`Operation::send`].
    pub(crate) async fn send(&self, command: &Cmd, repeat: Repeat) -> Result<Value> {
        self.operation.send(Request::One(command), repeat).await
    }
}

/// One operation on several keys, from its begin to its deadline.
pub(crate) struct Batch<'a> {
    operation: Operation<'a>,
}

impl Batch<'_> {
    pub(crate) fn name(&self) -> &'static str {
        self.operation.name()
    }

    /// Whether the deadline is still to come.
    pub(crate) fn has_time(&self) -> bool {
        self.operation.has_time()
    }

    /// Sends commands, each with the key that says where it goes, in one round trip to each server,
    /// and gives the answer of each. Those of one key run in their order.
    ///
    /// `repeat` says whether all that was sent together may be sent again together.
    pub(crate) fn send<'k>(
        &self,
        items: impl ExactSizeIterator<Item = (&'k Key, Cmd)>,
        repeat: Repeat,
    ) -> impl Future<Output = Vec<Result<Value>>> + Send {
        let mut pipeline = Pipeline::with_capacity(items.len());
        for (_, command) in items {
            pipeline.add_command(command);
        }
        async move {
            if pipeline.is_empty() {
                return Vec::new();
            }
            let values = self.operation.send(Request::Many(&pipeline), repeat);
            spread(self.name(), pipeline.len(), values.await)
        }
    }
}

/// The answer of each item out of the answer of all; an error of all is an error of each.
pub(crate) fn spread(name: &'static str, items: usize, value: Result<Value>) -> Vec<Result<Value>> {
    let error = match value {
        Ok(Value::Array(values)) if values.len() == items => {
            return values.into_iter().map(Ok).collect();
        }
        Ok(Value::ServerError(error)) => classify::refused(name, &error),
        Ok(_) => classify::unexpected(name),
        Err(error) => error,
    };
    (0..items).map(|_| Err(again(&error))).collect()
}

/// The same error once more; its source stays with the first.
pub(crate) fn again(error: &Error) -> Error {
    let text = error.to_string();
    let prefix = format!("{}: {}: ", error.operation(), error.kind());
    let detail = text.strip_prefix(&prefix).unwrap_or_default().to_owned();
    Error::new(error.operation(), error.kind(), detail)
}
