use std::fmt;

use super::ConfigError;

/// The URL of the store. `Display` and `Debug` show its scheme and host, never a password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// Returns the URL of the store inside this process.
    #[must_use]
    pub fn memory() -> Self {
        Self("memory://".to_owned())
    }

    /// Parses a URL with any scheme; the store rejects unknown ones.
    ///
    /// # Errors
    ///
    /// If it has no scheme.
    pub fn parse(value: &str) -> Result<Self, ConfigError> {
        match value.split_once("://") {
            Some((scheme, _)) if is_scheme(scheme) => Ok(Self(value.to_owned())),
            _ => Err(ConfigError {
                name: "STORE_URL",
                // The value may be a password without its URL.
                value: "…".to_owned(),
                expected: "a URL with a scheme",
                fix: "STORE_URL=memory:// or STORE_URL=redis://127.0.0.1:6379",
            }),
        }
    }

    /// Returns whether it names Redis or Valkey servers that form one store.
    pub(crate) fn is_redis(&self) -> bool {
        let scheme = self.0.split("://").next().unwrap_or_default();
        let (transport, form) = scheme.split_once('+').unwrap_or((scheme, ""));
        let transports = ["redis", "rediss", "valkey", "valkeys", "unix"];
        transports.contains(&transport) && form != "shards"
    }

    /// Returns the whole URL, with its password. Use it only to connect.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", ""));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        // If there is an `@` further on, the password may contain a slash: then nothing is shown.
        if tail.contains('@') {
            return write!(f, "{scheme}://…");
        }
        let host = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "{scheme}://{host}")
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_url_is_shown_as_scheme_and_host() {
        for (url, shown) in [
            ("memory://", "memory://"),
            ("redis://127.0.0.1:6379/2", "redis://127.0.0.1:6379"),
            ("rediss://:s3cret@cache:6380?x=1", "rediss://cache:6380"),
            ("redis://u:s3@cret@cache", "redis://cache"),
            ("redis://u:s3/cret@cache", "redis://…"),
            ("redis://u:s3?cret@cache", "redis://…"),
            (
                "redis+cluster://u:s3cret@a:7000,b:7001",
                "redis+cluster://a:7000,b:7001",
            ),
            ("unix:///run/redis.sock?pass=s3cret", "unix://"),
        ] {
            let parsed = StoreUrl::parse(url).unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert!(!format!("{parsed:?}").contains("cret"));
            assert_eq!(parsed.expose(), url);
        }
    }
}
