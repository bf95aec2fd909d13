//! Makes the first connection, and explains why there is none.

use ::redis::{Cmd, ServerErrorKind, Value};
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::time::timeout;

use crate::connection::{ConnectError, Denial, MAY_NOT_GREET};
use crate::node::Node;
use crate::operation::{Repeat, Request};
use crate::reply::{fields, text};
use crate::{classify, tls};

/// The oldest server that knows flags of scripts.
const OLDEST: u32 = 7;

/// The kind of server that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One server, or the master of sentinels.
    Alone,
    /// A node of a cluster.
    Cluster,
}

/// Makes the first connection of a node, and checks the server.
pub(crate) async fn connect(node: &Node, mode: Mode) -> Result<()> {
    // A little later than the dialer's own deadline, which gives a better reason.
    let deadline = node.limits().connect_timeout.mul_f64(1.1);
    match timeout(deadline, greet(node, mode)).await {
        Ok(greeted) => greeted,
        Err(_) => Err(explain(&ConnectError::TimedOut, node, mode)),
    }
}

async fn greet(node: &Node, mode: Mode) -> Result<()> {
    let added = node.replace_connection().await;
    added.map_err(|failure| explain(&failure, node, mode))?;
    let mut hello = Cmd::new();
    hello.arg("HELLO");
    let operation = node.begin(Request::read("connect").within(node.limits().connect_timeout))?;
    let greeting = operation.send(&hello, Repeat::Safe).await?;
    check(greeting, node, mode)
}

fn is_tls(location: &str) -> bool {
    location.starts_with("rediss")
}

fn error(kind: ErrorKind, text: String) -> Error {
    Error::new("connect", kind, text)
}

/// Refuses a server that larder cannot work with. One that does not identify itself passes, since
/// it may be a proxy.
fn check(greeting: Value, node: &Node, wanted: Mode) -> Result<()> {
    let location = node.location();
    let Some(greeting) = fields(greeting) else {
        return Ok(());
    };
    let said = |name: &str| {
        let mut pairs = greeting.iter();
        let (_, value) = pairs.find(|(key, _)| text(key) == Some(name))?;
        text(value)
    };
    let host = location
        .split_once("://")
        .map_or(location, |(_, host)| host);
    let scheme = match is_tls(location) {
        true => "rediss",
        false => "redis",
    };
    let wrong = match (said("mode"), wanted) {
        (Some("sentinel"), _) => Some(format!(
            "a sentinel: give the URL of the server that it watches, or \
             {scheme}+sentinel://{host}/name-of-the-master"
        )),
        (Some("cluster"), Mode::Alone) => Some(format!(
            "a node of a cluster: use {scheme}+cluster://{host}, which finds the others"
        )),
        (Some("standalone"), Mode::Cluster) => Some(format!(
            "not a node of a cluster: use {scheme}://{host} for one server"
        )),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return Err(error(ErrorKind::Invalid, format!("{location} is {wrong}")));
    }
    let major = said("version").and_then(|version| version.split('.').next()?.parse().ok());
    match major {
        Some(major @ ..OLDEST) => Err(error(
            ErrorKind::Invalid,
            format!(
                "{} is version {major}: larder needs Redis {OLDEST} or Valkey",
                dialed(node).0
            ),
        )),
        _ => Ok(()),
    }
}

/// Explains a failed connection, and how to fix it.
fn explain(failure: &ConnectError, node: &Node, mode: Mode) -> Error {
    let location = node.location();
    let (dialed, announced) = dialed(node);
    let cause = match failure {
        ConnectError::TimedOut | ConnectError::Broken => {
            let deadline = node.limits().connect_timeout;
            let tls = match is_tls(location) {
                true => " that speaks TLS (use redis instead of rediss if it does not)",
                false => "",
            };
            return error(
                ErrorKind::NotSent,
                format!(
                    "{dialed} did not answer within {deadline:?}: check the address and the \
                     firewall, and that it is a Redis server{tls}{announced}"
                ),
            );
        }
        ConnectError::NoSuchMaster => {
            return error(
                ErrorKind::Invalid,
                format!(
                    "{location} names a master that its sentinels do not watch: SENTINEL MASTERS \
                     lists the names that they know"
                ),
            );
        }
        ConnectError::SentinelDenied(_) => {
            return error(
                ErrorKind::Refused(Refusal::Denied),
                format!("{location}: {failure}"),
            );
        }
        ConnectError::NoSentinel(_) => {
            return error(
                ErrorKind::NotSent,
                format!("{location}: {failure}: check the addresses, and that the sentinels run"),
            );
        }
        ConnectError::NoMaster => {
            let server = match node.named_master() {
                Some(master) => format!("{master}, which {location} names as the master,"),
                None => location.to_owned(),
            };
            return error(
                ErrorKind::NotSent,
                format!(
                    "{server} is not one: connect again after the failover, or make it one \
                     (REPLICAOF NO ONE)"
                ),
            );
        }
        ConnectError::Redis(cause) => cause,
    };
    if let Some(what) = tls::explain(cause) {
        let text = format!("the TLS handshake with {dialed} failed: {what}");
        return error(ErrorKind::NotSent, text);
    }
    if let Some(system) = classify::system(cause) {
        let fix = failure
            .silence(is_tls(location))
            .unwrap_or(match system.kind() {
                std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound => {
                    "no server listens there: start it, or correct the address"
                }
                _ => "check the address and the network",
            });
        let text = format!("{dialed} cannot be reached: {fix}{announced}");
        return error(ErrorKind::NotSent, text).with_source(system);
    }
    if let Some(denial) = failure.denial() {
        return denied(denial, location, mode);
    }
    refused(cause, &dialed)
}

/// Returns the name of the server that was dialed, which behind sentinels is not in the URL, and
/// where its address comes from.
fn dialed(node: &Node) -> (String, &'static str) {
    let location = node.location();
    match node.named_master() {
        Some(master) => (
            format!("the master {master} that {location} names"),
            "; its address is that of sentinel monitor or, after a failover, its \
             replica-announce-ip",
        ),
        None => (location.to_owned(), ""),
    }
}

/// Returns the error of a refused login, which shows how a URL names one.
fn denied(denial: Denial, location: &str, mode: Mode) -> Error {
    let what = match denial {
        Denial::Missing => "asks for a user and password",
        Denial::Wrong => "rejects this user and password",
    };
    let scheme = location.split_once("://").map_or("redis", |it| it.0);
    let (who, form, host) = match (scheme, mode) {
        ("redis+sentinel" | "rediss+sentinel", _) => ("the master of ", "", "host/name"),
        (_, Mode::Cluster) => ("", "+cluster", "host"),
        _ => ("", "", "host"),
    };
    let fix = match scheme {
        "unix" => "as parameters of the URL, as in ?user=app&pass=password, or ?pass=password for \
                   the default user"
            .to_owned(),
        _ => format!(
            "in the URL, as in {scheme}{form}://user:password@{host}, or \
             {scheme}{form}://:password@{host} for the default user"
        ),
    };
    error(
        ErrorKind::Refused(Refusal::Denied),
        format!("{who}{location} {what}: give them {fix}"),
    )
}

/// Returns the error of a server that refused the handshake.
fn refused(cause: &::redis::RedisError, location: &str) -> Error {
    let detail = cause.detail().unwrap_or_default();
    match (cause.kind(), cause.code()) {
        (_, Some("DENIED")) => error(
            ErrorKind::Refused(Refusal::Denied),
            format!(
                "{location} is in protected mode and accepts local clients only: set a password \
                 there, or bind it to a specific address"
            ),
        ),
        (_, Some("NOPERM")) => error(
            ErrorKind::Refused(Refusal::Denied),
            format!("{location} refused the connection: {MAY_NOT_GREET}"),
        ),
        (::redis::ErrorKind::RESP3NotSupported, _) => error(
            ErrorKind::Invalid,
            format!(
                "{location} does not support HELLO: larder needs Redis {OLDEST} or Valkey; for a \
                 proxy without HELLO, add ?protocol=resp2"
            ),
        ),
        (::redis::ErrorKind::Parse, _) => error(
            ErrorKind::Invalid,
            format!(
                "{location} answers, but does not speak the Redis protocol: check host and port"
            ),
        ),
        (::redis::ErrorKind::Server(ServerErrorKind::ResponseError), _)
            if cause.to_string().contains("switch database") =>
        {
            error(
                ErrorKind::Invalid,
                format!(
                    "the database in {location} does not exist, or this user may not SELECT it: \
                     use another, or omit it for database 0"
                ),
            )
        }
        _ if detail.contains("max number of clients") => error(
            ErrorKind::Refused(Refusal::Unavailable),
            format!("{location} has reached its maximum number of clients: raise maxclients there"),
        ),
        (_, code) => error(
            ErrorKind::Refused(Refusal::Unavailable),
            match code.filter(|code| code.chars().all(|c| c.is_ascii_uppercase())) {
                Some(code) => format!("{location} refused the connection ({code})"),
                None => format!("{location} refused the connection"),
            },
        ),
    }
}
