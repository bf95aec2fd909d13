//! TLS for servers, with certificates of the test.

mod authority;
mod client;
mod identity;
mod options;

pub use authority::CertificateAuthority;
pub(super) use client::TlsStream;
pub use identity::Identity;
pub use options::{ClientAuth, TlsOptions};
