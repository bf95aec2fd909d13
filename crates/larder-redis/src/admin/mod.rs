//! Read-only commands about the servers themselves, for people and tools.

mod allowed;
mod sentinels;

use std::sync::Arc;

use ::redis::{Cmd, ServerError, Value};
use larder_store::program::Wire;
use larder_store::{Error, ErrorKind, Refusal, Result, Timestamp};
use tokio::time::timeout;

use crate::classify;
use crate::connection::certificate_end;
use crate::features::is_unknown;
use crate::node::SupervisedNode;
use crate::operation::{Repeat, Request};
use crate::route::Route;
use crate::script_answer::wire;
use crate::source::Target;
use crate::store::RedisStore;

pub use sentinels::SentinelStatus;

/// Runs read-only commands about the servers of a store, for people and tools.
///
/// It takes commands such as `INFO` and `CONFIG GET`, and refuses every command that could write, block
/// or show a value. It uses the connections of the store. Clones are cheap.
#[derive(Clone)]
pub struct Admin {
    route: Arc<Route>,
}

/// A server of a store that takes writes.
#[derive(Clone)]
pub struct AdminServer(Arc<SupervisedNode>);

impl RedisStore {
    /// Returns the interface for read-only commands to its servers, for people and tools.
    pub fn admin(&self) -> Admin {
        Admin {
            route: self.route.clone(),
        }
    }
}

impl Admin {
    /// Returns the servers that take writes: one, or each master of a cluster. No round trip.
    pub fn servers(&self) -> Vec<AdminServer> {
        self.route.serving().into_iter().map(AdminServer).collect()
    }

    /// Returns whether the servers form a cluster.
    pub fn is_cluster(&self) -> bool {
        matches!(*self.route, Route::Cluster(_))
    }

    /// Runs a command about `key` on the server that has it. One round trip.
    ///
    /// The key may be any bytes, so that keys of other clients can be measured.
    ///
    /// # Errors
    /// Those of [`AdminServer::run`].
    pub async fn run_on_key(&self, command: &[&[u8]], key: &[u8]) -> Result<Wire> {
        let cmd = build(command)?;
        let within = self.route.limits().connect_timeout;
        let operation = self.route.begin(key, Request::read("admin").within(within));
        let answer = operation.await?.send(&cmd, Repeat::Safe).await?;
        read(command, answer)
    }
}

impl AdminServer {
    /// Returns the address of the server, without user and password.
    pub fn location(&self) -> &str {
        self.0.location()
    }

    /// Runs a read-only command, such as `["CONFIG", "GET", "timeout"]`. One round trip.
    ///
    /// It has the connect timeout, 1 s by default: `INFO` of a busy server takes longer than a `GET`. For
    /// the commands in `SLOWLOG GET` it returns only the names. `CONFIG GET` returns the server's passwords,
    /// if you ask for them and the user may read them.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a command that is not on the list of read-only commands: it is not sent.
    /// [`Refusal::Denied`] if this user may not run it, or the server lacks it, as many managed services do;
    /// otherwise those of the store.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn run(&self, command: &[&[u8]]) -> Result<Wire> {
        let cmd = build(command)?;
        let within = self.0.limits().connect_timeout;
        let operation = self.0.begin(Request::read("admin").within(within))?;
        read(command, operation.send(&cmd, Repeat::Safe).await?)
    }

    /// Returns when the TLS certificate of the server expires. It takes a connection of its own, which is
    /// closed.
    ///
    /// It has the connect timeout. None without TLS, behind sentinels, and for the connections of an app's
    /// own pool.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if the server cannot be reached in time, or the handshake fails for a
    /// reason other than the expiry of the certificate.
    ///
    /// # Cancellation
    /// A dropped call has no effect.
    pub async fn certificate_end(&self) -> Option<Result<Timestamp>> {
        let Target::Fixed(address) = self.0.source.target()? else {
            return None;
        };
        let within = self.0.limits().connect_timeout;
        let ends = match timeout(within, certificate_end(address)).await {
            Ok(ends) => ends?.ok(),
            Err(_) => None,
        };
        Some(
            match ends.and_then(|ends| ends.as_micros().try_into().ok()) {
                Some(micros) => Ok(Timestamp::from_micros(micros)),
                None => {
                    let kind = ErrorKind::Refused(Refusal::Unavailable);
                    Err(Error::new("admin", kind, "the TLS handshake failed"))
                }
            },
        )
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Admin")
            .field(&self.route.location())
            .finish()
    }
}

impl std::fmt::Debug for AdminServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AdminServer")
            .field(&self.location())
            .finish()
    }
}

fn build(command: &[&[u8]]) -> Result<Cmd> {
    if !allowed::is_allowed(command) {
        let text = "the command is not on the list of read-only commands: only INFO, CONFIG GET and \
                    the like are sent";
        return Err(Error::new("admin", ErrorKind::Invalid, text));
    }
    let mut cmd = Cmd::new();
    for argument in command {
        cmd.arg(*argument);
    }
    Ok(cmd)
}

fn read(command: &[&[u8]], answer: Value) -> Result<Wire> {
    match answer {
        Value::ServerError(error) => Err(refused(&allowed::name(command), &error)),
        answer => match wire(answer) {
            Ok(answer) if allowed::shows_arguments(command) => Ok(without_arguments(answer)),
            answer => answer.map_err(|_| classify::unexpected("admin")),
        },
    }
}

/// Keeps only the name of the command of each entry of `SLOWLOG GET`.
fn without_arguments(entries: Wire) -> Wire {
    let Wire::List(mut entries) = entries else {
        return entries;
    };
    for entry in &mut entries {
        if let Wire::List(fields) = entry
            && let Some(Wire::List(words)) = fields.get_mut(3)
        {
            words.truncate(1);
        }
    }
    Wire::List(entries)
}

/// Makes the error of a refused command, which names the command and no argument.
fn refused(name: &str, error: &ServerError) -> Error {
    let details = error.details().unwrap_or_default().to_ascii_lowercase();
    let is_unknown = is_unknown(&details);
    let text = match error.code() {
        "NOPERM" => format!("this user may not run {name}"),
        "ERR" if is_unknown => format!("this server does not offer {name}"),
        _ => return classify::refused("admin", error),
    };
    Error::new("admin", ErrorKind::Refused(Refusal::Denied), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> Error {
        let answer = ::redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        read(&[b"config", b"get", b"requirepass"], answer).unwrap_err()
    }

    #[test]
    fn slow_commands_are_shown_without_their_keys_and_values() {
        let entry = |command: &str| {
            let text = format!(
                "*1\r\n*6\r\n:1\r\n:1700\r\n:20000\r\n{command}$11\r\n127.0.0.1:1\r\n$0\r\n\r\n"
            );
            ::redis::parse_redis_value(text.as_bytes()).unwrap()
        };
        let whole = entry("*3\r\n$3\r\nSET\r\n$9\r\nfilm:{1}:\r\n$6\r\nsecret\r\n");
        let shown = read(&[b"SlowLog", b"get", b"10"], whole).unwrap();
        assert_eq!(shown, wire(entry("*1\r\n$3\r\nSET\r\n")).unwrap());
    }

    #[test]
    fn a_refusal_names_the_command_and_no_argument() {
        for line in [
            "NOPERM this user has no permissions to run the 'config|get' command",
            "ERR unknown command 'CONFIG', with args beginning with: 'get' 'requirepass'",
            "ERR unknown subcommand 'get'. Try CONFIG HELP.",
        ] {
            let error = refusal(line);
            assert_eq!(error.kind(), ErrorKind::Refused(Refusal::Denied));
            assert!(error.to_string().ends_with("CONFIG GET"), "{error}");
        }
        let loading = refusal("LOADING Redis is loading the dataset in memory");
        assert_eq!(
            loading.kind(),
            ErrorKind::Refused(Refusal::Unavailable),
            "{loading}"
        );
    }
}
