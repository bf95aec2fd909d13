//! Servers that speak TLS, with certificates of the test's own.

mod authority;
mod options;

pub use authority::{CertificateAuthority, Identity};
pub use options::{ClientAuth, TlsOptions};
