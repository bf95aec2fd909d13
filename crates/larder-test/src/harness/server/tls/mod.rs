//! Servers that speak TLS, with certificates of the test's own.

mod authority;
mod client;
mod options;

pub use authority::{CertificateAuthority, Identity};
pub(super) use client::TlsStream;
pub use options::{ClientAuth, TlsOptions};
