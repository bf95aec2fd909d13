use std::sync::Arc;

use ::redis::ConnectionInfo;

use super::sentinels::Sentinels;
use crate::tls::Tls;

/// One server: where it is, who logs in there, and whether by TLS.
#[derive(Clone)]
pub(crate) struct Address {
    pub(crate) info: ConnectionInfo,
    pub(crate) tls: Option<Tls>,
}

/// Where the connections of a node lead.
#[derive(Clone)]
pub(crate) enum Target {
    /// To one server, whatever becomes of it.
    Fixed(Address),
    /// To one server of a cluster, to read what it has of its master.
    ClusterReplica(Address),
    /// To the one that the sentinels call the master at the moment.
    Master(Arc<Sentinels>),
}
