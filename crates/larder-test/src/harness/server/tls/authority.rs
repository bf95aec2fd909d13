//! The certificate authority of a test.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio_rustls::rustls::ClientConfig;

use super::client;
use super::identity::Identity;

/// A certificate authority for one test.
///
/// Its key is only in memory. Clones are the same authority. To test that a certificate is refused, issue
/// it by another authority.
#[derive(Clone)]
pub struct CertificateAuthority {
    issuer: Arc<Issuer>,
    /// The harness's TLS client for servers with these certificates.
    harness: Arc<ClientConfig>,
}

impl CertificateAuthority {
    /// Makes an authority with a new key and its certificate.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "larder test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        let me = of_client("larder test harness", &issuer)?;
        let harness = client::config(&issuer.pem(), &me)?;
        Ok(Self {
            issuer: Arc::new(issuer),
            harness: Arc::new(harness),
        })
    }

    /// Returns the authority's certificate as PEM, for clients to trust.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a server certificate for these host names and IP addresses.
    ///
    /// It is valid for a client too, because nodes of a cluster, replicas and sentinels connect to each other.
    ///
    /// # Errors
    ///
    /// If a name is neither a host name nor an IP address.
    pub fn issue_server(&self, names: &[impl AsRef<str>]) -> io::Result<Identity> {
        self.issue_server_for(names, None)
    }

    /// Issues a server certificate that ends after a lifetime.
    pub(super) fn issue_server_for(
        &self,
        names: &[impl AsRef<str>],
        lifetime: Option<Duration>,
    ) -> io::Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(invalid)?;
        if let Some(lifetime) = lifetime {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.map_err(io::Error::other)?;
            params.not_after = date_time_ymd(1970, 1, 1) + (now + lifetime);
        }
        let purposes = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        issue(params, "larder test server", &purposes, &self.issuer)
    }

    /// Issues a client certificate for this name.
    ///
    /// # Errors
    ///
    /// If the system has no random bytes.
    pub fn issue_client(&self, name: &str) -> io::Result<Identity> {
        of_client(name, &self.issuer)
    }

    pub(super) fn harness(&self) -> &Arc<ClientConfig> {
        &self.harness
    }
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn of_client(name: &str, issuer: &Issuer) -> io::Result<Identity> {
    let params = CertificateParams::default();
    issue(params, name, &[ExtendedKeyUsagePurpose::ClientAuth], issuer)
}

fn issue(
    mut params: CertificateParams,
    name: &str,
    purposes: &[ExtendedKeyUsagePurpose],
    issuer: &Issuer,
) -> io::Result<Identity> {
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages.extend_from_slice(purposes);
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.signed_by(&key, issuer).map_err(io::Error::other)?;
    Ok(Identity {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn invalid(error: rcgen::Error) -> io::Error {
    let text = format!("a server's name must be a host name or an IP address: {error}");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority")
            .finish_non_exhaustive()
    }
}
