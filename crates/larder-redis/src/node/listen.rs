use std::sync::Arc;

use ::redis::aio::AsyncPushSender;
use ::redis::{AsyncConnectionConfig, ProtocolVersion};

use super::Node;
use crate::connection::{ConnectError, Connection, Health};
use crate::source::{self, Target};

impl Node {
    /// Returns whether the server can push: it cannot in RESP2 or on an application's pool.
    pub(crate) fn can_listen(&self) -> bool {
        let info = match self.source.target() {
            Some(Target::Fixed(address)) => &address.info,
            Some(Target::Master(sentinels)) => &sentinels.address().info,
            Some(Target::ClusterReplica(_)) | None => return false,
        };
        info.redis_settings().protocol() == ProtocolVersion::RESP3
    }

    /// Makes a second connection, whose pushes go to `push`.
    pub(crate) async fn listen(
        &self,
        push: impl AsyncPushSender,
        health: Arc<Health>,
    ) -> Result<Connection, ConnectError> {
        let Some(target) = self.source.target() else {
            return Err(ConnectError::Broken);
        };
        let config = AsyncConnectionConfig::new().set_push_sender(push);
        let parts = || (config.clone(), health.clone());
        source::connect(target, parts, self.limits.connect_deadline).await
    }
}
