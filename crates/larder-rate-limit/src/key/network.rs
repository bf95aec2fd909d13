use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use larder_store::{IdWriter, KeyId};

/// What is charged for an address: an IPv4 address itself, or the /64 of an IPv6 one.
///
/// A /64 is one subnet, in which a host takes any of 2^64 addresses, and as many as it likes (RFC
/// 4291, 2.5.4; RFC 8981). An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2)
/// is that IPv4 address.
///
/// `Debug` shows no address: addresses belong in no log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network that is charged for `address`.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 => v4,
        })
    }
}

impl KeyId for Network {
    fn write_id(&self, id: &mut IdWriter<'_>) {
        self.0.write_id(id);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn the_addresses_of_one_64_are_one_network() {
        assert_eq!(
            of("2001:db8:1:2::1"),
            of("2001:db8:1:2:ffff:ffff:ffff:ffff")
        );
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn debug_shows_no_address() {
        assert_eq!(format!("{:?}", of("192.0.2.1")), "Network");
    }
}
