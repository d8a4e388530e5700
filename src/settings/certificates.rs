//! The certificates of both listeners, with their keys, and until when they are valid.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;

use super::{Misconfigured, misconfigured};
use crate::clock::Timestamp;
use crate::config;
use crate::tls::{self, TlsError};

/// What ALPN offers for the pages.
pub const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// What the listeners prove their names with.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Of the SMTP listener; with it STARTTLS is offered.
    pub smtp: Option<Arc<ServerConfig>>,
    /// Of the pages; with it they are served over HTTPS.
    pub web: Option<Arc<ServerConfig>>,
    /// From when on they are valid, by the section of the configuration that names them.
    pub valid_from: Vec<(&'static str, Timestamp)>,
    /// Until when they are valid, by the section of the configuration that names them.
    pub valid_until: Vec<(&'static str, Timestamp)>,
}

impl Certificates {
    /// Reads them as they are on disk now.
    pub(super) fn read(smtp: &config::Smtp, web: &config::Web) -> Result<Self, Misconfigured> {
        let smtp_tls = server(&smtp.tls_certificate, &smtp.tls_key, &[]);
        let web_tls = server(&web.tls_certificate, &web.tls_key, PROTOCOLS);
        let files = [("smtp", &smtp.tls_certificate), ("web", &web.tls_certificate)];
        let validity =
            |(section, file): (_, &Option<PathBuf>)| Some((section, tls::validity(file.as_deref()?)?));
        let validity: Vec<_> = files.into_iter().filter_map(validity).collect();
        Ok(Self {
            smtp: smtp_tls.map_err(misconfigured("smtp.tls_certificate and smtp.tls_key"))?,
            web: web_tls.map_err(misconfigured("web.tls_certificate and web.tls_key"))?,
            valid_from: validity.iter().map(|(section, (from, _))| (*section, *from)).collect(),
            valid_until: validity.iter().map(|(section, (_, until))| (*section, *until)).collect(),
        })
    }
}

fn server(
    certificate: &Option<PathBuf>,
    key: &Option<PathBuf>,
    protocols: &[&[u8]],
) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let files = certificate.as_ref().zip(key.as_ref());
    files.map(|(certificate, key)| tls::server(certificate, key, protocols)).transpose()
}
