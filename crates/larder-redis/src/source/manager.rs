use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Value, cmd};
use bb8::ManageConnection;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::connection::{Address, ConnectError, Connection, Health, dial};
use crate::sentinels::Sentinels;

/// The server that the connections of a node lead to.
#[derive(Clone)]
pub(crate) enum Target {
    /// One server at a fixed address.
    Fixed(Address),
    /// A replica of a cluster, switched to `READONLY`.
    ClusterReplica(Address),
    /// The server that the sentinels currently name as the master.
    Master(Arc<Sentinels>),
}

/// Makes the connections of our own bb8 pool, and reports which of them broke.
///
/// Validity is one atomic read, so the pool tests at each checkout without a round trip.
pub(crate) struct Manager {
    target: Target,
    deadline: Duration,
    supervisor: Arc<Notify>,
}

impl Manager {
    pub(super) fn new(target: Target, deadline: Duration, supervisor: Arc<Notify>) -> Self {
        Self {
            target,
            deadline,
            supervisor,
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Arc<Connection>;
    type Error = ConnectError;

    async fn connect(&self) -> Result<Arc<Connection>, ConnectError> {
        let parts = || {
            let health = Arc::new(Health::new(self.supervisor.clone()));
            (AsyncConnectionConfig::new(), health)
        };
        let connection = connect(&self.target, parts, self.deadline).await;
        connection.map(Arc::new)
    }

    async fn is_valid(&self, connection: &mut Arc<Connection>) -> Result<(), ConnectError> {
        if connection.health().is_good() {
            return Ok(());
        }
        Err(ConnectError::Broken)
    }

    fn has_broken(&self, connection: &mut Arc<Connection>) -> bool {
        !connection.health().is_good()
    }
}

/// Dials `target` and shakes hands with the server.
///
/// `parts` are the parts of one dial. A dial that is given up breaks its health, so no two dials
/// may share it.
pub(crate) async fn connect(
    target: &Target,
    parts: impl Fn() -> (AsyncConnectionConfig, Arc<Health>),
    deadline: Duration,
) -> Result<Connection, ConnectError> {
    let connecting = async {
        match target {
            Target::Fixed(address) => greet(address.clone(), parts()).await,
            Target::ClusterReplica(address) => {
                let connection = greet(address.clone(), parts()).await?;
                read_only(&connection).await.map(|()| connection)
            }
            Target::Master(sentinels) => sentinels.connect(|address| greet(address, parts())).await,
        }
    };
    match timeout(deadline, connecting).await {
        Ok(connection) => connection,
        Err(_) => Err(too_late(target)),
    }
}

fn too_late(target: &Target) -> ConnectError {
    match target {
        Target::Master(sentinels) => sentinels.too_late(),
        Target::Fixed(_) | Target::ClusterReplica(_) => ConnectError::TimedOut,
    }
}

async fn greet(
    address: Address,
    (config, health): (AsyncConnectionConfig, Arc<Health>),
) -> Result<Connection, ConnectError> {
    // The deadlines are enforced here: those of the client end neither a queue nor a handshake.
    let config = config
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connection = dial(&address, config, health).await;
    connection.map_err(ConnectError::Redis)
}

/// Allows reads on a replica of a cluster, with `READONLY`.
async fn read_only(connection: &Connection) -> Result<(), ConnectError> {
    let mut multiplexed = connection.multiplexed();
    let answer = multiplexed.send_packed_command(&cmd("READONLY")).await;
    match answer.map_err(ConnectError::Redis)? {
        Value::Okay => Ok(()),
        // Otherwise the replica would redirect every read to its master.
        _ => Err(ConnectError::Broken),
    }
}
