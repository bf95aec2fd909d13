use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The maximum length of a node. An IPv6 address in brackets with a port takes at most 53 characters.
pub(super) const MAX_NODE: usize = 64;

/// Parses the address of a node, with or without brackets and a port (RFC 7239, 6). None for
/// `unknown`, for an obfuscated id and for rubbish.
pub(super) fn address(node: &[u8]) -> Option<IpAddr> {
    if node.len() > MAX_NODE {
        return None;
    }
    let node = std::str::from_utf8(node).ok()?;
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return is_port(port).then_some(IpAddr::V6(address));
    }
    let colon = node.find(':')?;
    let (address, port) = node.split_at(colon);
    let address: Ipv4Addr = address.parse().ok()?;
    is_port(port).then_some(IpAddr::V4(address))
}

/// Returns whether `port` is empty, or a colon and a port, which may be obfuscated.
fn is_port(port: &str) -> bool {
    let Some(port) = port.strip_prefix(':') else {
        return port.is_empty();
    };
    match port.strip_prefix('_') {
        Some(hidden) => {
            !hidden.is_empty()
                && hidden
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        }
        None => (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_form() {
        for (node, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("192.0.2.1:8", "192.0.2.1"),
            ("192.0.2.1:_p-1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:65535", "2001:db8::1"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ] {
            assert_eq!(
                address(node.as_bytes()),
                Some(expected.parse().unwrap()),
                "{node}"
            );
        }
    }

    #[test]
    fn the_longest_node_is_read_and_a_longer_one_is_not() {
        for (length, is_read) in [(MAX_NODE, true), (MAX_NODE + 1, false)] {
            let node = format!("{:x<length$}", "192.0.2.1:_");
            assert_eq!(address(node.as_bytes()).is_some(), is_read, "{length}");
        }
    }

    #[test]
    fn what_is_not_an_address_gives_none() {
        for node in [
            "",
            "unknown",
            "_hidden",
            "localhost",
            "192.0.2",
            "192.0.2.1:",
            "192.0.2.1:_",
            "192.0.2.1:123456",
            "192.0.2.1:8x",
            "[192.0.2.1]",
            "[2001:db8::1",
            "[2001:db8::1]80",
            "2001:db8::1%eth0",
            "0x7f.1",
            "192.0.2.1 ",
            "[]",
            "[]:1",
            ":80",
        ] {
            assert_eq!(address(node.as_bytes()), None, "{node}");
        }
        assert_eq!(address(&[0xff; 8]), None);
        assert_eq!(address(&[b'1'; 1 << 20]), None);
    }
}
