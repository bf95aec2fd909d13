use std::sync::Arc;

use ::redis::aio::AsyncPushSender;
use ::redis::{AsyncConnectionConfig, ProtocolVersion};
use tokio::sync::Notify;

use super::fault::Fault;
use super::health::Health;
use super::line::Line;
use super::manager;
use super::node::Node;
use super::target::Target;

impl Node {
    /// Whether there can be connections that the server pushes to: not in RESP2, and not out of an
    /// application's pool.
    pub(crate) fn can_listen(&self) -> bool {
        let info = match self.source.target() {
            Some(Target::Fixed(address)) => &address.info,
            Some(Target::Master(sentinels)) => &sentinels.address().info,
            Some(Target::ClusterReplica(_)) | None => return false,
        };
        info.redis_settings().protocol() == ProtocolVersion::RESP3
    }

    /// A connection besides the one of the commands, whose pushes what `feed` makes takes. `supervisor`
    /// is told when it breaks.
    pub(crate) async fn listen<P: AsyncPushSender>(
        &self,
        feed: impl Fn(Arc<Health>) -> P,
        supervisor: &Arc<Notify>,
    ) -> Result<Line, Fault> {
        let Some(target) = self.source.target() else {
            return Err(Fault::Broken);
        };
        let parts = || {
            let health = Arc::new(Health::new(supervisor.clone()));
            let config = AsyncConnectionConfig::new().set_push_sender(feed(health.clone()));
            (config, health)
        };
        manager::line(target, parts, self.limits.connect_deadline).await
    }
}
