use std::fmt;

use ::redis::ConnectionInfo;

use crate::tls::Tls;

/// The host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl HostPort {
    /// Parses the address in a redirect; an empty host means `asked_host`, which sent it.
    pub(crate) fn parse(text: &str, asked_host: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Self::announced(host, port.parse().ok()?, asked_host)
    }

    /// Makes the address that a node of a cluster announces.
    pub(crate) fn announced(host: &str, port: u16, asked_host: &str) -> Option<Self> {
        let host = match host {
            // The node does not know its own name.
            "?" => return None,
            "" => asked_host,
            host => host,
        };
        let host = host.to_owned();
        (port != 0).then_some(Self { host, port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

/// The address of one server, with its login and TLS.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) info: ConnectionInfo,
    pub(crate) tls: Option<Tls>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_redirect_names_an_address() {
        assert_eq!(HostPort::parse("h:7", "seed"), Some(at("h", 7)));
        assert_eq!(HostPort::parse(":7", "seed"), Some(at("seed", 7)));
        assert_eq!(HostPort::parse("::1:7", "seed"), Some(at("::1", 7)));
        assert_eq!(at("::1", 7).to_string(), "[::1]:7");
        for text in ["?:7", "h", "h:", "h:0", "h:70000"] {
            assert_eq!(HostPort::parse(text, "seed"), None, "{text}");
        }
    }
}
