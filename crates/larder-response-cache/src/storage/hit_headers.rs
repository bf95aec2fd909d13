use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderMap;

/// Keeps the headers of a hit for as long as they stay the same, which is a second.
///
/// Writing `Age` and `Cache-Status` each time costs as much as the rest of a hit.
#[derive(Default)]
pub(crate) struct HitHeaders(ArcSwapOption<OfAge>);

struct OfAge {
    age: u64,
    headers: HeaderMap,
}

impl HitHeaders {
    /// Returns the headers of a hit of this age in seconds. `build` makes them if they are not
    /// kept.
    ///
    /// Nobody waits: several callers may build the headers of a new second.
    pub(crate) fn of_age(&self, age: u64, build: impl FnOnce() -> HeaderMap) -> HeaderMap {
        if let Some(kept) = &*self.0.load()
            && kept.age == age
        {
            return kept.headers.clone();
        }
        let headers = build();
        let kept = OfAge {
            age,
            headers: headers.clone(),
        };
        self.0.store(Some(Arc::new(kept)));
        headers
    }
}
