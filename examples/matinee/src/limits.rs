//! The limit on requests, and the address that it charges.

use std::sync::Arc;

use larder::Store;
use larder::rate_limit::{ClientAddress, KeyBy, RateLimitLayer, RateLimiter, TrustedProxies};

use crate::config::Config;

/// Limits the requests of each address.
///
/// While the store fails, requests pass: a limit that only reduces load must not shut visitors out.
pub(crate) fn visitors(config: &Config, store: Arc<dyn Store>) -> larder::Result<RateLimitLayer> {
    let limiter = RateLimiter::new(store, "visitors", config.rate_limit)?;
    Ok(RateLimitLayer::new(
        limiter,
        KeyBy::address(address(config)),
    ))
}

/// Uses the address of the connection, or the client address that the declared proxies report.
pub(crate) fn address(config: &Config) -> ClientAddress {
    match &config.trusted_proxies {
        Some(nets) => ClientAddress::forwarded(TrustedProxies::x_forwarded_for(nets.clone())),
        None => ClientAddress::peer(),
    }
}
