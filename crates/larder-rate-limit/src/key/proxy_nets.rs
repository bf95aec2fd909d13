use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use larder_store::{Error, ErrorKind, Result};

use super::networks;

/// The networks of the proxies in front of a service, such as `10.0.0.0/8, 192.168.7.1, fd00::/8`.
///
/// A network of mapped addresses (`::ffff:10.0.0.0/104`) is the IPv4 network. A network of all
/// addresses (`0.0.0.0/0`, `::/0`) is refused: it would trust every client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyNets(Vec<IpNet>);

impl ProxyNets {
    /// Trusts these networks. An empty list trusts nobody.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a network of all addresses.
    pub fn new(nets: impl IntoIterator<Item = IpNet>) -> Result<Self> {
        let nets: Vec<_> = nets.into_iter().map(networks::canonical).collect();
        if nets.iter().any(|net| net.prefix_len() == 0) {
            return Err(invalid(
                "a network of all addresses would trust every client: name the networks of the proxies",
            ));
        }
        Ok(Self(nets))
    }

    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

impl FromStr for ProxyNets {
    type Err = Error;

    /// Parses networks and addresses, separated by commas. White space is ignored.
    fn from_str(text: &str) -> Result<Self> {
        Self::new(networks::parse(text, OPERATION)?)
    }
}

const OPERATION: &str = "read trusted proxies";

fn invalid(expected: &'static str) -> Error {
    Error::new(OPERATION, ErrorKind::Invalid, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(text: &str) -> ProxyNets {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_networks_of_both_families_are_read() {
        let nets = nets(" 10.0.0.0/8,192.0.2.1 , fd00::/8,");
        for inside in ["10.255.0.1", "192.0.2.1", "fdff::1"] {
            assert!(nets.contain(ip(inside)), "{inside}");
        }
        for outside in ["11.0.0.1", "192.0.2.2", "fe00::1"] {
            assert!(!nets.contain(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn mapped_networks_are_ipv4_networks() {
        assert_eq!(nets("::ffff:10.0.0.0/104"), nets("10.0.0.0/8"));
        assert_eq!(nets("::ffff:10.0.0.1"), nets("10.0.0.1"));
    }

    #[test]
    fn everything_and_rubbish_are_refused_and_the_text_does_not_repeat_them() {
        for wrong in [
            "0.0.0.0/0",
            "::/0",
            "::ffff:0.0.0.0/96",
            "10.0.0.0/33",
            "proxy.example",
        ] {
            let error = wrong.parse::<ProxyNets>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(!error.to_string().contains(wrong), "{error}");
        }
    }
}
