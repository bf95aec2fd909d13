use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use larder_store::{IdWriter, KeyId};

use super::prefix_lengths::PrefixLengths;

/// The network that is charged for an address: an IPv4 address, or an IPv6 /64.
///
/// A /64 is one subnet, in which a host may use any number of 2^64 addresses (RFC 4291, 2.5.4;
/// RFC 8981). An IPv6 address that stands for an IPv4 address is charged as the latter: a mapped one
/// (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2), and one with the well-known prefix of translators
/// (`64:ff9b::192.0.2.1`, RFC 6052, 2.1), all of which share one /64.
///
/// Other forms of IPv4 addresses in IPv6 are charged by their /64: a network's own translation prefix
/// is unknown here, a 6to4 site (RFC 7526) has many /64s, and Teredo addresses can be forged.
///
/// `Debug` shows no address, since addresses must not be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    /// None for the default of the address's family.
    prefix: Option<u8>,
}

impl Network {
    /// Returns the network that is charged for `address`.
    pub fn of(address: IpAddr) -> Self {
        Self::with_lengths(address, PrefixLengths::default())
    }

    /// Returns the network that is charged for `address` by a limit with these prefix lengths.
    #[inline]
    pub fn with_lengths(address: IpAddr, lengths: PrefixLengths) -> Self {
        let of_default = PrefixLengths::default();
        match visitor_address(address) {
            IpAddr::V4(address) => Self {
                address: (address & Ipv4Addr::from(u32::MAX << (32 - lengths.v4))).into(),
                prefix: (lengths.v4 != of_default.v4).then_some(lengths.v4),
            },
            IpAddr::V6(address) => Self {
                address: (address & Ipv6Addr::from(u128::MAX << (128 - lengths.v6))).into(),
                prefix: (lengths.v6 != of_default.v6).then_some(lengths.v6),
            },
        }
    }
}

/// Returns the address that identifies a client: the IPv4 address for an IPv6 address that stands for
/// one.
#[inline]
pub(super) fn visitor_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => match address.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into()
            }
            _ => address.into(),
        },
        v4 => v4,
    }
}

impl KeyId for Network {
    /// Writes `192.0.2.1`, or the four groups of the /64 as `2001-db8-0-1`. Another prefix length is
    /// added, as in `192.0.2.0/24`. It is written by hand because it runs on each request: `fmt` takes
    /// longer than the limit itself.
    #[inline]
    fn write_id(&self, id: &mut IdWriter<'_>) {
        if let (IpAddr::V4(address), None) = (self.address, self.prefix) {
            return address.write_id(id);
        }
        self.write_groups(id);
    }
}

impl Network {
    fn write_groups(self, id: &mut IdWriter<'_>) {
        let mut text = Text::default();
        match self.address {
            IpAddr::V4(address) => {
                for octet in address.octets() {
                    text.number::<10>(u16::from(octet), b'.');
                }
            }
            IpAddr::V6(address) => {
                for group in &address.segments()[..4] {
                    text.number::<16>(*group, b'-');
                }
            }
        }
        if let Some(prefix) = self.prefix {
            text.number::<10>(u16::from(prefix), b'/');
        }
        id.bytes(text.written());
    }
}

/// Numbers with separators: at most four of four digits, and a prefix length.
#[derive(Default)]
struct Text {
    bytes: [u8; 24],
    len: usize,
}

impl Text {
    fn number<const BASE: u16>(&mut self, number: u16, between: u8) {
        if self.len > 0 {
            self.push(between);
        }
        // From the last digit to the first. The base is a constant, so this needs no real division.
        let (mut digits, mut left, mut count) = ([0; 4], number, 0);
        while count == 0 || left > 0 {
            // In base 16 or less, a digit is at most 15; and there are at most four digits.
            digits[count] = b"0123456789abcdef"[usize::from(left % BASE)];
            left /= BASE;
            count += 1;
        }
        for digit in digits[..count].iter().rev() {
            self.push(*digit);
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

#[cfg(test)]
mod tests {
    use larder_store::{Key, Kind};

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
    fn an_address_of_a_translator_is_the_ipv4_address_behind_it() {
        assert_eq!(of("64:ff9b::192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("64:ff9b::192.0.2.1"), of("64:ff9b::192.0.2.2"));
        assert_eq!(of("64:ff9b::ffff:ffff"), of("255.255.255.255"));
        // The prefix has 96 bits: an address that differs in one of them is an IPv6 network.
        for other in [
            "64:ff9b::1:192.0.2.1",
            "64:ff9b:0:1::192.0.2.1",
            "64:ff9b:1::192.0.2.1",
            "64:ff9c::192.0.2.1",
            "65:ff9b::192.0.2.1",
            "2002:c000:201::1",
        ] {
            assert_ne!(of(other), of("192.0.2.1"), "{other}");
        }
    }

    #[test]
    fn the_key_can_be_read() {
        const KIND: Kind = Kind::record("limit");
        for (address, id) in [
            ("0.0.0.0", "0.0.0.0"),
            ("192.0.2.10", "192.0.2.10"),
            ("255.255.255.255", "255.255.255.255"),
            ("2001:db8:0:1::9", "2001-db8-0-1"),
            ("ffff:10:a00:ffff::", "ffff-10-a00-ffff"),
            ("::", "0-0-0-0"),
        ] {
            let key = Key::new(KIND, of(address));
            assert_eq!(key.as_str(), format!("limit:{{{id}}}"));
        }
    }

    #[test]
    fn a_shorter_prefix_is_one_visitor_and_the_key_names_its_length() {
        const KIND: Kind = Kind::record("limit");
        let lengths = PrefixLengths::new(24, 56).unwrap();
        let wide = |address: &str| Network::with_lengths(address.parse().unwrap(), lengths);
        assert_eq!(wide("192.0.2.1"), wide("192.0.2.255"));
        assert_ne!(wide("192.0.2.1"), wide("192.0.3.1"));
        assert_eq!(wide("64:ff9b::192.0.2.1"), wide("::ffff:192.0.2.9"));
        assert_eq!(wide("2001:db8:0:1ff::1"), wide("2001:db8:0:100::2"));
        assert_ne!(wide("2001:db8:0:1ff::1"), wide("2001:db8:0:200::1"));
        for (address, id) in [
            ("192.0.2.1", "192.0.2.0/24"),
            ("2001:db8:0:1ff::1", "2001-db8-0-100/56"),
            ("ffff:ffff:ffff:ffff::", "ffff-ffff-ffff-ff00/56"),
        ] {
            let key = Key::new(KIND, wide(address));
            assert_eq!(key.as_str(), format!("limit:{{{id}}}"));
        }
        // Two limits with the same name but different prefix lengths share no visitors.
        assert_ne!(wide("192.0.2.0"), of("192.0.2.0"));
    }

    #[test]
    fn debug_shows_no_address() {
        assert_eq!(format!("{:?}", of("192.0.2.1")), "Network");
    }
}
