//! `X-Forwarded-For`: addresses separated by commas, the nearest last. It has no standard.

use std::net::IpAddr;

use super::node;

/// Returns the address of each entry of a line, from the right, or None if it is not an address.
///
/// Empty entries are skipped (RFC 9110, 5.6.1.2).
pub(super) fn nodes(line: &[u8]) -> impl Iterator<Item = Option<IpAddr>> {
    line.rsplit(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|entry| !entry.is_empty())
        .map(|entry| node::address(unquoted(entry)))
}

fn unquoted(entry: &[u8]) -> &[u8] {
    let inside = entry
        .strip_prefix(b"\"")
        .and_then(|entry| entry.strip_suffix(b"\""));
    inside.unwrap_or(entry)
}
