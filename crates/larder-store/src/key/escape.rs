use smallvec::SmallVec;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text`, with everything but unreserved characters percent-encoded (RFC 3986, 2.1 and
/// 2.3, and `@` and `/`, which make addresses and paths readable).
///
/// What comes out has no colon, brace, glob, white space or control character, and is the same
/// for the same bytes only.
pub(super) fn escape_into<A: smallvec::Array<Item = u8>>(out: &mut SmallVec<A>, text: &[u8]) {
    for &byte in text {
        if is_plain(byte) {
            out.push(byte);
        } else {
            out.push(b'%');
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@' | b'/')
}
