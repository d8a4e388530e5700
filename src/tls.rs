//! TLS as NCSC-NL asks for (H26): 1.3, and 1.2 with ECDHE and AEAD only, no early data, X25519MLKEM768
//! offered. One provider for all of it, named explicitly so that no default can differ.

mod expiry;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

pub use expiry::validity;

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read, or holds no PEM of the right kind.
    #[error("{path}: {reason}")]
    Pem {
        /// The file
        path: PathBuf,
        /// What is wrong with it
        reason: String,
    },
    /// Certificate and key do not fit together, or rustls refuses them.
    #[error("{path}: {source}")]
    Refused {
        /// The certificate file
        path: PathBuf,
        /// What rustls says
        source: rustls::Error,
    },
    /// The system has no trusted roots.
    #[error("no trusted root certificates found on this system (Debian: ca-certificates)")]
    NoRoots,
}

/// Sessions that a client may go on with, of each listener.
const SESSIONS: usize = 256;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate with its key, in PEM files, and the names for which it is shown.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Host names in any letter case.
    pub names: Vec<String>,
}

impl Pair {
    fn load(&self) -> Result<Arc<CertifiedKey>, TlsError> {
        let refused = |source| TlsError::Refused { path: self.certificate.clone(), source };
        let (chain, key) = (chain(&self.certificate)?, private_key(&self.key)?);
        Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider()).map_err(refused)?))
    }
}

/// Chooses by the name that the client asks for (RFC 6066 3): there is always one to show.
#[derive(Debug)]
struct ByName {
    named: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls gives a name in lower case.
        let named = hello.server_name().and_then(|name| self.named.get(name));
        Some(Arc::clone(named.unwrap_or(&self.first)))
    }
}

/// A server with one certificate or several, of which the first is shown to whoever asks for no name that is known.
/// `protocols` is what ALPN offers, in order of preference.
pub fn server(first: &Pair, others: &[&Pair], protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let mut by_name = ByName { named: HashMap::new(), first: first.load()? };
    for pair in others {
        let loaded = pair.load()?;
        let names = pair.names.iter().map(|name| (name.to_lowercase(), Arc::clone(&loaded)));
        by_name.named.extend(names);
    }
    let refused = |source| TlsError::Refused { path: first.certificate.clone(), source };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(by_name));
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    config.max_early_data_size = 0;
    // A ticket is the random name of a session in this memory: there is no key that could open recorded ones, and none
    // that several gateways would have to share. One that does not know the name shakes hands anew.
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok(Arc::new(config))
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::Pem { path: file.to_owned(), reason: error.to_string() })?;
    if chain.is_empty() {
        let reason = "no certificate in this file".to_owned();
        return Err(TlsError::Pem { path: file.to_owned(), reason });
    }
    Ok(chain)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| TlsError::Pem { path: file.to_owned(), reason: error.to_string() })
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system_root_certificates());
    roots
}

/// What this system trusts.
pub fn system_root_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

/// A client that checks the server's name and chain against the system's roots.
pub fn verifying_client() -> Result<Arc<ClientConfig>, TlsError> {
    let roots = system_roots();
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    builder(|config| config.with_root_certificates(roots).with_no_client_auth())
}

/// A client that checks the server's name and chain, against the roots in a PEM file where one is named, and shows a
/// certificate of its own where it has one.
pub fn client_of(
    roots: Option<&Path>,
    certificate: Option<&Path>,
    key: Option<&Path>,
) -> Result<ClientConfig, TlsError> {
    let trusted = match roots {
        Some(path) => {
            let mut trusted = RootCertStore::empty();
            trusted.add_parsable_certificates(chain(path)?);
            trusted
        }
        None => system_roots(),
    };
    if trusted.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let builder = client_builder()?.with_root_certificates(trusted);
    let (Some(certificate), Some(key)) = (certificate, key) else { return Ok(builder.with_no_client_auth()) };
    let refused = |source| TlsError::Refused { path: certificate.to_owned(), source };
    builder.with_client_auth_cert(chain(certificate)?, private_key(key)?).map_err(refused)
}

/// A client for `tls = "opportunistic"`: encrypts against listeners, believes any certificate.
pub fn opportunistic_client() -> Result<Arc<ClientConfig>, TlsError> {
    builder(|config| {
        config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            .with_no_client_auth()
    })
}

fn builder(
    finish: impl FnOnce(rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>) -> ClientConfig,
) -> Result<Arc<ClientConfig>, TlsError> {
    Ok(Arc::new(finish(client_builder()?)))
}

fn client_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|source| TlsError::Refused { path: PathBuf::new(), source })
}

/// Accepts every certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_names_and_have_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["veilig.voorbeeld.nl".to_owned()]).unwrap();
        let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let config = server(&Pair { certificate, key, names: Vec::new() }, &[], &[]).unwrap();
        assert!(!config.ticketer.enabled());
        assert!(config.session_storage.can_cache());
    }
}
