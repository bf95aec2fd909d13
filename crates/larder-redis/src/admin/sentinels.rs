use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, ConnectionAddr, RedisResult, Value, cmd};
use futures_util::future::join_all;
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Admin, refused};
use crate::connection::{Address, Connection, Health, HostPort, dial};
use crate::reply::{fields, text};
use crate::route::Route;
use crate::sentinels::Sentinels;
use crate::source::Target;

/// The report of one sentinel about the master.
#[derive(Debug)]
#[non_exhaustive]
pub struct SentinelStatus {
    /// The host and port of the sentinel.
    pub location: String,
    /// Whether enough sentinels are reachable to fail over, by `SENTINEL CKQUORUM`.
    pub has_quorum: Result<bool>,
    /// The silence after which a master counts as down, by `SENTINEL MASTER`.
    pub down_after: Result<Duration>,
}

impl Admin {
    /// Asks each sentinel of the URL about the master. Two round trips each, on a connection of its own.
    ///
    /// None if the store was not reached through sentinels. A sentinel has the connect timeout to answer.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn sentinels(&self) -> Option<Vec<SentinelStatus>> {
        let Route::One(node) = &*self.route else {
            return None;
        };
        let Some(Target::Master(sentinels)) = node.source.target() else {
            return None;
        };
        let within = self.route.limits().connect_timeout;
        let asking = sentinels.addresses().iter();
        let asking = asking.map(|address| status(sentinels, address, within));
        Some(join_all(asking).await)
    }
}

async fn status(sentinels: &Sentinels, address: &Address, within: Duration) -> SentinelStatus {
    let (has_quorum, down_after) = match timeout(within, ask(address, sentinels.name())).await {
        Ok(Ok((quorum, master))) => (read_quorum(quorum), read_down_after(master)),
        _ => (Err(silent()), Err(silent())),
    };
    SentinelStatus {
        location: match address.info.addr() {
            ConnectionAddr::Tcp(host, port) => HostPort {
                host: host.clone(),
                port: *port,
            }
            .to_string(),
            other => other.to_string(),
        },
        has_quorum,
        down_after,
    }
}

async fn ask(address: &Address, name: &str) -> RedisResult<(Value, Value)> {
    let health = Arc::new(Health::new(Arc::new(Notify::new())));
    let connection = dial(address, AsyncConnectionConfig::new(), health).await?;
    let answers = (
        send(&connection, "CKQUORUM", name).await?,
        send(&connection, "MASTER", name).await?,
    );
    connection.close().await;
    Ok(answers)
}

async fn send(connection: &Connection, subcommand: &str, name: &str) -> RedisResult<Value> {
    let mut command = cmd("SENTINEL");
    command.arg(subcommand).arg(name);
    connection.multiplexed().send_packed_command(&command).await
}

fn read_quorum(answer: Value) -> Result<bool> {
    match answer {
        Value::ServerError(error) if error.code() == "NOQUORUM" => Ok(false),
        Value::ServerError(error) => Err(refused("SENTINEL CKQUORUM", &error)),
        _ => Ok(true),
    }
}

fn read_down_after(answer: Value) -> Result<Duration> {
    if let Value::ServerError(error) = &answer {
        return Err(refused("SENTINEL MASTER", error));
    }
    let fields = fields(answer).unwrap_or_default();
    let mut fields = fields.iter();
    let down_after = fields.find(|(name, _)| text(name) == Some("down-after-milliseconds"));
    let millis = down_after.and_then(|(_, value)| text(value)?.parse().ok());
    millis.map(Duration::from_millis).ok_or_else(silent)
}

fn silent() -> Error {
    let text = "the server did not answer like a sentinel";
    Error::new("admin", ErrorKind::Refused(Refusal::Unavailable), text)
}
