use super::{DateInfo, MAX_HEADERS, StoredResponse, VariantIndex};

pub(super) fn response(response: &StoredResponse, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&response.exchange.sent.as_micros().to_le_bytes());
    out.extend_from_slice(&response.exchange.received.as_micros().to_le_bytes());
    let expired = response.expired.map_or(0, |at| at.as_micros());
    out.extend_from_slice(&expired.to_le_bytes());
    out.extend_from_slice(&response.status.as_u16().to_le_bytes());
    let DateInfo {
        is_generated,
        is_last_modified_weak,
    } = response.date_info;
    out.push(u8::from(is_generated) | u8::from(is_last_modified_weak) << 1);
    out.push(u8::try_from(response.tags.len()).ok()?);
    for (tag, generation) in &response.tags {
        out.extend_from_slice(&tag.hash().to_le_bytes());
        out.extend_from_slice(generation.as_bytes());
    }
    let fields = response.fields().count();
    if fields > MAX_HEADERS {
        return None;
    }
    out.extend_from_slice(&u16::try_from(fields).ok()?.to_le_bytes());
    for (name, value) in response.fields() {
        short(name.as_str().as_bytes(), out)?;
        let length = u32::try_from(value.len()).ok()?;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(&response.body);
    Some(())
}

pub(super) fn variants(index: &VariantIndex, out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(index.id.as_bytes());
    out.extend_from_slice(&index.until.as_micros().to_le_bytes());
    let names = index.selecting.names();
    out.push(u8::try_from(names.len()).ok()?);
    for name in names {
        short(name.as_str().as_bytes(), out)?;
    }
    for variant in &index.variants {
        out.extend_from_slice(variant.as_bytes());
    }
    Some(())
}

/// Writes a text with its length in front, in two bytes.
fn short(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
    out.extend_from_slice(text);
    Some(())
}
