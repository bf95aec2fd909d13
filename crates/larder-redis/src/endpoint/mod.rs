//! What the URL of a store names.

mod parameters;
mod settings;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::time::Duration;

use ::redis::{ConnectionInfo, RedisConnectionInfo};
use larder_store::{Error, ErrorKind, Result};

use crate::tls::Tls;
use parameters::Parameters;

/// The servers that a URL names, and how to speak to them.
///
/// It has no `Debug`, since the connection infos hold the password.
pub(crate) struct Endpoint {
    /// The server, the first nodes of the cluster that are tried, or the sentinels; at least one.
    pub(crate) infos: Vec<ConnectionInfo>,
    pub(crate) form: Form,
    pub(crate) tls: Option<Tls>,
    /// The URL without user, password and parameters.
    pub(crate) location: String,
    pub(crate) deadlines: Deadlines,
}

/// The deadlines that a URL names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    pub(crate) operation: Option<Duration>,
    pub(crate) connect: Option<Duration>,
}

/// What the servers are.
pub(crate) enum Form {
    One,
    Cluster,
    /// The infos log in at the master; `login` is what the sentinels want.
    Sentinel {
        master: String,
        login: RedisConnectionInfo,
    },
}

/// The most hosts that a URL may name. Each of them is one to begin with: the others are found.
const MOST_HOSTS: usize = 64;

const ONE: &str = "expected redis://[[user]:password@]host[:port][/database], or rediss:// for TLS, \
                   or unix:///path[?user=…&pass=…&db=…], with '#', '/', '?' and '@' in a user or \
                   password written as %23, %2F, %3F and %40";

const CLUSTER: &str = "expected redis+cluster://[[user]:password@]host[:port],host[:port],…, or \
                       rediss+cluster:// for TLS";

const SENTINEL: &str = "expected redis+sentinel://[[user]:password@]host[:port],host[:port],…/\
                        name-of-the-master[/database][?sentinel_user=…&sentinel_pass=…], or \
                        rediss+sentinel:// for TLS";

impl Endpoint {
    /// Reads a URL.
    ///
    /// Errors name the scheme at most: the rest of what was meant as a URL may be a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(invalid("has no scheme", ONE));
        };
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
        let read = Reader {
            protocol: parameters.take("protocol")?,
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
        let deadlines = Deadlines {
            operation: parameters.take_millis("deadline_ms")?,
            connect: parameters.take_millis("connect_deadline_ms")?,
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
            deadlines,
        })
    }
}

type Named = (Vec<ConnectionInfo>, String, Form);

struct Reader {
    protocol: Option<String>,
    is_tls: bool,
    expected: &'static str,
}

impl Reader {
    fn one(&self, rest: &str) -> Result<Named> {
        let info = self.info(rest, None)?;
        let location = settings::location(&info, self.is_tls);
        Ok((vec![info], location, Form::One))
    }

    fn socket(&self, path: &str, parameters: &mut Parameters<'_>) -> Result<Named> {
        // The client reads these itself.
        let query = parameters.take_raw(&["user", "pass", "db"]);
        let url = format!("unix://{path}?{query}");
        let info = self.settle(ConnectionInfo::from_str(&url))?;
        let location = settings::location(&info, false);
        Ok((vec![info], location, Form::One))
    }

    fn cluster(&self, rest: &str) -> Result<Named> {
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        if !matches!(database, "" | "0") {
            return Err(invalid(
                "names a database, and a cluster has no other than 0",
                self.expected,
            ));
        }
        let infos = self.hosts(authority, "")?;
        let location = settings::location_of_many("redis+cluster", self.is_tls, &infos);
        Ok((infos, location, Form::Cluster))
    }

    fn sentinel(&self, rest: &str, parameters: &mut Parameters<'_>) -> Result<Named> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (master, database) = path.split_once('/').unwrap_or((path, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if master.is_empty() || !master.bytes().all(is_name) {
            return Err(invalid("does not name the master", self.expected));
        }
        let infos = self.hosts(authority, database)?;
        let (user, password) = (
            parameters.take("sentinel_user")?,
            parameters.take("sentinel_pass")?,
        );
        let many = settings::location_of_many("redis+sentinel", self.is_tls, &infos);
        let location = format!("{many}/{master}");
        let form = Form::Sentinel {
            master: master.to_owned(),
            login: settings::login(user, password),
        };
        Ok((infos, location, form))
    }

    fn hosts(&self, authority: &str, database: &str) -> Result<Vec<ConnectionInfo>> {
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let hosts: Vec<_> = hosts.split(',').collect();
        if hosts.len() > MOST_HOSTS {
            return Err(invalid("names more than 64 hosts", self.expected));
        }
        let one = |host: &&str| self.info(&format!("{host}/{database}"), user);
        hosts.iter().map(one).collect()
    }

    fn info(&self, rest: &str, user: Option<&str>) -> Result<ConnectionInfo> {
        let at = if user.is_some() { "@" } else { "" };
        let url = format!("redis://{}{at}{rest}", user.unwrap_or_default());
        self.settle(ConnectionInfo::from_str(&url))
    }

    fn settle(&self, info: ::redis::RedisResult<ConnectionInfo>) -> Result<ConnectionInfo> {
        let info = info.map_err(|error| {
            // The text of the error is one of a few constants, but the detail behind it is not.
            let what = match error.to_string() {
                text if text.contains("database") => "has a database that is no number",
                text if text.contains("wildcard") => "names every address of this machine",
                text if text.contains("hostname") => "has no host",
                _ => "does not parse",
            };
            invalid(what, self.expected)
        })?;
        settings::settle(info, self.protocol.as_deref()).ok_or_else(|| {
            invalid(
                "asks for a protocol that is not resp2 or resp3",
                self.expected,
            )
        })
    }
}

/// The error of a URL that is none.
fn invalid(what: &str, expected: &str) -> Error {
    Error::new(
        "connect",
        ErrorKind::Invalid,
        format!("the store URL {what}: {expected}"),
    )
}
