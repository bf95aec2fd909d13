use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client};
use bb8::ManageConnection;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::dial::dial;
use super::fault::Fault;
use super::health::Health;
use super::line::Line;
use super::node::Limits;

/// Makes the lines of our own bb8 pool, and tells it which of them broke.
///
/// Validity is one atomic read, so the pool tests at each checkout without a round trip.
pub(crate) struct Manager {
    client: Client,
    deadline: Duration,
    supervisor: Arc<Notify>,
}

impl Manager {
    pub(super) fn new(client: Client, limits: &Limits, supervisor: Arc<Notify>) -> Self {
        Self {
            client,
            deadline: limits.connect_deadline,
            supervisor,
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Arc<Line>;
    type Error = Fault;

    async fn connect(&self) -> Result<Arc<Line>, Fault> {
        let health = Arc::new(Health::new(self.supervisor.clone()));
        // The deadlines are ours: the client's own end neither a queue nor a handshake.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = dial(self.client.get_connection_info(), config, health);
        match timeout(self.deadline, connecting).await {
            Ok(Ok(line)) => Ok(Arc::new(line)),
            Ok(Err(error)) => Err(Fault::Redis(error)),
            Err(_) => Err(Fault::TimedOut),
        }
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
