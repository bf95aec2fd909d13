use http::{HeaderMap, StatusCode};

use crate::asked::Origin;
use crate::engine::targets;
use crate::shared::Shared;

/// Removes what a response to an unsafe request makes invalid (RFC 9111, 4.4), before the response
/// is sent on: who made the change sees it at the next request.
pub(crate) async fn invalidate(
    shared: &Shared,
    origin: &Origin,
    status: StatusCode,
    response: &HeaderMap,
) {
    let paths = targets(&origin.scheme, &origin.host, &origin.path, status, response);
    for path in paths {
        let primary = origin.primary(shared.view.profile, &path);
        // A store that fails was counted, and cannot be told.
        let _ = shared.storage.purge(&primary).await;
    }
}
