//! Who may ask for how much.

use std::sync::Arc;

use larder::Store;
use larder::rate_limit::{KeyBy, RateLimitLayer, RateLimiter, TrustedProxies};

use crate::config::Config;

/// The limit on everything that visitors ask for, each address on its own.
///
/// While the store fails, requests pass: a limit that spares us load must not close the house.
pub(crate) fn visitors(config: &Config, store: Arc<dyn Store>) -> larder::Result<RateLimitLayer> {
    let limiter = RateLimiter::new(store, "visitors", config.rate_limit)?;
    Ok(RateLimitLayer::new(limiter, address(config)))
}

/// Who is charged: the address of the connection, or what the declared proxies say of it.
pub(crate) fn address(config: &Config) -> KeyBy {
    match &config.trusted_proxies {
        Some(nets) => KeyBy::forwarded(TrustedProxies::x_forwarded_for(nets.clone())),
        None => KeyBy::peer(),
    }
}
