//! TLS for servers, with certificates of the test.

mod authority;
mod client;
mod options;

pub use authority::{CertificateAuthority, Identity};
pub(super) use client::TlsStream;
pub use options::{ClientAuth, TlsOptions};
