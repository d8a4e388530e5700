//! The certificates of both listeners, with their keys, and until when they are valid. An organisation may have its own, which a
//! client is shown that asks for one of its names (RFC 6066 3).

use std::sync::Arc;

use rustls::ServerConfig;

use super::{Misconfigured, misconfigured};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::tls::{self, Pair, TlsError};

/// What ALPN offers for the pages.
pub const PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// What the listeners prove their names with.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Of the SMTP listener; with it STARTTLS is offered.
    pub smtp: Option<Arc<ServerConfig>>,
    /// Of the pages; with it they are served over HTTPS.
    pub web: Option<Arc<ServerConfig>>,
    /// From when on they are valid, by the section of the configuration that names them, or the domain of the organisation.
    pub valid_from: Vec<(String, Timestamp)>,
    /// Until when they are valid, likewise.
    pub valid_until: Vec<(String, Timestamp)>,
}

impl Certificates {
    /// Reads them as they are on disk now.
    pub(super) fn read(config: &Config) -> Result<Self, Misconfigured> {
        let (smtp, web) = (Listener::Smtp.pairs(config), Listener::Web.pairs(config));
        let validity: Vec<_> = smtp
            .iter()
            .chain(&web)
            .filter_map(|named| Some((&named.name, tls::validity(&named.pair.certificate)?)))
            .collect();
        Ok(Self {
            smtp: server(&smtp, &[]).map_err(misconfigured("smtp.tls_certificate and smtp.tls_key"))?,
            web: server(&web, PROTOCOLS).map_err(misconfigured("web.tls_certificate and web.tls_key"))?,
            valid_from: validity.iter().map(|(name, (from, _))| ((*name).clone(), *from)).collect(),
            valid_until: validity.iter().map(|(name, (_, until))| ((*name).clone(), *until)).collect(),
        })
    }
}

/// Who shows a certificate.
#[derive(Clone, Copy)]
enum Listener {
    Smtp,
    Web,
}

/// A certificate as the administrator knows it: `smtp`, `web of zuiderveen.nl`.
struct Named {
    name: String,
    pair: Pair,
}

impl Listener {
    /// The certificates that it shows, each once; the first to whoever asks for no name of ours.
    fn pairs(self, config: &Config) -> Vec<Named> {
        let mut pairs: Vec<Named> = Vec::new();
        for one in config.organisations() {
            let (section, certificate, key, name) = match self {
                Self::Smtp => ("smtp", &one.smtp.tls_certificate, &one.smtp.tls_key, one.hostname.clone()),
                Self::Web => ("web", &one.web.tls_certificate, &one.web.tls_key, one.web.host()),
            };
            let (Some(certificate), Some(key)) = (certificate, key) else { continue };
            let is_same =
                |known: &&mut Named| known.pair.certificate == *certificate && known.pair.key == *key;
            if let Some(known) = pairs.iter_mut().find(is_same) {
                known.pair.names.push(name);
                continue;
            }
            let shown = match one.organisation.domains.first() {
                Some(domain) if !pairs.is_empty() => format!("{section} of {domain}"),
                _ => section.to_owned(),
            };
            pairs.push(Named {
                name: shown,
                pair: Pair { certificate: certificate.clone(), key: key.clone(), names: vec![name] },
            });
        }
        pairs
    }
}

fn server(pairs: &[Named], protocols: &[&[u8]]) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let pairs: Vec<&Pair> = pairs.iter().map(|named| &named.pair).collect();
    let Some((first, others)) = pairs.split_first() else { return Ok(None) };
    tls::server(first, others, protocols).map(Some)
}
