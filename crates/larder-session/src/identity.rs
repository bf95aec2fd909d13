use std::sync::Arc;

use larder_store::Identity;

use crate::Session;

/// Who is signed in, for layers further in, such as a rate limit. Asking reads the session. While the
/// store fails nobody is known.
impl Identity for Session {
    type User = Arc<str>;

    async fn identify(&self) -> Option<Arc<str>> {
        let user = self.user().await.ok()??;
        Some(user.shared().clone())
    }
}
