use std::sync::Arc;

use larder_store::Identity;

use crate::Session;

/// Gives the signed-in user to inner layers, such as a rate limit.
///
/// It reads the session. While the store fails, there is no user.
impl Identity for Session {
    type User = Arc<str>;

    async fn identify(&self) -> Option<Arc<str>> {
        let user = self.user().await.ok()??;
        Some(user.shared().clone())
    }
}
