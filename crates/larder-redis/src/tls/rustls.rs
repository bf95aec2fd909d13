use std::borrow::Cow;
use std::error::Error as _;
use std::io;
use std::sync::Arc;

use ::redis::RedisError;
use larder_store::Result;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use super::certificates::{chain, invalid, key, roots};

/// How to speak TLS to a server: whom to trust, and who we are.
///
/// It brings its own cryptography, so that it works whatever the process has installed.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// TLS with the CA of a file, or else those of the system, and where a server wants it with the
    /// certificate and the key of two files.
    pub(crate) fn new(ca: Option<&str>, cert: Option<&str>, key_of: Option<&str>) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| invalid("no version of TLS is compiled in".to_owned()))?
            .with_root_certificates(roots(ca)?);
        let config = match (cert, key_of) {
            (None, None) => config.with_no_client_auth(),
            (Some(cert), Some(key_of)) => config
                .with_client_auth_cert(chain("cert", cert)?, key(key_of)?)
                .map_err(|_| {
                    invalid(format!(
                        "the key in {key_of} is not the one of the certificate in {cert}"
                    ))
                })?,
            _ => {
                return Err(invalid(
                    "the store URL has one of 'cert' and 'key': give both, or none".to_owned(),
                ));
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Greets the server behind `stream`, which has to be `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, stream).await
    }
}

/// What is wrong with a handshake, and the fix, if it is one of TLS.
pub(crate) fn explain(error: &RedisError) -> Option<Cow<'static, str>> {
    let shared = error
        .source()?
        .downcast_ref::<Arc<dyn std::error::Error + Send + Sync>>()?;
    let system = shared.downcast_ref::<io::Error>()?;
    let error = system.get_ref()?.downcast_ref::<Error>()?;
    if let Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        expected, ..
    }) = error
    {
        return Some(format!("{OTHER_HOST} than {}{NAMES}", expected.to_str()).into());
    }
    Some(Cow::Borrowed(match error {
        Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "its certificate is signed by nobody who is trusted here: name its CA with \
             ?ca=/path/to/ca.pem"
        }
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired",
        Error::InvalidCertificate(_) => "its certificate is not valid",
        Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => {
            "it asks for a certificate of ours: name it with ?cert=/path/to/cert.pem&key=/path/to/key.pem"
        }
        Error::AlertReceived(_) => "it does not take our certificate, or our version of TLS",
        Error::InvalidMessage(_) => {
            "it does not speak TLS: use its TLS port, or a URL without the second 's'"
        }
        _ => "TLS failed",
    }))
}

const OTHER_HOST: &str = "its certificate is for another host";

/// The host may be one that the nodes of a cluster announce, or the sentinels.
const NAMES: &str = ": put that name into it, or have the server called by one that stands there";
