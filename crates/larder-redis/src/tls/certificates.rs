//! The certificates and keys of TLS, in files.

use larder_store::{Error, ErrorKind, Result};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Returns the CAs of a file, or those that the system trusts.
pub(super) fn roots(ca: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            for certificate in chain("ca", file)? {
                let added = roots.add(certificate);
                added.map_err(|_| unreadable("ca", file, "it contains an invalid certificate"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(invalid(
            "this system trusts no CA: set the server's CA with ?ca=/path/to/ca.pem".to_owned(),
        ));
    }
    Ok(roots)
}

/// Returns the certificates of a file.
pub(super) fn chain(parameter: &str, file: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match read {
        Ok(chain) if Vec::is_empty(&chain) => {
            Err(unreadable(parameter, file, "it contains no certificate"))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(failed(parameter, file, &error)),
    }
}

/// Returns the private key of a file.
pub(super) fn key(file: &str) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| failed("key", file, &error))
}

/// Checks that a parameter names a file, and does not hold what belongs into it: that may be a private key.
///
/// # Errors
/// The text does not repeat the parameter. All others here may name the file.
pub(super) fn check_path(parameter: &str, path: &str) -> Result<()> {
    if path.contains(['\n', '\r']) || path.contains("-----BEGIN") {
        return Err(invalid(format!(
            "'{parameter}' of the store URL holds the contents of a file: write them into a file, and name its path"
        )));
    }
    Ok(())
}

fn failed(parameter: &str, file: &str, error: &pem::Error) -> Error {
    match error {
        pem::Error::Io(error) => unreadable(parameter, file, &error.to_string()),
        pem::Error::NoItemsFound => {
            unreadable(parameter, file, "it contains no PEM data of this kind")
        }
        _ => unreadable(parameter, file, "it is not in PEM format"),
    }
}

fn unreadable(parameter: &str, file: &str, why: &str) -> Error {
    invalid(format!(
        "'{parameter}' of the store URL names {file}, which cannot be used: {why}"
    ))
}

pub(super) fn invalid(text: String) -> Error {
    Error::new("connect", ErrorKind::Invalid, text)
}
