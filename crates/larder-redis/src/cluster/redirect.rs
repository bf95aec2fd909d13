//! The answers of a node that does not serve a key. In all of these cases nothing ran.

use ::redis::Value;
use larder_store::{Error, ErrorKind, Refusal};

use crate::connection::HostPort;

/// The maximum number of redirects that one operation follows.
///
/// Usually one is enough, and two if a slot moves meanwhile.
pub(super) const MOST_HOPS: usize = 5;

/// A node's answer about a key that it does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The slot is on another node, from now on.
    Moved(Option<HostPort>),
    /// This key is now on another node: send it there once, with `ASKING` first.
    Ask(Option<HostPort>),
    /// The keys of the record are on two nodes at the moment.
    TryAgain,
    /// The master became a replica.
    ReadOnly,
    /// The cluster is down, or does not serve this slot.
    Down,
}

impl Redirect {
    /// Parses an answer of the node at `asked_host`. None if it is not a redirect.
    pub(super) fn parse(answer: &Value, asked_host: &str) -> Option<Self> {
        let Value::ServerError(error) = answer else {
            return None;
        };
        let host_port = || {
            let (_slot, host_port) = error.details()?.split_once(' ')?;
            HostPort::parse(host_port, asked_host)
        };
        match error.code() {
            "MOVED" => Some(Self::Moved(host_port())),
            "ASK" => Some(Self::Ask(host_port())),
            "TRYAGAIN" => Some(Self::TryAgain),
            "READONLY" => Some(Self::ReadOnly),
            "CLUSTERDOWN" | "MASTERDOWN" => Some(Self::Down),
            _ => None,
        }
    }
}

/// Returns the error of an operation that nodes keep redirecting.
pub(super) fn too_many(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::Refused(Refusal::Unavailable),
        format!("redirected more than {MOST_HOPS} times: the nodes of the cluster disagree"),
    )
}

/// Returns the error of a key whose slot has no node.
pub(super) fn unserved(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::Refused(Refusal::Unavailable),
        "no node of the cluster serves the slot of this key: redis-cli --cluster check says which",
    )
}

/// The error text for nodes that announce no host.
pub(super) const NAMELESS: &str = "a node of the cluster announces '?' instead of its host: set \
                                   cluster-announce-hostname on each node, or \
                                   cluster-preferred-endpoint-type to ip";

/// Makes the error of a key whose node announces no host.
pub(super) fn nameless(operation: &'static str) -> Error {
    Error::new(
        operation,
        ErrorKind::Refused(Refusal::Unavailable),
        NAMELESS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Redirect> {
        let answer = ::redis::parse_redis_value(format!("{line}\r\n").as_bytes()).unwrap();
        Redirect::parse(&answer, "asked")
    }

    #[test]
    fn each_redirection_is_read() {
        let host_port = |host: &str| {
            Some(HostPort {
                host: host.to_owned(),
                port: 7,
            })
        };
        assert_eq!(of("-MOVED 12 h:7"), Some(Redirect::Moved(host_port("h"))));
        assert_eq!(
            of("-MOVED 12 :7"),
            Some(Redirect::Moved(host_port("asked")))
        );
        assert_eq!(of("-MOVED"), Some(Redirect::Moved(None)));
        assert_eq!(of("-ASK 12 h:7"), Some(Redirect::Ask(host_port("h"))));
        assert_eq!(of("-TRYAGAIN Multiple"), Some(Redirect::TryAgain));
        assert_eq!(of("-READONLY You"), Some(Redirect::ReadOnly));
        assert_eq!(of("-CLUSTERDOWN The"), Some(Redirect::Down));
        assert_eq!(of("-OOM command"), None);
        assert_eq!(of("+MOVED 12 h:7"), None);
    }
}
