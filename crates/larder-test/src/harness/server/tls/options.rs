//! The TLS options of a server.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use crate::harness::server::error::StartError;

use super::authority::CertificateAuthority;
use super::client::{self, TlsStream};

/// Whether a server requires client certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// The server requests no certificate.
    #[default]
    Off,
    /// A client may have a certificate. A wrong one is refused.
    Optional,
    /// Clients without a certificate are refused.
    Required,
}

/// The TLS options of servers.
///
/// Defaults: certificates for `localhost`, `127.0.0.1` and `127.0.0.2` (the address of a cluster's
/// proxies), and no client certificates.
///
/// Each server gets its own key. Replication, the bus of a cluster and sentinels use TLS too. They accept
/// every certificate of `authority`, whatever its names.
///
/// # Examples
///
/// ```
/// use larder_test::server::{CertificateAuthority, ClientAuth, RedisOptions, TlsOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = CertificateAuthority::new()?;
/// let tls = TlsOptions::new(&authority).with_client_auth(ClientAuth::Required);
/// let server = RedisOptions::new().with_tls(tls).start()?;
/// let app = authority.issue_client("app")?;
/// println!("connect to {} and trust\n{}", server.url(), authority.certificate_pem());
/// println!("and show\n{}", app.certificate_pem());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TlsOptions {
    authority: CertificateAuthority,
    names: Vec<String>,
    clients: ClientAuth,
    lifetime: Option<Duration>,
}

const DEFAULT_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "127.0.0.2"];

/// The names of the files in the server's directory.
const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

impl TlsOptions {
    /// Makes the options of a server with a certificate of `authority`.
    ///
    /// The server trusts clients of the same authority.
    pub fn new(authority: &CertificateAuthority) -> Self {
        Self {
            authority: authority.clone(),
            names: DEFAULT_NAMES.map(str::to_owned).to_vec(),
            clients: ClientAuth::Off,
            lifetime: None,
        }
    }

    /// Sets how long the certificate is valid from now on. Default: thousands of years.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets whether clients must show a certificate.
    #[must_use]
    pub fn with_client_auth(mut self, clients: ClientAuth) -> Self {
        self.clients = clients;
        self
    }

    /// Sets the names in the certificate, in place of the default ones.
    ///
    /// Without the loopback address among them, a client that connects to that address must refuse the server.
    #[must_use]
    pub fn with_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Writes the files, each readable only by this user.
    pub(in crate::harness::server) fn write(&self, dir: &Path) -> Result<(), StartError> {
        self.write_files(dir)
            .map_err(StartError::system("writing the certificates"))
    }

    fn write_files(&self, dir: &Path) -> io::Result<()> {
        let names: Vec<_> = self.names.iter().map(String::as_str).collect();
        let server = self
            .authority
            .issue_server_for(&[&names[..], &[client::NAME]].concat(), self.lifetime)?;
        let authority = self.authority.certificate_pem();
        for (name, text) in [
            (AUTHORITY, authority.as_str()),
            (CERTIFICATE, server.certificate_pem()),
            (KEY, server.key_pem()),
        ] {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options.open(dir.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// Does the harness's TLS handshake with a server that was started with these options.
    pub(in crate::harness::server) fn greet(&self, socket: TcpStream) -> io::Result<TlsStream> {
        client::greet(self.authority.harness(), socket)
    }

    /// Returns the settings of `redis.conf`.
    pub(in crate::harness::server) fn settings(&self, dir: &Path) -> [(&'static str, String); 6] {
        let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let clients = match self.clients {
            ClientAuth::Off => "no",
            ClientAuth::Optional => "optional",
            ClientAuth::Required => "yes",
        };
        [
            ("tls-ca-cert-file", path(AUTHORITY)),
            ("tls-cert-file", path(CERTIFICATE)),
            ("tls-key-file", path(KEY)),
            ("tls-auth-clients", clients.to_owned()),
            // Sentinels use TLS according to this setting too.
            ("tls-replication", "yes".to_owned()),
            ("tls-cluster", "yes".to_owned()),
        ]
    }
}
