use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Value, cmd};
use bb8::ManageConnection;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::dial::dial;
use super::fault::Fault;
use super::health::Health;
use super::limits::Limits;
use super::line::Line;
use super::target::{Address, Target};

/// Makes the lines of our own bb8 pool, and tells it which of them broke.
///
/// Validity is one atomic read, so the pool tests at each checkout without a round trip.
pub(crate) struct Manager {
    target: Target,
    deadline: Duration,
    supervisor: Arc<Notify>,
}

impl Manager {
    pub(super) fn new(target: Target, limits: &Limits, supervisor: Arc<Notify>) -> Self {
        Self {
            target,
            deadline: limits.connect_deadline,
            supervisor,
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Arc<Line>;
    type Error = Fault;

    async fn connect(&self) -> Result<Arc<Line>, Fault> {
        let parts = || {
            let health = Arc::new(Health::new(self.supervisor.clone()));
            (AsyncConnectionConfig::new(), health)
        };
        let line = line(&self.target, parts, self.deadline).await;
        line.map(Arc::new)
    }

    async fn is_valid(&self, line: &mut Arc<Line>) -> Result<(), Fault> {
        if line.health().is_good() {
            return Ok(());
        }
        Err(Fault::Broken)
    }

    fn has_broken(&self, line: &mut Arc<Line>) -> bool {
        !line.health().is_good()
    }
}

/// Makes a line to `target`, and greets the server.
///
/// `parts` are what one dial is made with. A dial that is given up breaks its health, so no two
/// may share one.
pub(super) async fn line(
    target: &Target,
    parts: impl Fn() -> (AsyncConnectionConfig, Arc<Health>),
    deadline: Duration,
) -> Result<Line, Fault> {
    let connecting = async {
        match target {
            Target::Fixed(address) => greet(address.clone(), parts()).await,
            Target::ClusterReplica(address) => {
                let line = greet(address.clone(), parts()).await?;
                read_only(&line).await.map(|()| line)
            }
            Target::Master(sentinels) => sentinels.line(|address| greet(address, parts())).await,
        }
    };
    match timeout(deadline, connecting).await {
        Ok(line) => line,
        Err(_) => Err(too_late(target)),
    }
}

fn too_late(target: &Target) -> Fault {
    match target {
        Target::Master(sentinels) if !sentinels.know_a_master() => sentinels.nobody(),
        _ => Fault::TimedOut,
    }
}

async fn greet(
    address: Address,
    (config, health): (AsyncConnectionConfig, Arc<Health>),
) -> Result<Line, Fault> {
    // The deadlines are ours: the client's own end neither a queue nor a handshake.
    let config = config
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let line = dial(&address, config, health).await;
    line.map_err(Fault::Redis)
}

/// Tells a replica of a cluster to answer reads, and not to send them to its master.
async fn read_only(line: &Line) -> Result<(), Fault> {
    let mut connection = line.connection();
    let answer = connection.send_packed_command(&cmd("READONLY")).await;
    match answer.map_err(Fault::Redis)? {
        Value::Okay => Ok(()),
        // It would send on each read.
        _ => Err(Fault::Broken),
    }
}
