//! TLS for connections to the bridge: certificate and key from PEM files, checked before anybody is served with them.
//!
//! What a client would only find out at its handshake is refused at the start: a key that is not the certificate's, a certificate whose time is over
//! or has not come, a key that other users may read. On SIGHUP both files are read again; should they be wrong, the old ones stay.

mod validity;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tickpath_service::config::{Bridge as Settings, Secret, SecretError};
use tokio_rustls::TlsAcceptor;

pub use validity::{Validity, validity};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It holds no certificate.
    #[error("{} holds no certificate: it wants a PEM file, `-----BEGIN CERTIFICATE-----` first", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key's file is no secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It holds no key. Nothing of it is repeated.
    #[error("{} holds no private key: it wants a PEM file, `-----BEGIN PRIVATE KEY-----` first", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not belong together, or are of a kind that is not supported.
    #[error("{} and {} do not fit: {reason}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificate does not hold now.
    #[error(
        "{}: the certificate holds from {} to {}, which is not now: renew it, or set the clock",
        path.display(),
        humantime::format_rfc3339_seconds(validity.from),
        humantime::format_rfc3339_seconds(validity.until)
    )]
    NotNow {
        /// The file.
        path: PathBuf,
        /// When it holds.
        validity: Validity,
    },
}

/// TLS as configured.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    config: Arc<ServerConfig>,
    until: SystemTime,
}

impl Tls {
    /// The TLS of a bridge; `None` if it is to speak plain HTTP.
    ///
    /// # Errors
    /// As [`TlsError`] says.
    pub fn load(settings: &Settings) -> Result<Option<Tls>, TlsError> {
        if !settings.has_tls() {
            return Ok(None);
        }
        let (certificate, key) = (settings.tls_certificate.clone(), settings.tls_key.clone());
        let current = Mutex::new(read(&certificate, &key)?);
        Ok(Some(Tls {
            certificate,
            key,
            current,
        }))
    }

    /// Reads both files again. Connections that stand keep what they have.
    ///
    /// # Errors
    /// As [`TlsError`] says; then nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = read(&self.certificate, &self.key)?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// What opens a connection.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }

    /// Until when the certificate holds.
    #[must_use]
    pub fn until(&self) -> SystemTime {
        self.current().until
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let chain = chain(certificate)?;
    let validity = chain.first().and_then(|leaf| validity(leaf));
    let validity = validity.ok_or_else(|| no_certificate(certificate))?;
    if !validity.holds_at(SystemTime::now()) {
        let path = certificate.to_owned();
        return Err(TlsError::NotNow { path, validity });
    }
    let secret = Secret::from_file(key)?;
    let private = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes())
        .map_err(|_| TlsError::NoKey { path: key.to_owned() })?;
    let mismatch = |error: rustls::Error| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Current {
        config: Arc::new(config),
        until: validity.until,
    })
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |error: PemError| TlsError::Read {
        path: path.to_owned(),
        reason: match error {
            PemError::Io(error) => error.to_string(),
            other => other.to_string(),
        },
    };
    let chain = CertificateDer::pem_file_iter(path).map_err(read)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if chain.is_empty() {
        return Err(no_certificate(path));
    }
    Ok(chain)
}

fn no_certificate(path: &Path) -> TlsError {
    TlsError::NoCertificate { path: path.to_owned() }
}
