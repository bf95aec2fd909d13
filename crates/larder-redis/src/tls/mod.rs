//! TLS, if the feature `tls` is enabled.

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod rustls;
#[cfg(not(feature = "tls"))]
mod without;

#[cfg(feature = "tls")]
pub(crate) use rustls::{Tls, explain};
#[cfg(not(feature = "tls"))]
pub(crate) use without::{Tls, explain};
