//! TLS to the database, as the address asks for it.
//!
//! | `sslmode` | the connection |
//! |---|---|
//! | not given, `disable`, `prefer`, `allow` | not encrypted |
//! | `require`, `verify-ca`, `verify-full` | encrypted, and the server's certificate must hold for its host name |
//!
//! Who may sign certificates: the public authorities, or only those in the PEM file that `sslrootcert` names. Unlike libpq we never encrypt
//! without looking at the certificate: that would keep nobody out.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::DatabaseError;

/// What an address says about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    encrypted: bool,
    root_file: Option<String>,
}

/// How to open encrypted connections.
#[derive(Clone, Debug)]
pub struct Tls {
    /// `None`: the public authorities.
    own_roots: Option<Arc<ClientConfig>>,
}

impl Tls {
    /// The address without its parameters about TLS, of which the client knows less than is usual, and what they say.
    ///
    /// # Errors
    /// [`DatabaseError::Address`] for a second `@`, which would make a part of the password the host, and for a mode that is none.
    pub fn asked_for(url: &str) -> Result<(String, Wanted), DatabaseError> {
        if url.matches('@').count() > 1 {
            let problem = "it holds more than one `@`; in a password or parameter write it %40";
            return Err(DatabaseError::Address(problem.to_owned()));
        }
        let host_at = url.find('@').unwrap_or(0);
        let Some(query_at) = url[host_at..].find('?').map(|at| host_at + at) else {
            return Ok((url.to_owned(), Wanted::default()));
        };
        let mut wanted = Wanted::default();
        let mut others = Vec::new();
        for parameter in url[query_at + 1..].split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => wanted.encrypted = is_encrypted(mode)?,
                Some(("sslrootcert", file)) => wanted.root_file = Some(file.replace("%2F", "/").replace("%2f", "/")),
                _ => others.push(parameter),
            }
        }
        let mut rest = url[..query_at].to_owned();
        if !others.is_empty() {
            rest = format!("{rest}?{}", others.join("&"));
        }
        Ok((rest, wanted))
    }

    /// What opens a connection.
    #[must_use]
    pub fn connector(&self) -> MakeRustlsConnect {
        match &self.own_roots {
            Some(config) => MakeRustlsConnect::new(config.as_ref().clone()),
            None => MakeRustlsConnect::with_webpki_roots(),
        }
    }
}

impl Wanted {
    /// Loads the authorities and tells the client to insist on TLS; `None` if none is wanted.
    ///
    /// # Errors
    /// [`DatabaseError::Address`] if the file of `sslrootcert` holds no certificate.
    pub fn then_load(self, config: &mut Config) -> Result<Option<Tls>, DatabaseError> {
        if !self.encrypted {
            config.ssl_mode(SslMode::Disable);
            return Ok(None);
        }
        config.ssl_mode(SslMode::Require);
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has a TLS provider already");
        }
        let own_roots = match self.root_file.as_deref() {
            None | Some("system") => None,
            Some(file) => Some(Arc::new(trusting(Path::new(file))?)),
        };
        Ok(Some(Tls { own_roots }))
    }
}

fn is_encrypted(mode: &str) -> Result<bool, DatabaseError> {
    match mode {
        "disable" | "allow" | "prefer" => Ok(false),
        "require" | "verify-ca" | "verify-full" => Ok(true),
        _ => Err(DatabaseError::Address(
            "its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full".to_owned(),
        )),
    }
}

/// Trusts the authorities in a PEM file, and no others.
fn trusting(file: &Path) -> Result<ClientConfig, DatabaseError> {
    let problem = |reason: String| DatabaseError::Address(format!("its sslrootcert {}: {reason}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| problem(error.to_string()))? {
        let certificate = certificate.map_err(|error| problem(error.to_string()))?;
        roots.add(certificate).map_err(|error| problem(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(problem("no certificate in it".to_owned()));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}
