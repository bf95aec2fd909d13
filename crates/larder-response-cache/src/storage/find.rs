use std::sync::Arc;

use http::HeaderMap;
use larder_layer::Generation;
use larder_store::{Timestamp, Version};

use super::tags::TagCheck;
use super::{
    Existing, FarRecord, Found, NearRecord, PurgeSnapshot, Record, Storage, StoredResponse,
    UriSnapshot, VariantIndex,
};
use crate::engine::OriginFailure;
use crate::request::CacheRequest;

/// A response that this process holds for a request.
struct NearFound {
    response: Arc<StoredResponse>,
    /// The version of the URI's record.
    version: Option<Version>,
    /// The index, and the version of the variant, if the URI has variants.
    variant: Option<(Arc<VariantIndex>, Option<Version>)>,
    /// When the store must be read again.
    deadline: Timestamp,
}

impl Storage {
    /// Returns the response for a request from this process, or None if the store must be read.
    ///
    /// The returned time is exact to the second of the response's age, and everything that is reported of its
    /// freshness depends only on that. So the precise clock is read only close to the end of a second.
    pub(crate) fn near_response(
        &self,
        request: &CacheRequest,
        headers: &HeaderMap,
    ) -> Option<(Arc<StoredResponse>, Timestamp)> {
        let (earliest, latest) = self.clock.now_between();
        if let Some(NearFound { response, .. }) = self.find_near(request, headers, latest) {
            let freshness = &response.rules.freshness;
            if freshness.age(earliest) == freshness.age(latest) {
                return Some((response, earliest));
            }
        }
        let now = self.now();
        Some((self.find_near(request, headers, now)?.response, now))
    }

    fn find_near(
        &self,
        request: &CacheRequest,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<NearFound> {
        let (NearRecord { record, version }, deadline) =
            self.near_record(request.key.as_bytes(), now)?;
        match record {
            Record::Response(response) if request.key_fields.is_empty() => Some(NearFound {
                response,
                version,
                variant: None,
                deadline,
            }),
            Record::Variants(index) if index.selecting.covers(&request.key_fields) => {
                let variant = index.selecting.variant(headers);
                let (near, deadline) = self.near_record(&index.near_key(variant), now)?;
                let Record::Response(response) = near.record else {
                    return None;
                };
                Some(NearFound {
                    response,
                    version,
                    variant: Some((index, near.version)),
                    deadline,
                })
            }
            _ => None,
        }
    }

    /// Returns whether a stored response may be served in place of a failure (RFC 9111, 4.2.4).
    pub(crate) fn may_serve_on_failure(
        &self,
        response: &StoredResponse,
        request: &CacheRequest,
        failure: OriginFailure,
    ) -> bool {
        let (limit, now) = (self.stale_while_disconnected, self.now());
        let rules = &response.rules;
        rules.may_serve_on_failure(&request.directives, failure, limit, now)
    }

    /// Returns a record of this process with its deadline, unless that has passed.
    fn near_record(&self, key: &[u8], now: Timestamp) -> Option<(NearRecord, Timestamp)> {
        let held = self.near.get(key)?;
        (now < held.deadline).then_some((held.value, held.deadline))
    }

    /// Returns whether a response may be served while it is validated, and was already stale when the store
    /// was last read. The store is then not read for each request.
    fn was_stale(&self, near: &NearFound, now: Timestamp) -> bool {
        let asked = near.deadline.plus_micros(-self.near_micros());
        let is_served = near.response.rules.may_serve_while_revalidating(now);
        is_served && near.version.is_some() && !near.response.is_fresh(asked)
    }

    /// Finds the stored response for a request, here or in the store.
    ///
    /// It takes no round trip, or one; for a variant two, and for a response with tags one more.
    pub(crate) async fn find(&self, request: &CacheRequest, headers: &HeaderMap) -> Found {
        let (key, now) = (request.key.as_bytes(), self.now());
        let generation = self.near.generation(key);
        let near = self.find_near(request, headers, now);
        let near = match near {
            Some(near) if near.response.is_fresh(now) || self.was_stale(&near, now) => {
                return near.found(generation);
            }
            // A response that is stale here may be fresh in the store: another process may have validated it.
            near => near,
        };
        let mut found = Found {
            response: None,
            hidden: None,
            snapshot: UriSnapshot {
                held: Existing::None,
                index: None,
                variant: Existing::None,
                generation,
                purges: PurgeSnapshot::default(),
            },
            has_variants: false,
            until: self.near_until(now),
        };
        let held = match self.purges.concern_uri(&request.key) {
            true => None,
            false => self.far.get(&request.key.far_key()).await.ok(),
        };
        match held {
            None => {
                found.snapshot.held = Existing::Unknown;
                return near.map_or(found, |near| near.found(generation));
            }
            Some(FarRecord::Missing) => {}
            Some(
                FarRecord::Unreadable(version) | FarRecord::Record(Record::Reservation, version),
            ) => found.snapshot.held = Existing::Version(version),
            Some(FarRecord::Record(Record::Response(response), version)) => {
                found.snapshot.held = Existing::Version(version);
                match self.check_tags(response.clone()).await {
                    Ok(TagCheck::Valid(response)) if request.key_fields.is_empty() => {
                        found.response =
                            Some(self.keep_near(key, response, version, generation, now));
                    }
                    Ok(TagCheck::Valid(response)) => found.hidden = Some(response),
                    Ok(TagCheck::Purged) => {}
                    Ok(TagCheck::Unknown) | Err(_) => {
                        match near.filter(|near| near.variant.is_none()) {
                            Some(near) => return near.found(generation),
                            // It may be purged, or still be the response for others.
                            None => found.hidden = Some(response),
                        }
                    }
                }
            }
            Some(FarRecord::Record(Record::Variants(index), version)) => {
                found.snapshot.held = Existing::Version(version);
                found.has_variants = true;
                if index.selecting.covers(&request.key_fields) {
                    let record = Record::Variants(index.clone());
                    self.put_near(key, record, Some(version), self.near_until(now), generation);
                    (found.response, found.snapshot.variant) =
                        self.find_variant(&index, headers, now).await;
                    let is_unknown = matches!(found.snapshot.variant, Existing::Unknown);
                    if let Some(near) = near.filter(|near| is_unknown && near.is_of(&index)) {
                        if let Some((_, Some(version))) = near.variant {
                            found.snapshot.variant = Existing::Version(version);
                        }
                        found.until = near.deadline;
                        found.response = Some(near.response);
                    }
                }
                found.snapshot.index = Some(index);
            }
        }
        found
    }

    /// Returns whether the response of an earlier lookup may still be served from this process.
    ///
    /// It may not if the URI was purged or changed here since, or, for purges of other processes, if the store
    /// must be read again.
    pub(crate) fn is_current(&self, request: &CacheRequest, found: &Found) -> bool {
        let generation = self.near.generation(request.key.as_bytes());
        generation == found.snapshot.generation && self.now() < found.until
    }

    /// Finds the variant for a request, and what the store holds under its key.
    async fn find_variant(
        &self,
        index: &VariantIndex,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> (Option<Arc<StoredResponse>>, Existing) {
        let variant = index.selecting.variant(headers);
        if !index.variants.contains(&variant) {
            return (None, Existing::None);
        }
        let near_key = index.near_key(variant);
        let generation = self.near.generation(near_key.as_slice());
        match self.far.get(&index.far_key(variant)).await {
            Ok(FarRecord::Record(Record::Response(response), version)) => {
                match self.check_tags(response).await {
                    Ok(TagCheck::Valid(response)) => {
                        let kept = self.keep_near(&near_key, response, version, generation, now);
                        (Some(kept), Existing::Version(version))
                    }
                    Ok(TagCheck::Purged) => (None, Existing::Version(version)),
                    Ok(TagCheck::Unknown) | Err(_) => (None, Existing::Unknown),
                }
            }
            Ok(FarRecord::Record(_, version) | FarRecord::Unreadable(version)) => {
                (None, Existing::Version(version))
            }
            Ok(FarRecord::Missing) => (None, Existing::None),
            Err(_) => (None, Existing::Unknown),
        }
    }

    /// Keeps a response from the store in this process too, and returns the one to serve.
    ///
    /// If this process holds the same response already, that one is kept, so that its body is held once.
    fn keep_near(
        &self,
        key: &[u8],
        response: Arc<StoredResponse>,
        version: Version,
        generation: Generation,
        now: Timestamp,
    ) -> Arc<StoredResponse> {
        let kept = match self.near.get(key) {
            Some(held) => match held.value.record {
                Record::Response(ours) => {
                    let is_same =
                        held.value.version == Some(version) && ours.expired == response.expired;
                    // It was stored here after the store had been read.
                    if !is_same && now < held.deadline && ours.is_newer_than(&response) {
                        return ours;
                    }
                    if is_same { ours } else { response }
                }
                _ => response,
            },
            None => response,
        };
        let record = Record::Response(kept.clone());
        self.put_near(key, record, Some(version), self.near_until(now), generation);
        kept
    }
}

impl NearFound {
    /// Returns whether it is a variant of this index.
    fn is_of(&self, index: &VariantIndex) -> bool {
        let known = self.variant.as_ref();
        known.is_some_and(|(known, _)| known.id == index.id)
    }

    fn found(self, generation: Generation) -> Found {
        let existing =
            |version: Option<Version>| version.map_or(Existing::Unknown, Existing::Version);
        let has_variants = self.variant.is_some();
        let (index, variant) = self.variant.unzip();
        Found {
            response: Some(self.response),
            hidden: None,
            snapshot: UriSnapshot {
                held: existing(self.version),
                index,
                variant: existing(variant.flatten()),
                generation,
                purges: PurgeSnapshot::default(),
            },
            has_variants,
            until: self.deadline,
        }
    }
}
