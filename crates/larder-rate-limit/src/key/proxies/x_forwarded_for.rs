//! `X-Forwarded-For`: addresses between commas, the nearest last. It has no standard.

use std::net::IpAddr;

use super::node;

/// The entries of one line from the right, and for each its address if it is one.
///
/// Empty entries say nothing and are left out (RFC 9110, 5.6.1.2).
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
