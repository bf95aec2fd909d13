use std::sync::Arc;

use ::redis::aio::AsyncPushSender;
use ::redis::{AsyncConnectionConfig, ProtocolVersion};
use tokio::sync::Notify;

use super::Node;
use crate::connection::{ConnectError, Connection, Health};
use crate::source::{self, Target};

impl Node {
    /// Returns whether the server can push: it cannot in RESP2 or on an app's pool.
    pub(crate) fn can_listen(&self) -> bool {
        let info = match self.source.target() {
            Some(Target::Fixed(address)) => &address.info,
            Some(Target::Master(sentinels)) => &sentinels.address().info,
            Some(Target::ClusterReplica(_)) | None => return false,
        };
        info.redis_settings().protocol() == ProtocolVersion::RESP3
    }

    /// Makes a second connection, whose pushes go to what `push` makes. `broken` is notified when it
    /// breaks.
    pub(crate) async fn listen<P: AsyncPushSender>(
        &self,
        push: impl Fn(Arc<Health>) -> P,
        broken: &Arc<Notify>,
    ) -> Result<Connection, ConnectError> {
        let Some(target) = self.source.target() else {
            return Err(ConnectError::Broken);
        };
        let parts = || {
            let health = Arc::new(Health::new(broken.clone()));
            let config = AsyncConnectionConfig::new().set_push_sender(push(health.clone()));
            (config, health)
        };
        source::connect(target, parts, self.limits.connect_timeout).await
    }
}
