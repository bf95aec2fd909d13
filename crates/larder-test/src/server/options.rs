//! How a server is started.

use super::config;
use super::error::StartError;
use super::redis::RedisServer;

/// How a [`RedisServer`] is started: by default on a free port, without a password, and without
/// writing to disk.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) program: String,
    pub(super) port: Option<u16>,
    pub(super) password: Option<String>,
    pub(super) users: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
}

impl RedisOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            program: "redis-server".to_owned(),
            port: None,
            password: None,
            users: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// Runs this program in place of `redis-server`, by name or by path; `valkey-server`, say.
    #[must_use]
    pub fn with_program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Listens on this port in place of a free one.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Asks this password of the default user; it is in the server's URLs.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Adds an ACL user with its rules as in `ACL SETUSER`, such as `on >secret ~prod:* +@read`.
    ///
    /// With a user of one's own the server gets one more, `larder-harness`, so that
    /// [`RedisServer::command`] works even where the default user is switched off.
    #[must_use]
    pub fn with_user(mut self, name: impl Into<String>, rules: impl Into<String>) -> Self {
        self.users.push((name.into(), rules.into()));
        self
    }

    /// Adds a line of `redis.conf`: `("maxmemory", "2mb")`. A later line overrides an earlier one.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts the server, and returns it once it answers.
    ///
    /// # Errors
    ///
    /// When the program is missing, the port is taken, a setting is refused, or the server does not
    /// answer within twenty seconds.
    pub fn start(self) -> Result<RedisServer, StartError> {
        RedisServer::start_with(self)
    }

    /// Who the harness itself is on this server: a user and a password.
    pub(super) fn harness_login(&self) -> Option<(&str, &str)> {
        match (&self.password, self.users.is_empty()) {
            (_, false) => Some((config::HARNESS, config::HARNESS)),
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
