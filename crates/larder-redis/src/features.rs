//! Finds out at connect which commands the server refuses, and logs what is lost without them.

use ::redis::{Pipeline, ServerError, Value};
use larder_store::{Error, ErrorKind, Refusal, Result};

use crate::operation::{Repeat, Request};
use crate::route::Route;

/// A hash that no script has.
const NO_SCRIPT: &str = "0000000000000000000000000000000000000000";

/// Something that works only with a command that many managed services refuse.
struct Feature {
    command: &'static str,
    lost: &'static str,
}

const CLIENT_INFO: Feature = Feature {
    command: "CLIENT INFO",
    lost: "hung connections are not closed on the server, so a write whose answer was lost may run later",
};

const CLIENT_KILL: Feature = Feature {
    command: "CLIENT KILL",
    lost: CLIENT_INFO.lost,
};

const PATTERNS: Feature = Feature {
    command: "PSUBSCRIBE",
    lost: "subscribing to a whole topic fails; only single channels work",
};

/// Tries the commands on one server that managed services refuse. One round trip.
///
/// A command that is not essential is logged, with the feature that is lost. Any other answer of the
/// server is not a reason to refuse it: only an operation that needs a command shows that it does not
/// work.
///
/// # Errors
/// [`Refusal::Denied`] if the server runs no scripts, without which larder cannot work.
pub(crate) async fn check(route: &Route) -> Result<()> {
    let servers = route.serving();
    let Some(server) = servers.iter().find(|server| server.is_up()) else {
        return Ok(());
    };
    let within = server.limits().connect_timeout;
    let mut asking = Pipeline::with_capacity(4);
    asking.cmd("EVALSHA").arg(NO_SCRIPT).arg(0);
    asking.cmd("CLIENT").arg("INFO");
    // No client has this id, so nothing is killed.
    asking.cmd("CLIENT").arg("KILL").arg("ID").arg(0);
    // Without a pattern it is an error in any case, but which error depends on the permission.
    asking.cmd("PSUBSCRIBE");
    let Ok(operation) = server.begin(Request::read("connect").within(within)) else {
        return Ok(());
    };
    let mut answers = operation.send_all(&asking, Repeat::Safe).await.into_iter();
    let mut refusal = || match answers.next() {
        Some(Ok(Value::ServerError(error))) => Refused::of(&error),
        _ => None,
    };
    let location = server.location();
    match refusal() {
        Some(Refused::Unknown) => return Err(no_scripts(location)),
        Some(Refused::Denied) => tracing::warn!(
            server = location,
            "this user may not run EVALSHA: limits, sessions, locks, queues and leases are refused; grant \
             +eval +evalsha"
        ),
        None => {}
    }
    for feature in [CLIENT_INFO, CLIENT_KILL, PATTERNS] {
        if refusal().is_some() {
            let Feature { command, lost } = feature;
            tracing::warn!(server = location, "the server refuses {command}: {lost}");
        }
    }
    Ok(())
}

/// How a server refuses a command.
enum Refused {
    /// The user may not run it.
    Denied,
    /// The server does not have it.
    Unknown,
}

impl Refused {
    fn of(error: &ServerError) -> Option<Self> {
        let details = error.details().unwrap_or_default().to_ascii_lowercase();
        match error.code() {
            "NOPERM" => Some(Self::Denied),
            "ERR" if is_unknown(&details) => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// Returns whether an error, in small letters, says that there is no such command.
pub(crate) fn is_unknown(details: &str) -> bool {
    details.contains("unknown command") || details.contains("unknown subcommand")
}

fn no_scripts(location: &str) -> Error {
    let text = format!(
        "{location} runs no scripts (EVALSHA), and larder's limits, sessions, locks, queues and leases are \
         scripts: use a server, or a plan of the service, that runs them"
    );
    Error::new("connect", ErrorKind::Refused(Refusal::Denied), text)
}
