//! The limit on requests, and the address that it charges.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
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

/// The address of the client. All clients whose address is unknown share one.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Client
where
    ClientAddress: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let found = ClientAddress::from_ref(state).find(parts);
        Ok(Self(found.unwrap_or(Ipv6Addr::UNSPECIFIED.into())))
    }
}
