//! Connects to the servers that an app names.

use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use bb8_redis::RedisConnectionManager;
use larder_store::{Error, ErrorKind, Refusal, Result};
use tokio::sync::Notify;

use crate::connection::Address;
use crate::endpoint::{Endpoint, ServerKind, Timeouts};
use crate::node::{Confirmation, Limits, Node, SupervisedNode};
use crate::operation::{Repeat, Request};
use crate::route::Route;
use crate::sentinels::Sentinels;
use crate::source::{Source, Target};
use crate::{classify, cluster, handshake};

/// The URL or the pool with which an app connects.
pub(crate) enum Origin {
    Url(String),
    Pool(bb8::Pool<RedisConnectionManager>),
}

/// The servers that an origin names.
pub(crate) enum Servers {
    At(Endpoint),
    Lent(bb8::Pool<RedisConnectionManager>),
}

impl Servers {
    /// Reads an origin, and sets the deadlines that it names in `limits`.
    pub(crate) fn named_by(origin: Origin, limits: &mut Limits) -> Result<Self> {
        match origin {
            Origin::Pool(pool) => Ok(Self::Lent(pool)),
            Origin::Url(url) => {
                let endpoint = Endpoint::parse(&url)?;
                let Timeouts { operation, connect } = endpoint.timeouts;
                limits.timeout = operation.unwrap_or(limits.timeout);
                limits.connect_timeout = connect.unwrap_or(limits.connect_timeout);
                Ok(Self::At(endpoint))
            }
        }
    }

    /// Connects, and returns the route and the login of its servers, if it is ours.
    pub(crate) async fn connect(self, limits: Limits) -> Result<(Route, Option<Address>)> {
        match self {
            Self::Lent(pool) => {
                let location = "redis:// (a pool of the app)".into();
                let route = one(location, limits, |_| Source::Lent(pool)).await?;
                Ok((route, None))
            }
            Self::At(endpoint) => {
                let (route, template) = at(endpoint, limits).await?;
                Ok((route, Some(template)))
            }
        }
    }
}

/// Connects to the servers of an endpoint, and returns the login for any of them.
async fn at(endpoint: Endpoint, limits: Limits) -> Result<(Route, Address)> {
    let Endpoint {
        infos,
        form,
        tls,
        location,
        ..
    } = endpoint;
    let location = Arc::from(location);
    let at = |info| Address {
        info,
        tls: tls.clone(),
    };
    let Some(first) = infos.first().cloned().map(at) else {
        let text = "the store URL names no server";
        return Err(Error::new("connect", ErrorKind::Invalid, text));
    };
    let template = first.clone();
    let target = match form {
        ServerKind::One => Target::Fixed(first),
        ServerKind::Sentinel { master, login } => {
            let sentinels = infos.into_iter();
            let sentinels = sentinels.map(|info| at(info.set_redis_settings(login.clone())));
            let deadline = limits.connect_timeout;
            let watched = Sentinels::watch(master, sentinels.collect(), first, deadline);
            Target::Master(Arc::new(watched))
        }
        ServerKind::Cluster => {
            let cluster = cluster::connect(location, infos, first, limits).await?;
            return Ok((Route::Cluster(cluster), template));
        }
    };
    let source = |supervisor| Source::own(target, limits.connect_timeout, supervisor);
    Ok((one(location, limits, source).await?, template))
}

/// Connects to one server.
async fn one(
    location: Arc<str>,
    limits: Limits,
    source: impl FnOnce(Arc<Notify>) -> Source,
) -> Result<Route> {
    let supervisor = Arc::new(Notify::new());
    let source = source(supervisor.clone());
    let node = Arc::new(Node::new(location, limits, source, supervisor));
    handshake::connect(&node, handshake::Mode::Alone).await?;
    Ok(Route::One(Arc::new(SupervisedNode::new(node))))
}

/// Checks that `WAIT` works, because each write will need it.
///
/// Having too few replicas now is not an error: they come and go.
pub(crate) async fn check_replicas(route: &Route, replicas: Confirmation) -> Result<()> {
    let servers = route.serving();
    let Some(server) = servers.iter().find(|server| server.is_up()) else {
        return Ok(());
    };
    let operation =
        server.begin(Request::read("connect").within(server.limits().connect_timeout))?;
    let Confirmation { number, within } = replicas;
    // How many there are needs no wait: nothing was written on the connection.
    let asking = Confirmation {
        within: Duration::from_millis(1),
        ..replicas
    };
    match operation.send(&asking.wait(), Repeat::Safe).await? {
        Value::Int(there) if there < i64::from(number.get()) => {
            tracing::warn!(
                server = server.location(),
                there,
                wanted = number.get(),
                ?within,
                "too few replicas: writes fail until there are more"
            );
            Ok(())
        }
        Value::ServerError(refused) if refused.code() == "NOPERM" => {
            let location = server.location();
            let text = format!(
                "writes need confirmation by replicas, but this user of {location} may not run \
                 WAIT: grant +wait"
            );
            Err(Error::new(
                "connect",
                ErrorKind::Refused(Refusal::Denied),
                text,
            ))
        }
        Value::ServerError(refused) => Err(classify::refused("connect", &refused)),
        _ => Ok(()),
    }
}
