//! The form of a session in the store: a version, the time of its expiry, and its data as JSON.

use time::OffsetDateTime;

/// The version of the form, in the first byte.
const FORM: u8 = 1;
const TIME: usize = 16;

/// Writes a session, from the JSON of its data.
pub(crate) fn write(expiry: OffsetDateTime, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + TIME + data.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&expiry.unix_timestamp_nanos().to_be_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// Reads the expiry of a session, and the JSON of its data. None for other bytes.
pub(crate) fn read(bytes: &[u8]) -> Option<(OffsetDateTime, &[u8])> {
    let (time, data) = bytes.strip_prefix(&[FORM])?.split_first_chunk::<TIME>()?;
    let expiry = OffsetDateTime::from_unix_timestamp_nanos(i128::from_be_bytes(*time)).ok()?;
    Some((expiry, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let expiry = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_456_789);
        let expiry = expiry.expect("a time");
        let bytes = write(expiry, b"{}");
        assert_eq!(read(&bytes), Some((expiry, &b"{}"[..])));
        for end in 0..17 {
            assert_eq!(read(&bytes[..end]), None, "{end}");
        }
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(read(&other), None);
        // A time that is out of range.
        other = bytes;
        other[1] = 0x7f;
        assert_eq!(read(&other), None);
    }
}
