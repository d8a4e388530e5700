//! Certificates and keys of the listeners: readable by the service, in date, for the right name, in order, and complete up to
//! a root that others know.

use std::path::Path;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509NameRef, X509StoreContext, X509VerifyResult};
use zeroize::Zeroizing;

use super::Findings;
use super::access::{ServiceUser, Wish};
use super::secrets::readable;
use super::values::host_of;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::settings::authority_of;
use crate::tls;

/// Days before the end at which a renewal has failed: they come a month before.
const SOON: i32 = 14;
/// Bits of an RSA key below which browsers refuse it.
const RSA_BITS: u32 = 2048;
/// What OpenSSL says of a chain (x509_vfy.h).
const SELF_SIGNED: [i32; 2] = [18, 19];
const NO_ISSUER: [i32; 3] = [2, 20, 21];

pub fn look(config: &Config, user: &ServiceUser, now: Timestamp, found: &mut Findings) {
    let (smtp, web) = (&config.smtp, &config.web);
    let authority = authority_of(&web.public_url);
    let (hostname, host) = (config.hostname.to_lowercase(), host_of(&authority));
    for (section, certificate, key, name_key, name) in [
        ("smtp", &smtp.tls_certificate, &smtp.tls_key, "hostname", hostname.as_str()),
        ("web", &web.tls_certificate, &web.tls_key, "web.public_url", host),
    ] {
        if let (Some(certificate), Some(key)) = (certificate, key) {
            let pair = Pair { section, certificate, key, name_key, name, now };
            pair.look(user, found);
        }
    }
}

/// A certificate with its key, and what it is for.
struct Pair<'a> {
    section: &'static str,
    certificate: &'a Path,
    key: &'a Path,
    name_key: &'static str,
    name: &'a str,
    now: Timestamp,
}

impl Pair<'_> {
    fn look(&self, user: &ServiceUser, found: &mut Findings) {
        let before = found.list.len();
        let key = self.private_key(user, found);
        if let Some(chain) = self.chain(user, found) {
            self.dates(&chain, found);
            self.names(&chain, found);
            self.order(&chain, key.as_ref(), found);
            if !found.has_errors_since(before) {
                self.completeness(&chain, found);
            }
        }
        // What rustls refuses beyond that.
        if !found.has_errors_since(before)
            && let Err(error) = tls::server(&self.files(), &[], &[])
        {
            let reason = format!("{0}.tls_certificate and {0}.tls_key: {error}", self.section);
            found.error(&self.certificate_key(), reason, "have the certificate issued anew");
        }
    }

    fn files(&self) -> tls::Pair {
        tls::Pair { certificate: self.certificate.into(), key: self.key.into(), names: Vec::new() }
    }

    fn certificate_key(&self) -> String {
        format!("{}.tls_certificate", self.section)
    }

    fn certificate_error(&self, found: &mut Findings, reason: &str, remedy: &str) {
        let key = self.certificate_key();
        found.error(&key, format!("{key}: {}: {reason}", self.certificate.display()), remedy);
    }

    fn certificate_warning(&self, found: &mut Findings, reason: &str, remedy: &str) {
        let key = self.certificate_key();
        found.warning(&key, format!("{key}: {}: {reason}", self.certificate.display()), remedy);
    }

    fn private_key(&self, user: &ServiceUser, found: &mut Findings) -> Option<PKey<Private>> {
        let key = format!("{}.tls_key", self.section);
        if self.key != self.certificate && !readable(&key, self.key, user, found) {
            return None;
        }
        let text = Zeroizing::new(std::fs::read(self.key).ok()?);
        let shown = self.key.display();
        let has = |part: &str| memchr::memmem::find(&text, part.as_bytes()).is_some();
        if has("ENCRYPTED") {
            let reason =
                format!("{key}: the key in {shown} is encrypted, and nobody is asked for its passphrase");
            found.error(
                &key,
                reason,
                format!("openssl pkey -in {shown} -out KEY.pem, readable by {} only", user.name),
            );
            return None;
        }
        // Without a callback OpenSSL would ask on the terminal.
        let Ok(private) = PKey::private_key_from_pem_callback(&text, |_| Ok(0)) else {
            let reason = match has("-----BEGIN CERTIFICATE") {
                true => format!("{key}: {shown} holds a certificate and no private key"),
                false => format!("{key}: no private key in {shown}"),
            };
            if self.key != self.certificate || text.starts_with(b"-----BEGIN") {
                found.error(&key, reason, "name the PEM file that begins with -----BEGIN PRIVATE KEY-----");
            }
            return None;
        };
        if private.rsa().is_ok() && private.bits() < RSA_BITS {
            let reason =
                format!("{key}: an RSA key of {} bits is too short; browsers refuse it", private.bits());
            found.error(&key, reason, "make an ECDSA key, or an RSA key of 2048 bits or more");
        }
        Some(private)
    }

    fn chain(&self, user: &ServiceUser, found: &mut Findings) -> Option<Vec<X509>> {
        if let Err(denied) = user.may(self.certificate, Wish::Read) {
            let reason = format!("the service runs as {} and cannot read it: {denied}", user.name);
            self.certificate_error(
                found,
                &reason,
                "let the group of the service read it, and enter its folder",
            );
            return None;
        }
        let text = match std::fs::read(self.certificate) {
            Ok(text) => text,
            Err(error) => {
                let remedy =
                    "name the file with the chain (fullchain.pem); paths are relative to the configuration";
                self.certificate_error(found, &error.to_string(), remedy);
                return None;
            }
        };
        let chain = X509::stack_from_pem(&text).unwrap_or_default();
        if chain.is_empty() {
            let remedy = "name the PEM file that begins with -----BEGIN CERTIFICATE-----";
            self.certificate_error(found, "no certificate in this file", remedy);
            return None;
        }
        Some(chain)
    }

    fn dates(&self, chain: &[X509], found: &mut Findings) {
        let Ok(now) = Asn1Time::from_unix(self.now.as_second()) else { return };
        for (index, certificate) in chain.iter().enumerate() {
            let which =
                if index == 0 { String::new() } else { format!("certificate {} of the chain ", index + 1) };
            let (from, until) = (certificate.not_before(), certificate.not_after());
            if *until < now {
                let reason = format!("{which}expired on {until}");
                self.certificate_error(found, &reason, "renew it, then `systemctl reload zegel`");
            } else if *from > now {
                let reason = format!("{which}is not valid before {from}");
                self.certificate_error(found, &reason, "wait, or look at the clock of this machine");
            } else if days_between(&now, until) < SOON {
                let reason = format!("{which}expires on {until}, in {} days", days_between(&now, until));
                self.certificate_warning(
                    found,
                    &reason,
                    "find out why it was not renewed, then `systemctl reload zegel`",
                );
            }
        }
    }

    fn names(&self, chain: &[X509], found: &mut Findings) {
        let Some(leaf) = chain.first() else { return };
        let names = names_of(leaf);
        if names.iter().any(|name| covers(name, self.name)) {
            return;
        }
        let reason = match names.as_slice() {
            [] => format!("it names no host (subjectAltName), so not {}", self.name),
            names => format!("it is for {}, not for {} ({})", names.join(", "), self.name, self.name_key),
        };
        let remedy = format!("have one issued for {}, or change {}", self.name, self.name_key);
        self.certificate_warning(found, &reason, &remedy);
    }

    /// The first must be of the key, and each be signed by the next (RFC 8446 4.4.2).
    fn order(&self, chain: &[X509], key: Option<&PKey<Private>>, found: &mut Findings) {
        let is_of_key = |certificate: &X509| {
            key.is_none_or(|key| certificate.public_key().is_ok_and(|public| public.public_eq(key)))
        };
        match chain.iter().position(is_of_key) {
            Some(0) => {}
            Some(place) => {
                let reason = format!(
                    "the certificate of the key is number {} in the file, and must be the first",
                    place + 1
                );
                self.certificate_error(found, &reason, "put the certificate first, then its intermediates");
                return;
            }
            None => {
                let reason = format!("the key in {0}.tls_key is of another certificate", self.section);
                self.certificate_error(
                    found,
                    &reason,
                    "name the key that the certificate was asked for with",
                );
                return;
            }
        }
        for (place, pair) in chain.windows(2).enumerate() {
            let [certificate, issuer] = pair else { continue };
            if issuer.issued(certificate) != X509VerifyResult::OK {
                let reason = format!(
                    "certificate {} is issued by {}, and certificate {} is {}",
                    place + 1,
                    shown(certificate.issuer_name()),
                    place + 2,
                    shown(issuer.subject_name())
                );
                self.certificate_warning(
                    found,
                    &reason,
                    "put each certificate in front of the one that signed it",
                );
            }
        }
    }

    fn completeness(&self, chain: &[X509], found: &mut Findings) {
        let Some(last) = chain.last() else { return };
        let Ok(result) = verify(chain) else { return };
        let issuer = shown(last.issuer_name());
        if SELF_SIGNED.contains(&result.as_raw()) {
            let reason = format!("it ends in {issuer}, which signed itself and is no root of this system");
            let remedy = "have it issued by a public authority, unless all who connect know this root";
            self.certificate_warning(found, &reason, remedy);
        } else if NO_ISSUER.contains(&result.as_raw()) {
            let reason = format!(
                "the chain is not complete: {issuer}, who signed the last certificate, is neither in the file nor a root of this system"
            );
            self.certificate_warning(found, &reason, "name the file with the whole chain (fullchain.pem)");
        } else if result != X509VerifyResult::OK {
            let reason = format!("others may refuse it: {}", result.error_string());
            self.certificate_warning(found, &reason, "have the certificate issued anew");
        }
    }
}

fn days_between(now: &Asn1TimeRef, until: &Asn1TimeRef) -> i32 {
    now.diff(until).map_or(i32::MAX, |difference| difference.days)
}

/// The DNS names and addresses of a certificate.
pub fn names_of(certificate: &X509) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let names = names.iter().flatten().filter_map(|name| {
        let address = || match name.ipaddress()? {
            [a, b, c, d] => Some(std::net::IpAddr::from([*a, *b, *c, *d]).to_string()),
            octets => Some(std::net::IpAddr::from(<[u8; 16]>::try_from(octets).ok()?).to_string()),
        };
        name.dnsname().map(str::to_lowercase).or_else(address)
    });
    names.collect()
}

/// RFC 6125 6.4: a star stands for one label, the first.
pub fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
        None => name == host,
    }
}

fn shown(name: &X509NameRef) -> String {
    let part = name.entries().filter_map(|entry| entry.data().to_string().ok()).last();
    let text = part.unwrap_or_else(|| "nobody".to_owned());
    format!("\"{}\"", text.escape_debug())
}

/// Against the roots of this system, dates aside.
fn verify(chain: &[X509]) -> Result<X509VerifyResult, openssl::error::ErrorStack> {
    let (store, mut others) = (system_store()?, Stack::new()?);
    for certificate in chain.iter().skip(1) {
        others.push(certificate.clone())?;
    }
    let Some(first) = chain.first() else { return Ok(X509VerifyResult::OK) };
    let mut context = X509StoreContext::new()?;
    context.init(&store, first, &others, |context| {
        context.verify_cert()?;
        Ok(context.error())
    })
}

fn system_store() -> Result<X509Store, openssl::error::ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    store.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
    for root in tls::system_root_certificates() {
        if let Ok(root) = X509::from_der(&root) {
            store.add_cert(root)?;
        }
    }
    Ok(store.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_label() {
        for (name, host, fits) in [
            ("veilig.voorbeeld.nl", "veilig.voorbeeld.nl", true),
            ("*.voorbeeld.nl", "veilig.voorbeeld.nl", true),
            ("*.voorbeeld.nl", "voorbeeld.nl", false),
            ("*.voorbeeld.nl", "a.veilig.voorbeeld.nl", false),
            ("voorbeeld.nl", "veilig.voorbeeld.nl", false),
        ] {
            assert_eq!(covers(name, host), fits, "{name} {host}");
        }
    }
}
