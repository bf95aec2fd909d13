use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use larder_store::{IdWriter, KeyId};

/// The network that is charged for an address: an IPv4 address, or an IPv6 /64.
///
/// A /64 is one subnet, in which a host may use any number of 2^64 addresses (RFC 4291, 2.5.4;
/// RFC 8981). An IPv6 address that stands for an IPv4 address is charged as that: a mapped one
/// (`::ffff:192.0.2.1`, RFC 4291, 2.5.5.2), and one with the well-known prefix of translators
/// (`64:ff9b::192.0.2.1`, RFC 6052, 2.1), all of which share one /64.
///
/// Other forms of IPv4 addresses in IPv6 are charged by their /64: a network's own translation prefix
/// is unknown here, a 6to4 site (RFC 7526) has many /64s, and Teredo addresses can be forged.
///
/// `Debug` shows no address, since addresses must not be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// Returns the network that is charged for `address`.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => match address.segments() {
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                    IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
                }
                [a, b, c, d, ..] => IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)),
            },
            v4 => v4,
        })
    }
}

impl KeyId for Network {
    /// Writes `192.0.2.1`, or the four groups of the /64 as `2001-db8-0-1`. It does so by hand, for each
    /// request: `fmt` takes longer than the limit itself.
    fn write_id(&self, id: &mut IdWriter<'_>) {
        let mut text = Text::default();
        match self.0 {
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
        id.bytes(text.written());
    }
}

/// Numbers with something between them: at most four of four digits.
#[derive(Default)]
struct Text {
    bytes: [u8; 20],
    len: usize,
}

impl Text {
    fn number<const BASE: u16>(&mut self, number: u16, between: u8) {
        if self.len > 0 {
            self.push(between);
        }
        // From the last digit to the first: the base is known, so nothing is really divided.
        let (mut digits, mut left, mut count) = ([0; 4], number, 0);
        while count == 0 || left > 0 {
            // A digit of base 16 at most, and four of them at most.
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
        // The prefix has 96 bits: what differs in one of them is an IPv6 network.
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
    fn debug_shows_no_address() {
        assert_eq!(format!("{:?}", of("192.0.2.1")), "Network");
    }
}
