use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;

use crate::response::CacheStatus;

/// The fields of a hit, with `Age` and `Cache-Status`, kept while they stay the same, which is for a
/// second: to write the two anew costs as much as the rest of a hit.
#[derive(Default)]
pub(crate) struct HitHeaders(Mutex<Option<DatedHeaders>>);

struct DatedHeaders {
    age: u64,
    headers: Arc<HeaderMap>,
}

impl HitHeaders {
    /// The stored fields with those two.
    ///
    /// What `how` says of a hit follows from its age; `name` is that of the layer, whose alone the
    /// stored response is.
    pub(crate) fn headers(
        &self,
        stored: &HeaderMap,
        age: u64,
        name: &str,
        cache_status: CacheStatus,
    ) -> HeaderMap {
        // Who finds it taken writes its own, and waits for nobody.
        let held = matches!(cache_status, CacheStatus::Hit { .. }).then(|| self.0.try_lock());
        let Some(mut held) = held.flatten() else {
            return with_age_and_status(stored.clone(), age, name, cache_status);
        };
        let headers = match &*held {
            Some(with_age_and_status) if with_age_and_status.age == age => {
                with_age_and_status.headers.clone()
            }
            _ => {
                let headers =
                    Arc::new(with_age_and_status(stored.clone(), age, name, cache_status));
                *held = Some(DatedHeaders {
                    age,
                    headers: headers.clone(),
                });
                headers
            }
        };
        drop(held);
        HeaderMap::clone(&headers)
    }
}

/// The fields with `Age` and this cache's member of `Cache-Status`.
pub(crate) fn with_age_and_status(
    mut headers: HeaderMap,
    age: u64,
    name: &str,
    cache_status: CacheStatus,
) -> HeaderMap {
    headers.insert(header::AGE, HeaderValue::from(age));
    cache_status.add(name, &mut headers);
    headers
}
