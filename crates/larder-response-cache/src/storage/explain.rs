use std::sync::Arc;
use std::time::Duration;

use larder_store::Result;

use super::tags::TagCheck;
use super::{FarRecord, Record, Storage, StoredResponse};
use crate::explain::{ResponseExplanation, UriExplanation, UriState};
use crate::request::PrimaryKey;

impl Storage {
    /// Explains what the store holds for a URI, with all variants.
    ///
    /// It takes one round trip, one for each variant, and one more for each response with tags.
    pub(crate) async fn explain(&self, key: &PrimaryKey) -> Result<UriExplanation> {
        let mut explained = UriExplanation {
            state: UriState::Stored,
            selecting: Vec::new(),
            responses: Vec::new(),
            is_purge_pending: self.purges.concern_uri(key),
        };
        match self.far.get(&key.far_key()).await? {
            FarRecord::Missing => explained.state = UriState::Absent,
            FarRecord::Unreadable(_) => explained.state = UriState::Unreadable,
            FarRecord::Record(Record::Reservation, _) => explained.state = UriState::Reserved,
            FarRecord::Record(Record::Response(response), _) => {
                explained
                    .responses
                    .push(self.explain_response(response).await?);
            }
            FarRecord::Record(Record::Variants(index), _) => {
                let names = index.selecting.names().iter();
                explained.selecting = names.map(|name| name.as_str().to_owned()).collect();
                for variant in &index.variants {
                    let held = self.far.get(&index.far_key(*variant)).await?;
                    if let FarRecord::Record(Record::Response(response), _) = held {
                        explained
                            .responses
                            .push(self.explain_response(response).await?);
                    }
                }
            }
        }
        Ok(explained)
    }

    async fn explain_response(&self, response: Arc<StoredResponse>) -> Result<ResponseExplanation> {
        let now = self.now();
        let (response, is_purged) = match self.check_tags(response.clone()).await? {
            // If one of its tags was expired, the copy has become stale.
            TagCheck::Valid(valid) => (valid, false),
            TagCheck::Purged | TagCheck::Unknown => (response, true),
        };
        let freshness = &response.rules.freshness;
        // With `no-cache` a response is validated for each request, however young it is.
        let fresh_for = match response.is_fresh(now) {
            true => freshness.remaining(now),
            false => 0,
        };
        Ok(ResponseExplanation {
            status: response.status.as_u16(),
            bytes: response.body.len(),
            age: Duration::from_secs(freshness.age(now)),
            fresh_for: Duration::from_secs(fresh_for),
            usable_for: Duration::from_secs(response.rules.usable(now)),
            tags: response.tags.len(),
            is_purged,
            is_expired: response.expired.is_some(),
            permits_authorized: response.permits_authorized,
        })
    }
}
