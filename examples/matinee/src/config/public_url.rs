use url::Url;

use super::ConfigError;

/// The address that visitors' browsers use: scheme, host and port, as in an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    is_https: bool,
}

impl PublicUrl {
    /// Parses an HTTP or HTTPS URL that has nothing after the port.
    ///
    /// # Errors
    ///
    /// If the value is not such a URL.
    pub fn parse(value: &str) -> Result<Self, ConfigError> {
        let url = Url::parse(value)
            .ok()
            .filter(is_bare)
            .ok_or_else(|| ConfigError {
                name: "PUBLIC_URL",
                // It may contain a password.
                value: value
                    .split_once("://")
                    .map_or_else(|| "…".to_owned(), |(s, _)| format!("{s}://…")),
                expected: "a scheme and a host, without a path or a query",
                fix: "PUBLIC_URL=https://tickets.example",
            })?;
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            is_https: url.scheme() == "https",
        })
    }

    /// Returns it as a browser writes it into `Origin`.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the host, with the port unless it is the default one.
    pub(crate) fn host(&self) -> &str {
        let (_, host) = self.origin.split_once("://").unwrap_or_default();
        host
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }
}

fn is_bare(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_what_a_browser_calls_an_origin() {
        for (url, origin, is_https) in [
            ("https://tickets.example", "https://tickets.example", true),
            (
                "HTTPS://Tickets.Example:443/",
                "https://tickets.example",
                true,
            ),
            ("http://localhost:8080", "http://localhost:8080", false),
            (
                "https://bücher.example",
                "https://xn--bcher-kva.example",
                true,
            ),
        ] {
            let url = PublicUrl::parse(url).unwrap();
            assert_eq!((url.origin(), url.is_https()), (origin, is_https));
            assert!(origin.ends_with(&format!("//{}", url.host())));
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused_and_not_repeated() {
        for url in [
            "tickets.example",
            "ftp://tickets.example",
            "https://",
            "https://hush@tickets.example",
            "https://u:hush@tickets.example",
            "https://tickets.example/shop",
            "https://tickets.example/?hush",
            "hush",
        ] {
            let text = PublicUrl::parse(url).unwrap_err().to_string();
            assert!(text.contains("PUBLIC_URL=https://"), "{text}");
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
