use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use larder_layer::tags::{Generation, Tag};
use larder_store::{Timestamp, Version};

use super::{DateInfo, MAX_HEADERS, StoredResponse, VariantIndex};
use crate::engine::{Exchange, SelectingFields, VariantId};
use crate::policy::ResponsePolicy;

pub(super) fn response(payload: Bytes, policy: &ResponsePolicy) -> Option<StoredResponse> {
    let mut rest = Reader(payload);
    let exchange = Exchange {
        sent: rest.timestamp()?,
        received: rest.timestamp()?,
    };
    let expired = rest.timestamp()?;
    let status = StatusCode::from_u16(u16::from_le_bytes(rest.array()?)).ok()?;
    let [flags] = rest.array()?;
    let date_info = DateInfo {
        is_generated: flags & 1 != 0,
        is_last_modified_weak: flags & 2 != 0,
    };
    let [tags] = rest.array()?;
    let tags = (0..tags).map(|_| {
        let tag = Tag::from_hash(u64::from_le_bytes(rest.array()?));
        Some((tag, Generation::from_bytes(rest.array()?)))
    });
    let tags = tags.collect::<Option<_>>()?;
    let count = usize::from(u16::from_le_bytes(rest.array()?));
    if count > MAX_HEADERS {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(count);
    for _ in 0..count {
        let name = HeaderName::from_bytes(&rest.short()?).ok()?;
        let length = u32::from_le_bytes(rest.array()?) as usize;
        let value = HeaderValue::from_maybe_shared(rest.take(length)?).ok()?;
        headers.append(name, value);
    }
    let response = StoredResponse::restored(policy, status, headers, rest.0, exchange)
        .with_tags(tags)
        .with_date_info(date_info);
    Some(match expired.as_micros() {
        0 => response,
        _ => response.expired_at(expired),
    })
}

pub(super) fn variants(payload: Bytes) -> Option<VariantIndex> {
    let mut rest = Reader(payload);
    let (id, until) = (rest.version()?, rest.timestamp()?);
    let [names] = rest.array()?;
    let names = (0..names).map(|_| HeaderName::from_bytes(&rest.short()?).ok());
    let selecting = SelectingFields::from_names(names.collect::<Option<Vec<_>>>()?)?;
    let mut variants = Vec::new();
    while !rest.0.is_empty() {
        variants.push(VariantId::from_bytes(rest.array()?));
    }
    Some(VariantIndex {
        id,
        selecting,
        variants,
        until,
    })
}

/// Takes parts off the front of bytes, and never reads past their end.
struct Reader(Bytes);

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(i64::from_le_bytes(self.array()?)))
    }

    fn version(&mut self) -> Option<Version> {
        Some(Version::from_bytes(self.array()?))
    }

    /// Takes a text with its length in front, in two bytes.
    fn short(&mut self) -> Option<Bytes> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(length.into())
    }
}
