//! Mail as Outlook and OpenSSL sign it, and as nobody should.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::symm::Cipher;
use openssl::x509::extension::{SubjectAlternativeName, SubjectKeyIdentifier};
use openssl::x509::{X509, X509NameBuilder};

use super::super::mime;
use super::super::note::Note;
use super::*;

const ENTITY: &str = "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
    Ondertekende tëkst\r\n--i\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n\
    JVBERi0xLjQ=\r\n--i--\r\n";

fn identity(name: &str, mail: Option<&str>) -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_nid(Nid::COUNTRYNAME, "NL").unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    // Where there is no other address, as certificates of before had it.
    if mail.is_none() {
        subject.append_entry_by_nid(Nid::PKCS9_EMAILADDRESS, "oud@voorbeeld.nl").unwrap();
    }
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(77).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    let context = builder.x509v3_context(None, None);
    let mut extensions = vec![SubjectKeyIdentifier::new().build(&context).unwrap()];
    extensions.extend(mail.map(|mail| SubjectAlternativeName::new().email(mail).build(&context).unwrap()));
    extensions.into_iter().for_each(|extension| builder.append_extension(extension).unwrap());
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}

fn sign(content: &[u8], more: CMSOptions) -> Vec<u8> {
    let (certificate, key) = identity("S. de Vries", Some("s.devries@voorbeeld.nl"));
    let options = CMSOptions::BINARY | more;
    let signed = CmsContentInfo::sign(Some(&certificate), Some(&key), None, Some(content), options).unwrap();
    signed.to_der().unwrap()
}

/// The same without lengths, and the content in pieces of ten bytes, as it is written by programs that stream.
fn without_lengths(der: &[u8]) -> Vec<u8> {
    let open = |tag: u8, content: &[u8]| [&[tag, 0x80], content, &[0, 0]].concat();
    let mut outer = Ber(der).next().unwrap().elements();
    let kind = outer.next().unwrap().whole;
    let mut fields = outer.next().unwrap().elements().next().unwrap().elements();
    let (version, digests) = (fields.next().unwrap().whole, fields.next().unwrap().whole);
    let mut content = fields.next().unwrap().elements();
    let data = content.next().unwrap().whole;
    let octets = content.next().unwrap().elements().next().unwrap().octets().unwrap();
    let pieces: Vec<u8> =
        octets.chunks(10).flat_map(|piece| [&[4, piece.len() as u8], piece].concat()).collect();
    let content = open(SEQUENCE, &[data, &open(CONTEXT, &open(0x24, &pieces))].concat());
    let signed = [version, digests, &content, fields.0].concat();
    open(SEQUENCE, &[kind, &open(CONTEXT, &open(SEQUENCE, &signed))].concat())
}

fn mail(header: &str, file: &[u8]) -> CrlfBytes {
    let lines = STANDARD.encode(file);
    CrlfBytes::normalised(format!("{header}Content-Transfer-Encoding: base64\n\n{lines}\n").as_bytes())
}

const HEADER: &str = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n";

type Files = Vec<(String, Vec<u8>)>;

fn show(mail: &CrlfBytes) -> (Option<String>, Files, Vec<Note>) {
    let parts = mime::parts(mail);
    let text = parts.text.map(|text| String::from_utf8(text.data.to_vec()).unwrap());
    (text, parts.files.into_iter().map(|file| (file.name, file.data.to_vec())).collect(), parts.notes)
}

fn by(names: &[&str]) -> Vec<Note> {
    vec![Note::Signed { by: names.iter().map(|name| (*name).to_owned()).collect() }]
}

#[test]
fn what_was_signed_is_shown_and_the_signed_file_stays() {
    let der = sign(ENTITY.as_bytes(), CMSOptions::empty());
    for file in [der.clone(), without_lengths(&der)] {
        for (header, name) in [
            (HEADER, "smime.p7m"),
            ("Content-Type: application/x-pkcs7-mime\n", "smime.p7m"),
            ("Content-Type: application/octet-stream; name=\"smime.p7m\"\n", "smime.p7m"),
            (
                "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"x.dat\"\n",
                "x.dat",
            ),
        ] {
            let mail = mail(header, &file);
            let (text, files, notes) = show(&mail);
            assert_eq!(text.as_deref(), Some("Ondertekende tëkst"), "{header}");
            assert_eq!(files, [(name.to_owned(), file.clone()), ("a.pdf".to_owned(), b"%PDF-1.4".to_vec())]);
            assert_eq!(notes, by(&["S. de Vries (s.devries@voorbeeld.nl)"]));
            let mut texts = Vec::new();
            assert!(!mime::texts(&mail, &mut |text| texts.push(text.to_owned())));
            assert!(texts.contains(&"Ondertekende tëkst".to_owned()), "the policy reads it too");
        }
    }
    let by_key = sign(ENTITY.as_bytes(), CMSOptions::USE_KEYID);
    assert_eq!(show(&mail(HEADER, &by_key)).2, by(&["S. de Vries (s.devries@voorbeeld.nl)"]));
    let (certificate, key) = identity("Burger", None);
    let old =
        CmsContentInfo::sign(Some(&certificate), Some(&key), None, Some(b"x"), CMSOptions::BINARY).unwrap();
    assert_eq!(read(&old.to_der().unwrap()).unwrap().by, ["Burger (oud@voorbeeld.nl)"]);
    let unnamed = sign(ENTITY.as_bytes(), CMSOptions::CMS_NOCERTS);
    assert_eq!(show(&mail(HEADER, &unnamed)).2, by(&[]));
}

#[test]
fn beside_other_text_it_stands_where_it_stood() {
    let part =
        String::from_utf8(mail(HEADER, &sign(ENTITY.as_bytes(), CMSOptions::empty())).into_vec()).unwrap();
    let mixed =
        format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{part}\n--b\n\nvoettekst\n--b--\n");
    let (text, files, _) = show(&CrlfBytes::normalised(mixed.as_bytes()));
    assert_eq!(text.as_deref(), Some("Ondertekende tëkst\r\n\r\nvoettekst"));
    assert_eq!(files.len(), 2);
}

#[test]
fn what_is_in_it_is_opened_as_well() {
    let inner = mail(HEADER, &sign(ENTITY.as_bytes(), CMSOptions::empty()));
    let twice = mail(HEADER, &sign(inner.as_slice(), CMSOptions::empty()));
    let (text, files, notes) = show(&twice);
    assert_eq!(text.as_deref(), Some("Ondertekende tëkst"));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, notes.len()), (vec!["smime.p7m", "smime (2).p7m", "a.pdf"], 1));
    let winmail = mail("Content-Type: application/ms-tnef\n", &super::super::tnef::tests::sample());
    let (_, files, _) = show(&mail(HEADER, &sign(winmail.as_slice(), CMSOptions::empty())));
    assert_eq!(files.last().unwrap(), &("lange náám.txt".to_owned(), b"inhoud".to_vec()));
}

#[test]
fn what_was_signed_need_not_be_a_message() {
    let header = "Content-Type: application/pkcs7-mime; name=besluit.pdf.p7m\n";
    let (text, files, _) = show(&mail(header, &sign(b"%PDF-1.7 \r\n\0\xff", CMSOptions::empty())));
    assert_eq!((text, files.len()), (None, 2));
    assert_eq!(files[1], ("besluit.pdf".to_owned(), b"%PDF-1.7 \r\n\0\xff".to_vec()));
    let (text, _, _) = show(&mail(HEADER, &sign("Zomaar tëkst".as_bytes(), CMSOptions::empty())));
    assert_eq!(text.as_deref(), Some("Zomaar tëkst"));
    let (text, files, _) = show(&mail(HEADER, &sign(b"\0\xff\0", CMSOptions::empty())));
    assert_eq!((text, files[1].1.as_slice()), (None, &b"\0\xff\0"[..]));
    let bare = ENTITY.replace("\r\n", "\n");
    let (text, files, _) = show(&mail(HEADER, &sign(bare.as_bytes(), CMSOptions::empty())));
    assert_eq!((text.as_deref(), files[1].1.as_slice()), (Some("Ondertekende tëkst"), &b"%PDF-1.4"[..]));
}

#[test]
fn what_is_encrypted_is_told_and_left_alone() {
    let (certificate, _) = identity("Anna", None);
    let mut to = Stack::new().unwrap();
    to.push(certificate).unwrap();
    let sealed =
        CmsContentInfo::encrypt(&to, ENTITY.as_bytes(), Cipher::aes_256_cbc(), CMSOptions::BINARY).unwrap();
    let sealed = sealed.to_der().unwrap();
    let header = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n";
    assert_eq!(
        show(&mail(header, &sealed)),
        (None, vec![("smime.p7m".to_owned(), sealed)], vec![Note::Encrypted])
    );
}

#[test]
fn what_has_no_content_or_is_broken_is_a_file() {
    let whole = sign(ENTITY.as_bytes(), CMSOptions::empty());
    let detached = sign(ENTITY.as_bytes(), CMSOptions::DETACHED);
    for file in [detached, whole[..whole.len() - 1].to_vec(), whole[..200].to_vec()] {
        assert_eq!(show(&mail(HEADER, &file)), (None, vec![("smime.p7m".to_owned(), file)], vec![]));
    }
}

/// Names are a stranger's: one short line.
#[test]
fn a_name_says_no_more_than_a_name() {
    let (certificate, key) = identity("Burgemeester\n\u{202e}Controle: in orde", None);
    let signed =
        CmsContentInfo::sign(Some(&certificate), Some(&key), None, Some(b"x"), CMSOptions::BINARY).unwrap();
    let read = read(&signed.to_der().unwrap()).unwrap();
    assert_eq!(read.by, ["Burgemeester Controle: in orde (oud@voorbeeld.nl)"]);
}

#[test]
fn no_cut_or_changed_octet_breaks_it() {
    let der = sign(ENTITY.as_bytes(), CMSOptions::empty());
    for file in [der.clone(), without_lengths(&der)] {
        for at in 0..file.len() {
            let _ = (kind(&file[..at]), read(&file[..at]));
            for value in [0, 0x80, 0xff, 0x24] {
                let mut changed = file.clone();
                changed[at] = value;
                let _ = (kind(&changed), read(&changed));
            }
        }
    }
}

/// H13: each in the other, in the form that grows least on its way out.
#[test]
fn hostile_layers_are_bounded() {
    let begun = std::time::Instant::now();
    let mut inner = [b"Content-Type: text/plain\r\n\r\n".as_slice(), &b"x\r\n".repeat(1 << 20)].concat();
    let element =
        |tag: u8, content: &[u8]| [&[tag, 0x84][..], &(content.len() as u32).to_be_bytes(), content].concat();
    let oid = |last: u8| [&[OID, 9], PKCS7, &[last]].concat();
    for _ in 0..60 {
        let content = element(SEQUENCE, &[oid(1), element(CONTEXT, &element(OCTETS, &inner))].concat());
        let signed = element(SEQUENCE, &[vec![INTEGER, 1, 1], vec![SET, 0], content].concat());
        let file = element(SEQUENCE, &[oid(2), element(CONTEXT, &signed)].concat());
        inner = [
            b"Content-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: binary\r\n\r\n".as_slice(),
            &file,
        ]
        .concat();
    }
    let arena = super::super::opened::Arena::new(inner.len(), super::super::tnef::Inner::Within);
    let mut survey = super::super::walk::Survey::default();
    let leaves = super::super::walk::opened_leaves(&inner, 0, &arena, &mut survey);
    assert!(survey.limited && leaves.len() < 10, "{}", leaves.len());
    assert!(begun.elapsed() < std::time::Duration::from_secs(20));
}
