use super::text::Text;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text`, percent-encoded (RFC 3986, 2.1) except for the unreserved characters (2.3) and
/// `@` and `/`, which keep addresses and paths readable.
///
/// The result has no colon, brace, glob, white space or control character, and different bytes
/// never give the same result.
pub(super) fn escape_into(out: &mut Text, mut text: &[u8]) {
    // Whole runs at a time: most ids need no escape at all.
    loop {
        let run = text.iter().position(|byte| !PLAIN[usize::from(*byte)]);
        let (plain, rest) = text.split_at(run.unwrap_or(text.len()));
        out.extend_from_slice(plain);
        let Some((byte, rest)) = rest.split_first() else {
            return;
        };
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
        text = rest;
    }
}

/// For each byte, whether it needs no escape in a key.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let c = byte as u8;
        plain[byte] =
            c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'@' | b'/');
        byte += 1;
    }
    plain
};
