//! Builds the URLs of servers.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use super::options::RedisOptions;

/// Builds the URL of a server with these options on `port`.
pub(super) fn of_server(options: &RedisOptions, port: u16, user: Option<(&str, &str)>) -> String {
    let (scheme, who) = (scheme(options), credentials(options, user));
    format!("{scheme}://{who}{}:{port}", Ipv4Addr::LOCALHOST)
}

/// Returns the scheme of URLs of servers with these options.
pub(super) fn scheme(options: &RedisOptions) -> &'static str {
    if options.speaks_tls() {
        "rediss"
    } else {
        "redis"
    }
}

/// Returns the credentials in front of the host, with their `@`, or an empty text.
pub(super) fn credentials(options: &RedisOptions, user: Option<(&str, &str)>) -> String {
    match (user, &options.password) {
        (Some((user, password)), _) => format!("{}:{}@", escape(user), escape(password)),
        (None, Some(password)) => format!(":{}@", escape(password)),
        (None, None) => String::new(),
    }
}

/// Joins the addresses of nodes for a URL.
pub(super) fn hosts(nodes: &[SocketAddr]) -> String {
    let hosts = nodes.iter().map(SocketAddr::to_string);
    hosts.collect::<Vec<_>>().join(",")
}

/// Returns `text` with every byte that may have a meaning in a URL as `%XX`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(escape("aZ9-._~"), "aZ9-._~");
        assert_eq!(escape("p@ss/w:rd#é"), "p%40ss%2Fw%3Ard%23%C3%A9");
    }
}
