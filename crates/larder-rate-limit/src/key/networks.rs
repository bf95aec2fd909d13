//! Networks as written in settings.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use larder_store::{Error, ErrorKind, Result};

/// Parses networks and addresses, separated by commas. White space is ignored.
///
/// # Errors
/// [`ErrorKind::Invalid`] for anything else. The error names `operation`, says what was expected, and never
/// repeats the text.
pub(super) fn parse(text: &str, operation: &'static str) -> Result<Vec<IpNet>> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let address = entry.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| entry.parse()).map_err(|_| {
                let expected =
                    "expected addresses or networks, as in '10.0.0.0/8, 192.0.2.1, fd00::/8'";
                Error::new(operation, ErrorKind::Invalid, expected)
            })
        })
        .collect()
}

/// Turns a network of mapped addresses into the IPv4 network, and leaves any other as it is.
pub(super) fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else {
        return net;
    };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(prefix)) => Ipv4Net::new(v4, prefix).map_or(net, IpNet::V4),
        _ => net,
    }
}
