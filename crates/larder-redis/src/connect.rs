//! From what an application gives to servers that have answered.

use std::sync::Arc;

use bb8_redis::RedisConnectionManager;
use larder_store::{Error, ErrorKind, Result};
use tokio::sync::Notify;

use crate::builder::RedisBuilder;
use crate::connection::{Address, Limits, Node, Sentinels, Source, SupervisedNode, Target};
use crate::endpoint::{Deadlines, Endpoint, Form};
use crate::route::Route;
use crate::store::RedisStore;
use crate::{cluster, handshake};

/// What an application gives.
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
    /// Reads an origin. The deadlines that it names are those of `limits` from then on.
    pub(crate) fn named_by(origin: Origin, limits: &mut Limits) -> Result<Self> {
        match origin {
            Origin::Pool(pool) => Ok(Self::Lent(pool)),
            Origin::Url(url) => {
                let endpoint = Endpoint::parse(&url)?;
                let Deadlines { operation, connect } = endpoint.deadlines;
                limits.deadline = operation.unwrap_or(limits.deadline);
                limits.connect_deadline = connect.unwrap_or(limits.connect_deadline);
                Ok(Self::At(endpoint))
            }
        }
    }

    /// The way to them, and how one logs in at any of them where that is up to us.
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

/// The servers of an endpoint, and how one logs in at any of them.
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
        Form::One => Target::Fixed(first),
        Form::Sentinel { master, login } => {
            let sentinels = infos.into_iter();
            let sentinels = sentinels.map(|info| at(info.set_redis_settings(login.clone())));
            let deadline = limits.connect_deadline;
            let watched = Sentinels::watch(master, sentinels.collect(), first, deadline);
            Target::Master(Arc::new(watched))
        }
        Form::Cluster => {
            let cluster = cluster::connect(location, infos, first, limits).await?;
            return Ok((Route::Cluster(cluster), template));
        }
    };
    let source = |supervisor| Source::own(target, &limits, supervisor);
    Ok((one(location, limits, source).await?, template))
}

/// One server, once it has answered.
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

/// Every public future of this crate can be spawned: it does not compile otherwise.
const _: fn() = || {
    fn can_be_spawned<A, F: Future + Send>(_: impl FnOnce(A) -> F) {}
    can_be_spawned::<&str, _>(RedisStore::connect);
    can_be_spawned(RedisBuilder::connect);
};
