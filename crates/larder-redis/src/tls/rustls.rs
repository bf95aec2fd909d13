use std::borrow::Cow;
use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::redis::RedisError;
use larder_store::Result;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error};

use super::certificates::{chain, check_path, invalid, key, roots};

/// Connects over TLS with a set of trusted CAs and an optional client certificate.
///
/// It has its own cryptography provider, so that it works whatever the process has installed.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Trusts the CA of a file, or otherwise those of the system. A client certificate and its key come
    /// from two files.
    pub(crate) fn new(ca: Option<&str>, cert: Option<&str>, key_of: Option<&str>) -> Result<Self> {
        for (parameter, path) in [("ca", ca), ("cert", cert), ("key", key_of)] {
            path.map_or(Ok(()), |path| check_path(parameter, path))?;
        }
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
                        "the key in {key_of} does not match the certificate in {cert}"
                    ))
                })?,
            _ => {
                return Err(invalid(
                    "the store URL has one of 'cert' and 'key': give both or neither".to_owned(),
                ));
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands over `stream` with a server that must be `host`.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.0.connect(name, stream).await
    }

    /// Returns when the certificate of the server expires, and closes `stream`.
    ///
    /// The handshake checks it at the end of time, where it is the expiry that fails.
    pub(crate) async fn certificate_end(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<Duration> {
        let mut config = ClientConfig::clone(self.0.config());
        config.time_provider = Arc::new(EndOfTime);
        // A resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        let shaken = Self(TlsConnector::from(Arc::new(config)))
            .connect(host, stream)
            .await;
        let error = match shaken {
            Ok(_) => return Ok(END_OF_TIME),
            Err(error) => error,
        };
        let reason = error.get_ref().and_then(|error| error.downcast_ref());
        match reason {
            Some(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => Ok(Duration::from_secs(not_after.as_secs())),
            _ => Err(error),
        }
    }
}

/// The last second of the year 9999, which certificates without an end have (RFC 5280, section 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);

#[derive(Debug)]
struct EndOfTime;

impl TimeProvider for EndOfTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(END_OF_TIME))
    }
}

/// Explains a failed TLS handshake, and how to fix it.
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
        ) => "its certificate is not signed by a trusted CA: set its CA with ?ca=/path/to/ca.pem",
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired",
        Error::InvalidCertificate(_) => "its certificate is not valid",
        Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "it requires a client certificate: set ?cert=/path/to/cert.pem&key=/path/to/key.pem",
        Error::AlertReceived(_) => "it rejects the client certificate or the TLS version",
        Error::InvalidMessage(_) => {
            "it does not speak TLS: use its TLS port, or a URL without the second 's'"
        }
        _ => "TLS failed",
    }))
}

const OTHER_HOST: &str = "its certificate is for another host";

/// The host may be one that the nodes of a cluster announce, or the sentinels.
const NAMES: &str = ": issue it for that name, or make the server announce a name that it \
                     contains";
