use std::sync::Arc;

use http::HeaderMap;
use parking_lot::Mutex;

/// Keeps the headers of a hit for as long as they stay the same, which is a second.
///
/// To write `Age` and `Cache-Status` anew costs as much as the rest of a hit.
#[derive(Default)]
pub(crate) struct HitHeaders(Mutex<Option<OfAge>>);

struct OfAge {
    age: u64,
    headers: Arc<HeaderMap>,
}

impl HitHeaders {
    /// Returns the headers of a hit of this age in seconds, which `build` makes if they are not kept.
    pub(crate) fn of_age(&self, age: u64, build: impl FnOnce() -> HeaderMap) -> HeaderMap {
        // A caller that finds the lock taken builds its own, so that nobody waits.
        let Some(mut kept) = self.0.try_lock() else {
            return build();
        };
        let headers = match &*kept {
            Some(kept) if kept.age == age => kept.headers.clone(),
            _ => {
                let headers = Arc::new(build());
                *kept = Some(OfAge {
                    age,
                    headers: headers.clone(),
                });
                headers
            }
        };
        drop(kept);
        HeaderMap::clone(&headers)
    }
}
