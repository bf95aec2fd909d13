use std::fmt;

/// A certificate and its key, both as PEM.
#[derive(Clone)]
pub struct Identity {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Identity {
    /// Returns the certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns the private key as PEM, in PKCS #8.
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
