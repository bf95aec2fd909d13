//! The settings, read once from the environment. A bad value stops the start, with a message that says how
//! to fix it.

mod admin;
mod allowed_hosts;
mod environment;
mod public_url;
mod rate;
mod span;
mod store_url;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use larder::Ttl;
use larder::rate_limit::{ProxyNets, Quota};

pub use self::admin::AdminAccount;
pub use self::environment::Operations;
pub(crate) use self::environment::{DemoAccounts, Transport};
pub use self::public_url::PublicUrl;
pub use self::store_url::StoreUrl;

/// All settings of the app. The defaults need no other software.
#[derive(Clone, Debug)]
pub struct Config {
    /// `LISTEN`: the address and port to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// `APP_ENV`: the name of the environment, which is part of every key in the store. In `development`, the
    /// default, demo accounts with public passwords are open.
    pub environment: String,
    /// `RATE_LIMIT`: how many requests each address may make.
    pub rate_limit: Quota,
    /// `SIGN_IN_LIMIT`: how many wrong passwords each address may try on an account.
    pub sign_in_limit: Quota,
    /// `SIGN_IN_BAN`: how long an address is banned that keeps trying after that.
    pub sign_in_ban: Ttl,
    /// `PUBLIC_URL`: the address that visitors' browsers use.
    pub public_url: Option<PublicUrl>,
    /// `ALLOWED_HOSTS`: other hosts that requests may be for.
    pub allowed_hosts: Vec<String>,
    /// `ADMIN_EMAIL` and `ADMIN_PASSWORD`: the administrator's account.
    pub admin: Option<AdminAccount>,
    /// `TRUSTED_PROXIES`: the networks of the proxies in front, whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Option<ProxyNets>,
    /// `STORE_URL`: the store of sessions, limits, held seats and cached pages.
    pub store_url: StoreUrl,
    /// `DATABASE_URL`: an sqlx URL of SQLite.
    pub database_url: String,
    /// `HOLD_FOR`: how long a seat is held for a visitor who has chosen it.
    pub hold_for: Ttl,
    /// `REAUTH_AFTER`: how recent a sign-in must be to change the email of an account or to use the operators' page.
    pub reauth_after: Ttl,
    /// `MAIL_DIR`: the directory in which letters are delivered, a maildir.
    pub mail_dir: PathBuf,
    /// `REMIND_EVERY`: how often to look for visitors who should be reminded of their showing.
    pub remind_every: Duration,
    /// `RUST_LOG`: which spans and events are logged, as a `tracing-subscriber` filter.
    pub log: String,
    /// `LOG_FORMAT`: the format of the log lines.
    pub log_format: LogFormat,
    /// `OPERATIONS`: whether metrics are kept and shown, to Prometheus and to administrators.
    pub operations: Operations,
    /// `REQUEST_TIMEOUT`: how long a request may take before the answer is 503, and how long a form may
    /// take to arrive before the answer is 408.
    pub request_timeout: Duration,
    /// `DRAIN`: how long requests in flight may continue after the signal to stop.
    pub drain: Duration,
}

/// An environment variable has a value that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name} is {value:?}, expected {expected}; set {fix}, or unset {name} for the default")]
pub struct ConfigError {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) expected: &'static str,
    pub(crate) fix: &'static str,
}

/// The format of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 3000)),
            environment: "development".to_owned(),
            rate_limit: Quota::per_minute(120),
            sign_in_limit: Quota::per_hour(20).with_burst(5),
            sign_in_ban: Ttl::from_secs(3600),
            public_url: None,
            allowed_hosts: Vec::new(),
            admin: None,
            trusted_proxies: None,
            store_url: StoreUrl::memory(),
            database_url: "sqlite://target/matinee.db".to_owned(),
            hold_for: Ttl::from_secs(300),
            reauth_after: Ttl::from_secs(600),
            mail_dir: "target/mail".into(),
            remind_every: Duration::from_secs(300),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            operations: Operations::On,
            request_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Reads the environment. A variable that is not set has its default.
    ///
    /// # Errors
    ///
    /// If a variable has a value that cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into()))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| {
            lookup(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };
        let mut config = Self::default();
        if let Some(value) = set("LISTEN") {
            config.listen = value.parse().map_err(|_| ConfigError {
                name: "LISTEN",
                value,
                expected: "an IP address and a port",
                fix: "LISTEN=127.0.0.1:3000, or LISTEN=[::1]:3000 for IPv6",
            })?;
        }
        if let Some(value) = set("STORE_URL") {
            config.store_url = StoreUrl::parse(&value)?;
        }
        if let Some(value) = set("APP_ENV") {
            if larder::Namespace::new(&value, "matinee").is_err() {
                return Err(ConfigError {
                    name: "APP_ENV",
                    value,
                    expected: "1 to 32 of a-z, 0-9, '-', '_' and '.'",
                    fix: "APP_ENV=production",
                });
            }
            config.environment = value;
        }
        if let Some(value) = set("RATE_LIMIT") {
            config.rate_limit = rate::parse("RATE_LIMIT", &value, "RATE_LIMIT=120/minute")?;
        }
        if let Some(value) = set("SIGN_IN_LIMIT") {
            let fix = "SIGN_IN_LIMIT=5/15minutes";
            config.sign_in_limit = rate::parse("SIGN_IN_LIMIT", &value, fix)?;
        }
        if let Some(value) = set("SIGN_IN_BAN") {
            config.sign_in_ban = span::parse("SIGN_IN_BAN", &value, "SIGN_IN_BAN=1h")?;
        }
        if let Some(value) = set("PUBLIC_URL") {
            config.public_url = Some(PublicUrl::parse(&value)?);
        }
        if let Some(value) = set("ALLOWED_HOSTS") {
            config.allowed_hosts = allowed_hosts::parse(&value)?;
        }
        config.admin = AdminAccount::parse(set("ADMIN_EMAIL"), set("ADMIN_PASSWORD"))?;
        if let Some(value) = set("TRUSTED_PROXIES") {
            config.trusted_proxies = Some(value.parse().map_err(|_| ConfigError {
                name: "TRUSTED_PROXIES",
                value,
                expected: "the networks of your own proxies, separated by commas",
                fix: "TRUSTED_PROXIES=10.0.0.0/8,192.0.2.1",
            })?);
        }
        if let Some(value) = set("DATABASE_URL") {
            config.database_url = sqlite_url(value)?;
        }
        if let Some(value) = set("HOLD_FOR") {
            config.hold_for = span::parse("HOLD_FOR", &value, "HOLD_FOR=5m")?;
        }
        if let Some(value) = set("REAUTH_AFTER") {
            config.reauth_after = span::parse("REAUTH_AFTER", &value, "REAUTH_AFTER=10m")?;
        }
        if let Some(value) = set("MAIL_DIR") {
            config.mail_dir = value.into();
        }
        if let Some(value) = set("REMIND_EVERY") {
            let every = span::parse("REMIND_EVERY", &value, "REMIND_EVERY=5m")?;
            config.remind_every = every.into();
        }
        if let Some(value) = set("OPERATIONS") {
            config.operations = match value.as_str() {
                "on" => Operations::On,
                "off" => Operations::Off,
                _ => {
                    return Err(ConfigError {
                        name: "OPERATIONS",
                        value,
                        expected: "on or off",
                        fix: "OPERATIONS=on",
                    });
                }
            };
        }
        if let Some(value) = set("REQUEST_TIMEOUT") {
            let timeout = span::parse("REQUEST_TIMEOUT", &value, "REQUEST_TIMEOUT=10s")?;
            config.request_timeout = timeout.into();
        }
        if let Some(value) = set("DRAIN") {
            config.drain = span::parse("DRAIN", &value, "DRAIN=10s")?.into();
        }
        if let Some(value) = set("RUST_LOG") {
            config.log = crate::logs::checked_filter(value)?;
        }
        if let Some(value) = set("LOG_FORMAT") {
            config.log_format = match value.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => {
                    return Err(ConfigError {
                        name: "LOG_FORMAT",
                        value,
                        expected: "text or json",
                        fix: "LOG_FORMAT=text",
                    });
                }
            };
        }
        let config = config.checked()?;
        match set("APP_ENV") {
            Some(_) => Ok(config),
            None => config.checked_without_a_name(),
        }
    }
}

/// Parses an SQLite URL that names a file, or the database in memory.
fn sqlite_url(value: String) -> Result<String, ConfigError> {
    let path = value.strip_prefix("sqlite:").unwrap_or_default();
    let path = path.strip_prefix("//").unwrap_or(path);
    // Without a name, each connection of the pool would get an empty database of its own.
    if !path.is_empty() && !path.starts_with('?') {
        return Ok(value);
    }
    Err(ConfigError {
        name: "DATABASE_URL",
        // A URL of another database may contain a password, and so may a value that is not a URL.
        value: value
            .split_once("://")
            .map_or_else(|| "…".to_owned(), |(scheme, _)| format!("{scheme}://…")),
        expected: "an sqlx URL of SQLite with a file",
        fix: "DATABASE_URL=sqlite://target/matinee.db",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &'static str, value: &'static str) -> Result<Config, ConfigError> {
        Config::from_lookup(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn an_empty_environment_gives_the_defaults() {
        let config = Config::from_lookup(|_| None).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:3000");
        assert_eq!(config.store_url.to_string(), "memory://");
        assert_eq!(config.database_url, "sqlite://target/matinee.db");
    }

    #[test]
    fn an_empty_value_counts_as_not_set() {
        assert_eq!(parse("LISTEN", " ").unwrap().listen.port(), 3000);
    }

    #[test]
    fn demo_accounts_are_opened_to_the_public_only_on_demand() {
        let read = |settings: &[(&str, &str)]| {
            let value = |asked: &str| settings.iter().find(|(name, _)| *name == asked);
            Config::from_lookup(|asked| value(asked).map(|(_, value)| (*value).to_owned()))
        };
        let admin = [
            ("ADMIN_EMAIL", "boss@cinema.example"),
            ("ADMIN_PASSWORD", "correct horse battery"),
        ];
        for settings in [
            &[("LISTEN", "0.0.0.0:3000")][..],
            &[("LISTEN", "[::]:3000")],
            &[("PUBLIC_URL", "https://tickets.example")],
            &[("TRUSTED_PROXIES", "10.0.0.0/8")],
            &admin,
        ] {
            let text = read(settings).unwrap_err().to_string();
            assert!(text.starts_with(settings[0].0), "{text}");
            for part in ["demo accounts", "APP_ENV=production", "APP_ENV=development"] {
                assert!(text.contains(part), "{text}");
            }
            for environment in ["production", "development"] {
                read(&[settings, &[("APP_ENV", environment)]].concat()).unwrap();
            }
        }
        for setting in [
            ("LISTEN", "127.0.0.2:80"),
            ("LISTEN", "[::1]:3000"),
            ("LISTEN", "[::ffff:127.0.0.1]:3000"),
            ("PUBLIC_URL", "http://localhost:3000"),
        ] {
            read(&[setting]).unwrap();
        }
    }

    #[test]
    fn a_bad_value_is_named_with_what_was_expected_and_the_fix() {
        for (name, value) in [
            ("LISTEN", "localhost"),
            ("APP_ENV", "Production!"),
            ("RATE_LIMIT", "plenty"),
            ("SIGN_IN_LIMIT", "plenty"),
            ("SIGN_IN_BAN", "2h"),
            ("PUBLIC_URL", "tickets.example"),
            ("ALLOWED_HOSTS", "http://inside:3000"),
            ("TRUSTED_PROXIES", "0.0.0.0/0"),
            ("STORE_URL", "redis"),
            ("DATABASE_URL", "mysql://root:secret@db/films"),
            ("DATABASE_URL", "secret"),
            ("DATABASE_URL", "sqlite:"),
            ("DATABASE_URL", "sqlite://?mode=rw"),
            ("HOLD_FOR", "a while"),
            ("REMIND_EVERY", "2h"),
            ("OPERATIONS", "maybe"),
            ("REQUEST_TIMEOUT", "0s"),
            ("DRAIN", "soon"),
            ("RUST_LOG", "info,=,="),
            ("LOG_FORMAT", "xml"),
        ] {
            let text = parse(name, value).unwrap_err().to_string();
            assert!(text.starts_with(name), "{text}");
            assert!(
                text.contains("expected") && text.contains(&format!("{name}=")),
                "{text}"
            );
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
