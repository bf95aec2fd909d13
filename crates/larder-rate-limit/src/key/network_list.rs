use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use ipnet::IpNet;
use larder_store::{Error, Result};

use super::network::visitor_address;
use super::networks;

/// A list of networks, which can be replaced while it is in use.
///
/// Clones share the list, so a task that reads a feed of known bad addresses can
/// [replace](Self::replace) what a layer denies. A lookup takes a shared lock and a binary search, so a
/// list of many thousand networks costs little more than one of ten.
///
/// An address is looked up as it is [charged](crate::Network): a mapped or translated IPv6 address is
/// the IPv4 address. `Debug` shows no address.
///
/// ```
/// use larder_rate_limit::NetworkList;
///
/// let office: NetworkList = "192.0.2.0/24, 2001:db8::/32".parse()?;
/// assert!(office.contains("192.0.2.7".parse().unwrap()));
/// office.replace([]);
/// assert!(office.is_empty());
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct NetworkList(Arc<RwLock<Vec<IpNet>>>);

impl NetworkList {
    /// Makes a list of `nets`.
    pub fn new(nets: impl IntoIterator<Item = IpNet>) -> Self {
        let list = Self::default();
        list.replace(nets);
        list
    }

    /// Replaces the whole list, for all clones of it.
    pub fn replace(&self, nets: impl IntoIterator<Item = IpNet>) {
        let nets = nets.into_iter().map(networks::canonical).collect();
        // Without overlaps, so that one comparison per step finds the only candidate.
        let mut nets = IpNet::aggregate(&nets);
        nets.sort_unstable_by_key(IpNet::network);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = nets;
    }

    /// Returns whether `address` is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = visitor_address(address);
        let nets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after = nets.partition_point(|net| net.network() <= address);
        after > 0 && nets[after - 1].contains(&address)
    }

    /// Returns whether the list is empty.
    pub fn is_empty(&self) -> bool {
        let nets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        nets.is_empty()
    }
}

impl FromStr for NetworkList {
    type Err = Error;

    /// Parses networks and addresses, separated by commas. White space is ignored.
    fn from_str(text: &str) -> Result<Self> {
        networks::parse(text, "read a list of networks").map(Self::new)
    }
}

impl fmt::Debug for NetworkList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetworkList")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_found_in_every_form_it_can_have() {
        let list: NetworkList = "192.0.2.0/25, ::ffff:198.51.100.0/120, 2001:db8::/32"
            .parse()
            .unwrap();
        for inside in [
            "192.0.2.127",
            "::ffff:192.0.2.1",
            "64:ff9b::192.0.2.1",
            "198.51.100.9",
            "2001:db8:ffff::1",
        ] {
            assert!(list.contains(ip(inside)), "{inside}");
        }
        for outside in ["192.0.2.128", "2001:db9::", "64:ff9b::192.0.2.128", "::1"] {
            assert!(!list.contains(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn a_list_is_replaced_for_all_who_hold_it() {
        let list: NetworkList = "192.0.2.1".parse().unwrap();
        let held = list.clone();
        list.replace(["10.0.0.0/8".parse().unwrap()]);
        assert!(held.contains(ip("10.9.9.9")) && !held.contains(ip("192.0.2.1")));
    }

    #[test]
    fn rubbish_is_refused_and_the_text_says_what_was_expected() {
        let error = "192.0.2.0/33".parse::<NetworkList>().unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        assert!(!error.to_string().contains("192.0.2.0/33"), "{error}");
    }

    proptest! {
        #[test]
        fn a_list_contains_what_one_of_its_networks_contains(
            nets in proptest::collection::vec((any::<u32>(), 0_u8..=32), 0..20),
            address: u32,
        ) {
            let nets: Vec<IpNet> = nets
                .iter()
                .map(|(at, prefix)| IpNet::new((*at).to_be_bytes().into(), *prefix).unwrap())
                .collect();
            let list = NetworkList::new(nets.iter().copied());
            let inside = nets.iter().map(IpNet::network);
            for address in inside.chain([address.to_be_bytes().into()]) {
                let is_in_one = nets.iter().any(|net| net.contains(&address));
                prop_assert_eq!(list.contains(address), is_in_one);
            }
        }
    }
}
