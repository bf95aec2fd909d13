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
    let targets = |scheme: &str| targets(scheme, &origin.host, &origin.path, status, response);
    let mut paths = targets(origin.scheme.as_str());
    if shared.scheme.is_some() {
        // Whatever scheme a field names, requests for its URI have the declared one.
        paths.extend(["http", "https"].into_iter().flat_map(targets));
        paths.sort_unstable();
        paths.dedup();
    }
    for path in paths {
        let primary = origin.primary(shared.view.profile, &path);
        // A store that fails was counted, and cannot be told.
        let _ = shared.storage.purge(&primary).await;
    }
}
