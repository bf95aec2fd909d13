//! The harness's own TLS client.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::identity::Identity;

/// A name in every server certificate, by which the harness verifies the servers.
///
/// No other client uses it, because the domain is reserved (RFC 2606, section 2).
pub(super) const NAME: &str = "larder-harness.invalid";

/// A TLS connection.
pub(in crate::harness::server) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Makes a client that trusts one authority and has a certificate.
pub(super) fn config(authority: &str, me: &Identity) -> io::Result<ClientConfig> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes());
    let mut roots = RootCertStore::empty();
    let trusted = certificate(authority).map_err(io::Error::other)?;
    roots.add(trusted).map_err(io::Error::other)?;
    let mine = certificate(me.certificate_pem()).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(me.key_pem().as_bytes()).map_err(io::Error::other)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![mine], key)
        .map_err(io::Error::other)?;
    // All servers have the same name here, but a server cannot resume a session of another one.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Does the TLS handshake with the server behind `socket`.
pub(super) fn greet(config: &Arc<ClientConfig>, mut socket: TcpStream) -> io::Result<TlsStream> {
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let mut client = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    while client.is_handshaking() {
        client.complete_io(&mut socket)?;
    }
    Ok(StreamOwned::new(client, socket))
}
