use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use parking_lot::Mutex;

use crate::cache_status::CacheStatus;

/// The fields of a hit, with `Age` and `Cache-Status`, kept while they stay the same, which is for a
/// second: to write the two anew costs as much as the rest of a hit.
#[derive(Default)]
pub(crate) struct Stamp(Mutex<Option<Stamped>>);

struct Stamped {
    age: u64,
    headers: Arc<HeaderMap>,
}

impl Stamp {
    /// The stored fields with those two.
    ///
    /// What `how` says of a hit follows from its age; `name` is that of the layer, whose alone the
    /// stored response is.
    pub(crate) fn headers(
        &self,
        stored: &HeaderMap,
        age: u64,
        name: &str,
        how: CacheStatus,
    ) -> HeaderMap {
        // Who finds it taken writes its own, and waits for nobody.
        let held = matches!(how, CacheStatus::Hit { .. }).then(|| self.0.try_lock());
        let Some(mut held) = held.flatten() else {
            return stamped(stored.clone(), age, name, how);
        };
        let headers = match &*held {
            Some(stamped) if stamped.age == age => stamped.headers.clone(),
            _ => {
                let headers = Arc::new(stamped(stored.clone(), age, name, how));
                *held = Some(Stamped {
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
pub(crate) fn stamped(mut headers: HeaderMap, age: u64, name: &str, how: CacheStatus) -> HeaderMap {
    headers.insert(header::AGE, HeaderValue::from(age));
    how.add(name, &mut headers);
    headers
}
