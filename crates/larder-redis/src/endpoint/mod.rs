//! Parses the URL of a store.

mod error;
mod login;
mod parameters;
mod settings;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::time::Duration;

use ::redis::{
    ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisResult,
};
use larder_store::Result;

use crate::tls::Tls;
use error::invalid;
use login::Login;
use parameters::Parameters;

/// The servers that a URL names, and how to connect to them.
///
/// It has no `Debug`, since the connection infos hold the password.
pub(crate) struct Endpoint {
    /// The server, the seeds of the cluster, or the sentinels; at least one.
    pub(crate) infos: Vec<ConnectionInfo>,
    pub(crate) form: ServerKind,
    pub(crate) tls: Option<Tls>,
    /// The URL without user, password and parameters.
    pub(crate) location: String,
    pub(crate) timeouts: Timeouts,
}

/// The timeouts that a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeouts {
    pub(crate) operation: Option<Duration>,
    pub(crate) connect: Option<Duration>,
}

/// The kind of servers behind the URL.
pub(crate) enum ServerKind {
    One,
    Cluster,
    /// The infos hold the login of the master, and `login` that of the sentinels.
    Sentinel {
        master: String,
        login: RedisConnectionInfo,
    },
}

/// The maximum number of hosts in a URL. They are only starting points: the others are found.
const MOST_HOSTS: usize = 64;

/// The port of a sentinel whose URL names none.
const SENTINEL_PORT: u16 = 26379;

/// Lists the characters that must be encoded in a user or a password.
macro_rules! encoded {
    ($form:literal) => {
        concat!(
            $form,
            "; in a user, a password or a parameter write '%', '#', '/', '?', '@', ':' and '&' as \
             %25, %23, %2F, %3F, %40, %3A and %26"
        )
    };
}

const ONE: &str = encoded!(
    "expected redis://[[user]:password@]host[:port][/database], or rediss:// for TLS, or \
     unix:///path[?user=…&pass=…&db=…]"
);

const CLUSTER: &str = encoded!(
    "expected redis+cluster://[[user]:password@]host[:port],host[:port],…, or rediss+cluster:// \
     for TLS"
);

const SENTINEL: &str = encoded!(
    "expected redis+sentinel://[[user]:password@]host[:port],host[:port],…/\
     name-of-the-master[/database][?sentinel_user=…&sentinel_pass=…], or rediss+sentinel:// for TLS"
);

impl Endpoint {
    /// Reads a URL.
    ///
    /// Errors contain at most the scheme: the rest of a malformed URL may be a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid("has no scheme", ONE));
        };
        // Schemes of URLs have no case.
        let scheme = scheme.to_ascii_lowercase();
        let scheme = scheme.replacen("valkey", "redis", 1);
        let (transport, form) = scheme.split_once('+').unwrap_or((&scheme, ""));
        let expected = match (transport, form) {
            ("redis" | "rediss", "") | ("redis", "unix") | ("unix", "") => ONE,
            ("redis" | "rediss", "cluster") => CLUSTER,
            ("redis" | "rediss", "sentinel") => SENTINEL,
            _ => return Err(invalid("has a scheme that is not one of Redis", ONE)),
        };
        if rest.contains('#') {
            return Err(invalid("has a fragment", expected));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parameters = Parameters::parse(query, expected)?;
        let protocol = settings::protocol(parameters.take("protocol")?.as_deref());
        let protocol = protocol
            .ok_or_else(|| invalid("asks for a protocol that is not resp2 or resp3", expected))?;
        let read = Reader {
            protocol,
            is_tls: transport == "rediss",
            expected,
        };
        let tls = match read.is_tls {
            true => Some(Tls::new(
                parameters.take("ca")?.as_deref(),
                parameters.take("cert")?.as_deref(),
                parameters.take("key")?.as_deref(),
            )?),
            false => None,
        };
        let timeouts = Timeouts {
            operation: parameters.take_millis("timeout_ms")?,
            connect: parameters.take_millis("connect_timeout_ms")?,
        };
        let (infos, location, form) = match (transport, form) {
            ("unix", _) | (_, "unix") => read.socket(rest, &mut parameters)?,
            (_, "cluster") => read.cluster(rest)?,
            (_, "sentinel") => read.sentinel(rest, &mut parameters)?,
            _ => read.one(rest)?,
        };
        parameters.check_that_all_were_taken()?;
        Ok(Self {
            infos,
            form,
            tls,
            location,
            timeouts,
        })
    }
}

type Named = (Vec<ConnectionInfo>, String, ServerKind);

struct Reader {
    protocol: ProtocolVersion,
    is_tls: bool,
    expected: &'static str,
}

impl Reader {
    fn one(&self, rest: &str) -> Result<Named> {
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, host) = self.login(authority)?;
        let info = self.info(host, database, &login)?;
        let location = settings::location(&info, self.is_tls);
        Ok((vec![info], location, ServerKind::One))
    }

    fn socket(&self, path: &str, parameters: &mut Parameters<'_>) -> Result<Named> {
        let path = path.strip_prefix("localhost").unwrap_or(path);
        if !path.starts_with('/') {
            return Err(invalid("names no absolute path of a socket", self.expected));
        }
        let names = ["user", "pass"];
        let (user, password) = (parameters.take("user")?, parameters.take("pass")?);
        let login = Login::in_parameters(user, password, names, self.expected)?;
        let database = parameters.take("db")?.unwrap_or_else(|| "0".to_owned());
        let database = database
            .parse()
            .map_err(|_| invalid(NO_DATABASE, self.expected))?;
        let path = ConnectionAddr::Unix(login::decode(path, self.expected)?.into());
        let info = self.settle(path.into_connection_info(), &login)?;
        let in_database = info.redis_settings().clone().set_db(database);
        let info = info.set_redis_settings(in_database);
        let location = settings::location(&info, false);
        Ok((vec![info], location, ServerKind::One))
    }

    fn cluster(&self, rest: &str) -> Result<Named> {
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(database, "" | "0") {
            return Err(invalid(
                "names a database, and a cluster has no other than 0",
                self.expected,
            ));
        }
        let infos = self.hosts(authority, "", None)?;
        let location = settings::location_of_many("redis+cluster", self.is_tls, &infos);
        Ok((infos, location, ServerKind::Cluster))
    }

    fn sentinel(&self, rest: &str, parameters: &mut Parameters<'_>) -> Result<Named> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if master.is_empty() || !master.bytes().all(is_name) {
            return Err(invalid("does not name the master", self.expected));
        }
        let infos = self.hosts(authority, database, Some(SENTINEL_PORT))?;
        let names = ["sentinel_user", "sentinel_pass"];
        let (user, password) = (parameters.take(names[0])?, parameters.take(names[1])?);
        let login = Login::in_parameters(user, password, names, self.expected)?;
        let many = settings::location_of_many("redis+sentinel", self.is_tls, &infos);
        let location = format!("{many}/{master}");
        let form = ServerKind::Sentinel {
            master: master.to_owned(),
            login: login.settings(ProtocolVersion::RESP3),
        };
        Ok((infos, location, form))
    }

    /// Reads several hosts. Those without a port have `port`, or that of a server.
    fn hosts(
        &self,
        authority: &str,
        database: &str,
        port: Option<u16>,
    ) -> Result<Vec<ConnectionInfo>> {
        let (login, hosts) = self.login(authority)?;
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.len() > MOST_HOSTS {
            return Err(invalid("names more than 64 hosts", self.expected));
        }
        let hosts = hosts.into_iter();
        hosts
            .map(|host| match port.filter(|_| has_no_port(host)) {
                Some(port) => self.info(&format!("{host}:{port}"), database, &login),
                None => self.info(host, database, &login),
            })
            .collect()
    }

    /// Splits the login from the hosts.
    fn login<'a>(&self, authority: &'a str) -> Result<(Login, &'a str)> {
        let Some((login, hosts)) = authority.split_once('@') else {
            return Ok((Login::default(), authority));
        };
        if hosts.contains('@') {
            return Err(invalid(
                "has more than one '@': name the user once, before the first host",
                self.expected,
            ));
        }
        Ok((Login::before_the_hosts(login, self.expected)?, hosts))
    }

    fn info(&self, host: &str, database: &str, login: &Login) -> Result<ConnectionInfo> {
        let url = format!("redis://{host}/{database}");
        self.settle(ConnectionInfo::from_str(&url), login)
    }

    fn settle(&self, info: RedisResult<ConnectionInfo>, login: &Login) -> Result<ConnectionInfo> {
        let info = info.map_err(|error| {
            // The text of the error is one of a few constants, but its details are not.
            let what = match error.to_string() {
                text if text.contains("database") => NO_DATABASE,
                text if text.contains("wildcard") => "names every address of this machine",
                text if text.contains("hostname") => "has no host",
                _ => "does not parse",
            };
            invalid(what, self.expected)
        })?;
        Ok(settings::settle(info, login.settings(self.protocol)))
    }
}

/// Returns whether a host comes without a port. An IPv6 address has its colons in brackets.
fn has_no_port(host: &str) -> bool {
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    !host.is_empty() && !after.contains(':')
}

const NO_DATABASE: &str = "has a database that is not a number";
