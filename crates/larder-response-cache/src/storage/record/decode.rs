use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use larder_store::{Key, Timestamp, Version};

use super::encode::{ENTRY, INDEX, RESERVED};
use super::{Record, envelope};
use crate::engine::{Exchange, SelectingFields, VariantId};
use crate::policy::ResponsePolicy;
use crate::storage::VariantIndex;
use crate::storage::{DateInfo, StoredResponse, TagSnapshot};

/// The most fields of a stored response. More than this was not written here.
const MAX_FIELDS: usize = 1024;

pub(super) fn decode(bytes: &Bytes, key: &Key, policy: &ResponsePolicy) -> Option<Record> {
    let what = envelope::open(bytes, key)?;
    let mut rest = Reader {
        bytes: bytes.slice(envelope::LEN..),
    };
    match what {
        ENTRY => Some(Record::Response(Arc::new(read_entry(rest, policy)?))),
        INDEX => Some(Record::Variants(Arc::new(read_index(rest)?))),
        RESERVED => rest.take(0).map(|_| Record::Reservation),
        _ => None,
    }
}

fn read_entry(mut rest: Reader, policy: &ResponsePolicy) -> Option<StoredResponse> {
    let exchange = Exchange {
        sent: Timestamp::from_micros(i64::from_le_bytes(rest.array()?)),
        received: Timestamp::from_micros(i64::from_le_bytes(rest.array()?)),
    };
    let ended = i64::from_le_bytes(rest.array()?);
    let status = StatusCode::from_u16(u16::from_le_bytes(rest.array()?)).ok()?;
    let [date_info] = rest.array()?;
    let date_info = DateInfo {
        is_generated: date_info & 1 != 0,
        is_last_modified_weak: date_info & 2 != 0,
    };
    let [tags] = rest.array()?;
    let tags = (0..tags).map(|_| {
        let generation = Version::from_bytes(rest.array()?);
        let version = Version::from_bytes(rest.array()?);
        let tag = String::from_utf8(rest.short()?.to_vec()).ok()?;
        Some(TagSnapshot {
            tag,
            generation,
            version,
        })
    });
    let tags = tags.collect::<Option<_>>()?;
    let fields = usize::from(u16::from_le_bytes(rest.array()?));
    if fields > MAX_FIELDS {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(fields);
    for _ in 0..fields {
        let name = HeaderName::from_bytes(&rest.short()?).ok()?;
        let length = u32::from_le_bytes(rest.array()?) as usize;
        let value = HeaderValue::from_maybe_shared(rest.take(length)?).ok()?;
        headers.append(name, value);
    }
    let entry = StoredResponse::restored(policy, status, headers, rest.bytes, exchange);
    let entry = entry.with_tags(tags).dated(date_info);
    Some(match ended {
        0 => entry,
        at => entry.ended(Timestamp::from_micros(at)),
    })
}

fn read_index(mut rest: Reader) -> Option<VariantIndex> {
    let name = Version::from_bytes(rest.array()?);
    let until = Timestamp::from_micros(i64::from_le_bytes(rest.array()?));
    let [names] = rest.array()?;
    let names = (0..names).map(|_| HeaderName::from_bytes(&rest.short()?).ok());
    let selecting = SelectingFields::from_names(names.collect::<Option<Vec<_>>>()?)?;
    let mut variants = Vec::new();
    while !rest.bytes.is_empty() {
        variants.push(VariantId::from_bytes(rest.array()?));
    }
    Some(VariantIndex {
        name,
        selecting,
        variants,
        until,
    })
}

/// Reads from the front, and never past the end.
struct Reader {
    bytes: Bytes,
}

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.bytes.len()).then(|| self.bytes.split_to(length))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn short(&mut self) -> Option<Bytes> {
        let length = u16::from_le_bytes(self.array()?);
        self.take(length.into())
    }
}
