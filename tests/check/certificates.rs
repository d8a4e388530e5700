//! Certificates and keys. The dates are fixed where the golden file shows them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};

use crate::Case;

const WEB: &[(&str, &str)] = &[("[web]", "[web]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"")];
const SMTP: &[(&str, &str)] = &[("[smtp]", "[smtp]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"")];
const HOST: &str = "veilig.voorbeeld.nl";

pub const CASES: &[Case] = &[
    Case { name: "certificate-missing", edits: WEB, expected: ("error", "No such file"), ..CASE },
    Case {
        name: "certificate-that-is-none",
        edits: WEB,
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            fs::write(folder.join("cert.pem"), "no PEM").unwrap();
            Vec::new()
        }),
        expected: ("error", "no certificate in this file"),
        ..CASE
    },
    Case {
        name: "key-that-is-a-certificate",
        edits: WEB,
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            fs::copy(folder.join("cert.pem"), folder.join("key.pem")).unwrap();
            Vec::new()
        }),
        expected: ("error", "holds a certificate and no private key"),
        ..CASE
    },
    Case {
        name: "key-encrypted",
        edits: WEB,
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            let key = openssl::pkey::PKey::private_key_from_pem(&fs::read(folder.join("key.pem")).unwrap())
                .unwrap();
            let cipher = openssl::symm::Cipher::aes_256_cbc();
            fs::write(
                folder.join("key.pem"),
                key.private_key_to_pem_pkcs8_passphrase(cipher, b"geheim").unwrap(),
            )
            .unwrap();
            Vec::new()
        }),
        expected: ("error", "is encrypted"),
        ..CASE
    },
    Case {
        name: "key-of-another-certificate",
        edits: WEB,
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            let other = KeyPair::generate().unwrap();
            fs::write(folder.join("key.pem"), other.serialize_pem()).unwrap();
            Vec::new()
        }),
        expected: ("error", "of another certificate"),
        ..CASE
    },
    Case {
        name: "key-for-everybody",
        edits: WEB,
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            fs::set_permissions(folder.join("key.pem"), Permissions::from_mode(0o644)).unwrap();
            Vec::new()
        }),
        expected: ("warning", "everybody on this machine"),
        ..CASE
    },
    Case {
        name: "key-closed-to-the-service",
        edits: SMTP,
        arguments: &["--user", "65534"],
        prepare: Some(|folder| {
            pair(folder, &parameters(HOST));
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
            Vec::new()
        }),
        expected: ("error", "cannot read it"),
        ..CASE
    },
    Case {
        name: "certificate-expired",
        edits: WEB,
        prepare: Some(|folder| {
            let mut parameters = parameters(HOST);
            parameters.not_after = date_time_ymd(2021, 3, 4);
            pair(folder, &parameters)
        }),
        expected: ("error", "expired on Mar  4"),
        ..CASE
    },
    Case {
        name: "certificate-of-tomorrow",
        edits: SMTP,
        prepare: Some(|folder| {
            let mut parameters = parameters(HOST);
            parameters.not_before = date_time_ymd(2095, 1, 1);
            pair(folder, &parameters)
        }),
        expected: ("error", "is not valid before Jan  1"),
        ..CASE
    },
    Case {
        name: "certificate-near-its-end",
        edits: WEB,
        prepare: Some(|folder| {
            let mut parameters = parameters(HOST);
            let soon = zegel::clock::Clock::system().now().as_second() + 5 * 86_400 + 3600;
            parameters.not_after =
                date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(soon.unsigned_abs());
            pair(folder, &parameters);
            let shown = openssl::asn1::Asn1Time::from_unix(soon).unwrap().to_string();
            vec![(shown, "SOON".to_owned())]
        }),
        expected: ("warning", "in 5 days"),
        ..CASE
    },
    Case {
        name: "certificate-for-another-name",
        edits: WEB,
        prepare: Some(|folder| pair(folder, &parameters("www.voorbeeld.nl"))),
        expected: ("warning", "not for veilig.voorbeeld.nl (web.public_url)"),
        ..CASE
    },
    Case {
        name: "certificate-for-another-host",
        edits: SMTP,
        prepare: Some(|folder| pair(folder, &parameters("*.mail.voorbeeld.nl"))),
        expected: ("warning", "(hostname)"),
        ..CASE
    },
    Case {
        name: "certificate-of-itself",
        edits: WEB,
        prepare: Some(|folder| pair(folder, &parameters(HOST))),
        expected: ("warning", "signed itself"),
        ..CASE
    },
    Case {
        name: "chain-without-its-end",
        edits: WEB,
        prepare: Some(|folder| chain(folder, &[0])),
        expected: ("warning", "not complete"),
        ..CASE
    },
    Case {
        name: "chain-in-disorder",
        edits: WEB,
        prepare: Some(|folder| chain(folder, &[0, 2, 1])),
        expected: ("warning", "is issued by"),
        ..CASE
    },
    Case {
        name: "chain-backwards",
        edits: WEB,
        prepare: Some(|folder| chain(folder, &[2, 1, 0])),
        expected: ("error", "must be the first"),
        ..CASE
    },
    Case {
        name: "certificate-for-pages-in-clear",
        edits: &[
            ("[web]", "[web]\ntls_certificate = \"cert.pem\"\ntls_key = \"key.pem\""),
            ("https://", "http://"),
        ],
        prepare: Some(|folder| pair(folder, &parameters(HOST))),
        expected: ("warning", "no link in a notification opens"),
        ..CASE
    },
];

const CASE: Case =
    Case { name: "", edits: &[], environment: &[], arguments: &[], prepare: None, expected: ("", "") };

fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(2098, 1, 1);
    parameters
}

fn pair(folder: &Path, parameters: &CertificateParams) -> Vec<(String, String)> {
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    write(folder, &certificate.pem(), &key);
    Vec::new()
}

fn write(folder: &Path, certificates: &str, key: &KeyPair) {
    fs::write(folder.join("cert.pem"), certificates).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("key.pem"), Permissions::from_mode(0o600)).unwrap();
}

/// A certificate, the authority that signed it and the root that signed that, in this order of the file.
fn chain(folder: &Path, order: &[usize]) -> Vec<(String, String)> {
    let authority = |name: &str| {
        let mut parameters = parameters("ca.example");
        parameters.subject_alt_names.clear();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters
    };
    let root =
        CertifiedIssuer::self_signed(authority("Voorbeeld Root"), KeyPair::generate().unwrap()).unwrap();
    let middle =
        CertifiedIssuer::signed_by(authority("Voorbeeld Sub"), KeyPair::generate().unwrap(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = parameters(HOST).signed_by(&key, &middle).unwrap();
    let all = [leaf.pem(), middle.pem(), root.pem()];
    write(folder, &order.iter().map(|place| all[*place].as_str()).collect::<String>(), &key);
    Vec::new()
}
