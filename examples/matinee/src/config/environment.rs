use super::{Config, ConfigError};

/// The only environment with relaxed settings. Every other name is treated as production.
const DEVELOPMENT: &str = "development";

/// The protocol between visitors' browsers and the site, through any proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Cookies are `Secure`.
    Https,
    /// Cookies are not `Secure`, because browsers would reject them.
    PlainHttp,
}

/// Whether the app keeps metrics, shows them to Prometheus and to administrators, and examines its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// All of it is on.
    On,
    /// All of it is off: `/metrics` and the operators' page do not exist.
    Off,
}

/// Whether demo accounts, whose passwords are public, can sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DemoAccounts {
    Open,
    Closed,
}

impl Config {
    pub(crate) fn is_development(&self) -> bool {
        self.environment == DEVELOPMENT
    }

    /// Plain HTTP in development, unless HTTPS is declared; HTTPS everywhere else.
    pub(crate) fn transport(&self) -> Transport {
        let is_https = self.public_url.as_ref().is_some_and(|url| url.is_https());
        if self.is_development() && !is_https {
            Transport::PlainHttp
        } else {
            Transport::Https
        }
    }

    pub(crate) fn demo_accounts(&self) -> DemoAccounts {
        if self.is_development() {
            DemoAccounts::Open
        } else {
            DemoAccounts::Closed
        }
    }

    /// Refuses settings that contradict each other.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let url = self.public_url.as_ref().filter(|url| !url.is_https());
        match url {
            Some(url) if self.transport() == Transport::Https => Err(ConfigError {
                name: "PUBLIC_URL",
                value: url.origin().to_owned(),
                expected: "https:// outside development, because its cookies are Secure and browsers do not send \
                           those over plain HTTP",
                fix: "PUBLIC_URL=https://…, behind a proxy with TLS, or APP_ENV=development",
            }),
            _ => Ok(self),
        }
    }

    /// Refuses settings of a public app if `APP_ENV` is not set, since it would open the demo accounts by mistake.
    pub(super) fn checked_without_a_name(self) -> Result<Self, ConfigError> {
        let hidden = || "…".to_owned();
        let (url, listen) = (self.public_url.as_ref(), self.listen.ip().to_canonical());
        let url = url.filter(|url| url.is_https());
        let public = [
            url.map(|url| ("PUBLIC_URL", url.origin().to_owned())),
            self.trusted_proxies
                .as_ref()
                .map(|_| ("TRUSTED_PROXIES", hidden())),
            self.admin.as_ref().map(|_| ("ADMIN_EMAIL", hidden())),
            (!listen.is_loopback()).then(|| ("LISTEN", self.listen.to_string())),
        ];
        match public.into_iter().flatten().next() {
            None => Ok(self),
            Some((name, value)) => Err(ConfigError {
                name,
                value,
                expected: "APP_ENV beside it, because in development, its default, demo accounts with public passwords \
                           are open",
                fix: "APP_ENV=production, or APP_ENV=development to open them",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    fn config(environment: &str, url: Option<&str>) -> Result<Config, ConfigError> {
        let config = Config {
            environment: environment.to_owned(),
            public_url: url.map(|url| PublicUrl::parse(url).unwrap()),
            ..Config::default()
        };
        config.checked()
    }

    #[test]
    fn cookies_are_secure_but_for_development_over_plain_http() {
        for (environment, url, transport) in [
            ("development", None, Transport::PlainHttp),
            (
                "development",
                Some("http://192.0.2.1:3000"),
                Transport::PlainHttp,
            ),
            ("development", Some("https://dev.example"), Transport::Https),
            ("production", None, Transport::Https),
            (
                "production",
                Some("https://tickets.example"),
                Transport::Https,
            ),
            ("staging", None, Transport::Https),
        ] {
            assert_eq!(config(environment, url).unwrap().transport(), transport);
        }
    }

    #[test]
    fn a_secure_cookie_over_declared_plain_http_is_refused() {
        for environment in ["production", "staging", "Development2"] {
            let error = config(environment, Some("http://tickets.example")).unwrap_err();
            assert!(error.to_string().contains("cookies are Secure"), "{error}");
        }
    }

    #[test]
    fn demo_accounts_are_for_development_alone() {
        for environment in ["production", "staging", "dev", "development2"] {
            assert_eq!(
                config(environment, None).unwrap().demo_accounts(),
                DemoAccounts::Closed
            );
        }
        assert_eq!(Config::default().demo_accounts(), DemoAccounts::Open);
    }
}
