use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Value, cmd};

/// Identifies a connection on the server, so that `CLIENT KILL` can remove it.
///
/// A hanging connection may hold commands that the server has not read yet, in its own buffers or
/// in those of a proxy. Closing our end does not recall them. Removing the client does: the server then
/// reads no more of them.
pub(crate) struct ClientHandle {
    id: String,
    /// The client's address as the server sees it. After a restart the server counts from 1 again, and
    /// the same id may belong to another client.
    from: String,
}

impl ClientHandle {
    /// Asks the server for the handle of a connection. None if the user may not ask, or a proxy answers.
    ///
    /// # Errors
    /// `BUSY`: the server answers once its script has ended, and accepts nothing else before. A
    /// connection without a handle would never get one.
    pub(crate) async fn fetch(multiplexed: &MultiplexedConnection) -> RedisResult<Option<Self>> {
        match ask(multiplexed, cmd("CLIENT").arg("INFO")).await {
            Some(Value::ServerError(error)) if error.code() == "BUSY" => Err(error.into()),
            answer => Ok(answer.and_then(Self::read)),
        }
    }

    fn read(answer: Value) -> Option<Self> {
        let text = match answer {
            Value::BulkString(bytes) => String::from_utf8(bytes).ok()?,
            Value::VerbatimString { text, .. } => text,
            _ => return None,
        };
        let field = |name: &str| {
            let mut fields = text.split_whitespace();
            let value = fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        Some(Self {
            id: field("id")?,
            from: field("addr")?,
        })
    }

    /// Removes it through another connection, and returns whether that is settled.
    ///
    /// It is settled as well if the server has no such client, or refuses permanently.
    pub(crate) async fn remove(&self, by: &MultiplexedConnection) -> bool {
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(&self.id);
        match ask(by, kill.arg("ADDR").arg(&self.from)).await {
            // It will accept commands once its script has ended, or its data are loaded.
            Some(Value::ServerError(error)) => !matches!(error.code(), "BUSY" | "LOADING"),
            Some(_) => true,
            None => false,
        }
    }

    /// Returns whether the handle is unique, even after a restart of the server.
    ///
    /// With TCP the port is part of it; with a Unix socket all clients come from the same path.
    pub(crate) fn outlives_a_restart(&self) -> bool {
        !self.from.ends_with(":0")
    }
}

async fn ask(multiplexed: &MultiplexedConnection, command: &Cmd) -> Option<Value> {
    let mut multiplexed = multiplexed.clone();
    multiplexed.send_packed_command(command).await.ok()
}
