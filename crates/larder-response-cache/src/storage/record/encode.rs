use bytes::Bytes;
use larder_store::Key;

use super::{Record, envelope};
use crate::storage::VariantIndex;
use crate::storage::{DateInfo, StoredResponse};

pub(super) const ENTRY: u8 = 1;
pub(super) const INDEX: u8 = 2;
pub(super) const RESERVED: u8 = 3;

pub(super) fn encode(record: &Record, key: &Key) -> Option<Bytes> {
    let mut out = Vec::with_capacity(envelope::LEN + record.weight());
    out.resize(envelope::LEN, 0);
    let what = match record {
        Record::Response(entry) => {
            write_entry(entry, &mut out)?;
            ENTRY
        }
        Record::Variants(index) => {
            write_index(index, &mut out)?;
            INDEX
        }
        Record::Reservation => RESERVED,
    };
    envelope::seal(&mut out, what, key)?;
    Some(out.into())
}

fn write_entry(entry: &StoredResponse, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&entry.exchange.sent.as_micros().to_le_bytes());
    out.extend_from_slice(&entry.exchange.received.as_micros().to_le_bytes());
    let ended = entry.ended.map_or(0, |at| at.as_micros());
    out.extend_from_slice(&ended.to_le_bytes());
    out.extend_from_slice(&entry.status.as_u16().to_le_bytes());
    let DateInfo {
        is_generated,
        is_last_modified_weak,
    } = entry.date_info;
    out.push(u8::from(is_generated) | u8::from(is_last_modified_weak) << 1);
    out.push(u8::try_from(entry.tags.len()).ok()?);
    for tagged in &entry.tags {
        out.extend_from_slice(tagged.generation.as_bytes());
        out.extend_from_slice(tagged.version.as_bytes());
        write_short(tagged.tag.as_bytes(), out)?;
    }
    let fields = entry.fields().count();
    out.extend_from_slice(&u16::try_from(fields).ok()?.to_le_bytes());
    for (name, value) in entry.fields() {
        write_short(name.as_str().as_bytes(), out)?;
        let length = u32::try_from(value.len()).ok()?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(&entry.body);
    Some(())
}

fn write_index(index: &VariantIndex, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(index.name.as_bytes());
    out.extend_from_slice(&index.until.as_micros().to_le_bytes());
    let names = index.selecting.names();
    out.push(u8::try_from(names.len()).ok()?);
    for name in names {
        write_short(name.as_str().as_bytes(), out)?;
    }
    for variant in &index.variants {
        out.extend_from_slice(variant.as_bytes());
    }
    Some(())
}

fn write_short(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
    out.extend_from_slice(text);
    Some(())
}
