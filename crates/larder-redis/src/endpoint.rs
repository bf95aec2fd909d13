use std::str::FromStr;

use ::redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use ::redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion};
use larder_store::{Error, ErrorKind, Result};
use std::time::Duration;

/// One server, as a URL names it.
///
/// It has no `Debug`, since the connection info holds the password.
pub(crate) struct Endpoint {
    pub(crate) info: ConnectionInfo,
    /// The URL without user and password.
    pub(crate) location: String,
}

const EXPECTED: &str = "expected redis://[[user]:password@]host[:port][/database] \
                        or unix:///path[?user=…&pass=…&db=…], with '#', '/', '?' and '@' in a \
                        user or password written as %23, %2F, %3F and %40";

/// How long a connection may be silent before the system probes whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(30);

impl Endpoint {
    /// Reads a URL.
    ///
    /// Errors name the scheme at most: the rest of what was meant as a URL may be a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid(format!("the store URL has no scheme: {EXPECTED}")));
        };
        let parameters: &[&str] = match scheme {
            "redis" | "valkey" => &["protocol"],
            "unix" | "redis+unix" | "valkey+unix" => &["protocol", "user", "pass", "db"],
            "rediss" | "valkeys" => {
                return Err(invalid(format!(
                    "{scheme}:// is TLS, and this build of larder-redis has none: \
                     use redis:// over a network that you trust, or unix://"
                )));
            }
            _ => {
                return Err(invalid(format!(
                    "the scheme of the store URL is not one of Redis: {EXPECTED}"
                )));
            }
        };
        if rest.contains('#') {
            return Err(invalid(format!("the store URL has a fragment: {EXPECTED}")));
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let named = |pair: &str, name: &str| pair.split('=').next() == Some(name);
        let mut pairs = query.split('&').filter(|pair| !pair.is_empty());
        if pairs.any(|pair| !parameters.iter().any(|name| named(pair, name))) {
            return Err(invalid(format!(
                "the store URL has an unknown parameter: {EXPECTED}"
            )));
        }
        let info = ConnectionInfo::from_str(url).map_err(|error| {
            // The text of the error is one of a few constants, but the detail behind it is not.
            let what = match error.to_string() {
                text if text.contains("database") => "has a database that is no number",
                text if text.contains("wildcard") => "names every address of this machine",
                text if text.contains("hostname") => "has no host",
                _ => "does not parse",
            };
            invalid(format!("the store URL {what}: {EXPECTED}"))
        })?;
        let spoken = query.split('&').any(|pair| named(pair, "protocol"));
        Ok(Self {
            location: location(&info),
            info: settle(info, spoken),
        })
    }
}

/// How we speak to a server. TCP_NODELAY is on: without it a command waits for the answer of the one
/// before it, which saves packets where the server is near and a round trip where it is not.
fn settle(info: ConnectionInfo, protocol_is_given: bool) -> ConnectionInfo {
    // CLIENT SETINFO is an error before 7.2, and one more right that a narrow user would need.
    let mut redis = info.redis_settings().clone().set_skip_set_lib_name();
    if !protocol_is_given {
        // Greets the server, so that a stranger or a wrong password is found when connecting; and
        // the client tells of a dropped connection at once, not when a command runs into it.
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(KEEPALIVE));
    info.set_redis_settings(redis).set_tcp_settings(tcp)
}

fn location(info: &ConnectionInfo) -> String {
    let database = info.redis_settings().db();
    let (address, database) = match info.addr() {
        ConnectionAddr::Unix(path) => (
            format!("unix://{}", path.display()),
            format!("?db={database}"),
        ),
        ConnectionAddr::Tcp(host, port) if host.contains(':') => {
            (format!("redis://[{host}]:{port}"), format!("/{database}"))
        }
        address => (format!("redis://{address}"), format!("/{database}")),
    };
    if info.redis_settings().db() == 0 {
        return address;
    }
    address + &database
}

fn invalid(detail: String) -> Error {
    Error::new("connect", ErrorKind::Invalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(url: &str) -> String {
        Endpoint::parse(url).map_or_else(|error| panic!("{error}"), |endpoint| endpoint.location)
    }

    fn refused(url: &str) -> String {
        match Endpoint::parse(url) {
            Ok(_) => panic!("this URL should be refused"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Invalid);
                error.to_string()
            }
        }
    }

    #[test]
    fn a_location_is_the_url_without_its_user() {
        assert_eq!(located("redis://localhost"), "redis://localhost:6379");
        assert_eq!(located("redis://u:secret@h:1/3"), "redis://h:1/3");
        assert_eq!(located("valkey://:secret@[::1]:7"), "redis://[::1]:7");
        assert_eq!(located("unix:///tmp/r.sock"), "unix:///tmp/r.sock");
        assert_eq!(
            located("redis+unix:///r.sock?db=2&pass=secret"),
            "unix:///r.sock?db=2"
        );
    }

    #[test]
    fn a_url_that_is_none_is_refused_with_the_form_that_was_expected() {
        for (url, what) in [
            ("localhost:6379", "has no scheme"),
            ("rediss://localhost", "is TLS"),
            ("http://localhost", "not one of Redis"),
            ("redis://localhost/films", "database that is no number"),
            ("redis://0.0.0.0", "every address"),
            ("redis://localhost?timeout=3", "unknown parameter"),
            ("redis://localhost:port", "does not parse"),
        ] {
            let text = refused(url);
            assert!(text.contains(what), "{url}: {text}");
        }
    }

    #[test]
    fn a_password_that_breaks_the_url_is_in_no_error() {
        for url in [
            "hunter2",
            "redis://:hunter2/x@localhost",
            "redis://:12#hunter2@localhost",
            "redis://user:12?hunter2@localhost",
            "hunter2://localhost",
            "redis://localhost/hunter2",
        ] {
            let text = refused(url);
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
