//! The options of a server.

use super::acl::AclUser;
use super::error::StartError;
use super::quoted::quoted;
#[cfg(feature = "tls")]
use super::tls::TlsOptions;

/// The user name of the harness's own user, and also its password.
pub(super) const HARNESS: &str = "larder-harness";

/// The kind of server that a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Server,
    ClusterNode,
    Sentinel,
}

/// The options of a [`RedisServer`](super::RedisServer).
///
/// Defaults: a free port, no password, and no data on disk.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) mode: Mode,
    pub(super) program: String,
    pub(super) port: Option<u16>,
    pub(super) password: Option<String>,
    pub(super) users: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsOptions>,
}

impl RedisOptions {
    /// Makes the default options. The program is that of the variable `REDIS_SERVER`, or `redis-server`.
    pub fn new() -> Self {
        let program = std::env::var("REDIS_SERVER").ok();
        Self {
            mode: Mode::Server,
            program: program.unwrap_or_else(|| "redis-server".to_owned()),
            port: None,
            password: None,
            users: Vec::new(),
            settings: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Runs another program than `redis-server`, by name or path, such as `valkey-server`.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Listens on this port instead of a free one.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets a password of the default user. The URLs of the server include it.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Adds an ACL user with the rules of `ACL SETUSER`.
    ///
    /// An example is `on >secret ~prod:* +@read`.
    ///
    /// The server then also has a user `larder-harness`, so that
    /// [`RedisServer::command`](super::RedisServer::command) works even if the default user is disabled.
    #[must_use]
    pub fn with_user(mut self, name: impl Into<String>, rules: impl Into<String>) -> Self {
        self.users.push((name.into(), rules.into()));
        self
    }

    /// Adds an [`AclUser`].
    ///
    /// [`RedisServer::url_as`](super::RedisServer::url_as) returns the URL for it. Like
    /// [`with_user`](Self::with_user), this adds the user `larder-harness`.
    #[must_use]
    pub fn with_acl_user(self, user: AclUser) -> Self {
        let rules = user.rules();
        self.with_user(user.name, rules)
    }

    /// Disables the default user, so that clients must log in.
    #[must_use]
    pub fn with_default_user_off(self) -> Self {
        self.with_user("default", "off")
    }

    /// Speaks only TLS on the TCP port. The URLs are then `rediss://…`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(mut self, tls: TlsOptions) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a line of `redis.conf`, such as `("maxmemory", "2mb")`.
    ///
    /// A later line overrides an earlier one.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    pub(super) fn speaks_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Returns these options for one of several servers, such as a node of a cluster.
    ///
    /// A port is refused, because each server needs its own.
    pub(super) fn in_company(mut self) -> Result<Self, StartError> {
        if self.port.is_some() {
            let what = "several servers cannot share one port: do not set a port in their options";
            return Err(StartError::Unsupported { what });
        }
        let mut settings = vec![
            // A replica gets its master's data at once, without a pause to wait for other replicas.
            ("repl-diskless-sync".to_owned(), "yes".to_owned()),
            ("repl-diskless-sync-delay".to_owned(), "0".to_owned()),
        ];
        if let Some((user, password)) = self.harness_login() {
            if user != "default" {
                settings.push(("masteruser".to_owned(), user.to_owned()));
            }
            settings.push(("masterauth".to_owned(), quoted(password)));
        }
        // The settings of the test come last, so that they override these.
        settings.append(&mut self.settings);
        self.settings = settings;
        Ok(self)
    }

    /// Returns the options of the sentinels: only the program and TLS.
    pub(super) fn of_sentinels(&self) -> Self {
        Self {
            mode: Mode::Sentinel,
            program: self.program.clone(),
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            ..Self::new()
        }
    }

    /// Returns the user and password of the harness on this server.
    pub(super) fn harness_login(&self) -> Option<(&str, &str)> {
        match (&self.password, self.users.is_empty()) {
            (_, false) => Some((HARNESS, HARNESS)),
            (Some(password), true) => Some(("default", password)),
            (None, true) => None,
        }
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self::new()
    }
}
