//! What zegel seals is OpenPGP: a key packet with a sealed part behind it opens in programs
//! that share no code with ours, with the passphrase alone: rPGP, and sq 1.x under `./run sq`.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]

use std::io::Read;

use pgp::composed::Message;
use zegel::seal::keys::{Cost, Passphrase, TransferKey, Urgency, lock, unlock};
use zegel::seal::{read::read, write::write};
use zegel::secret::Secret;

const LINK_SECRET: &str = "0123456789abcdefghjkmnpqrs";

fn passphrase(password: Option<&str>) -> Passphrase {
    let password = password.map(|text| Secret::new(text.into()));
    Passphrase::new(&Secret::new(LINK_SECRET.into()), password.as_ref())
}

/// What one types by hand.
fn typed(password: Option<&str>) -> String {
    password.map_or(LINK_SECRET.into(), |password| format!("{LINK_SECRET}-{password}"))
}

/// A key packet and the sealed part that belongs behind it.
fn sealed(password: Option<&str>, cost: Cost, content: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = TransferKey::random();
    let mut part = Vec::new();
    write(&key, &mut part, "1-besluit.pdf", &mut &content[..]).unwrap();
    (lock(&key, &passphrase(password), cost, Urgency::Prompt).unwrap(), part)
}

/// Bytes that differ everywhere.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn open_with_rpgp(message: &[u8], passphrase: &str) -> Result<(Vec<u8>, Vec<u8>), pgp::errors::Error> {
    let mut message = Message::from_bytes(message)?.decrypt_with_password(&passphrase.into())?;
    let plain = message.as_data_vec()?;
    let name = message.literal_data_header().map(|header| header.file_name().to_vec());
    Ok((plain, name.unwrap_or_default()))
}

fn open_with_ours(key_packet: &[u8], part: &[u8], password: Option<&str>) -> Option<Vec<u8>> {
    let key = unlock(key_packet, &passphrase(password), std::time::Duration::from_secs(600)).ok()??;
    let mut plain = Vec::new();
    read(&key, part).ok()?.read_to_end(&mut plain).ok()?;
    Some(plain)
}

#[test]
fn rpgp_opens_every_size_and_every_cost() {
    for size in [0, 1, 4096, 70_000, 5_000_000] {
        for (password, cost) in [(None, Cost::Generated), (Some("k7xp-3hmx-9fru-42km"), Cost::Generated)] {
            let content = content(size);
            let (key_packet, part) = sealed(password, cost, &content);
            let message = [key_packet, part].concat();
            let (plain, name) = open_with_rpgp(&message, &typed(password)).unwrap();
            assert!(plain == content, "{size} octets");
            assert_eq!(name, b"1-besluit.pdf");
        }
    }
    let (key_packet, part) = sealed(Some("Zomer in Gent!"), Cost::Chosen, b"inhoud");
    let (plain, _) = open_with_rpgp(&[key_packet, part].concat(), &typed(Some("Zomer in Gent!"))).unwrap();
    assert_eq!(plain, b"inhoud");
}

#[test]
fn a_password_may_be_of_any_characters() {
    for password in ["wachtwoord é ñ 漢字 🔑", "-", " spaties ", "a\"b'c$d`e\\f", &"x".repeat(1000)] {
        let (key_packet, part) = sealed(Some(password), Cost::Generated, b"inhoud");
        assert_eq!(open_with_ours(&key_packet, &part, Some(password)).unwrap(), b"inhoud");
        let (plain, _) = open_with_rpgp(&[key_packet, part].concat(), &typed(Some(password))).unwrap();
        assert_eq!(plain, b"inhoud", "{password}");
    }
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let (key_packet, part) = sealed(Some("wachtwoord"), Cost::Generated, b"inhoud");
    let message = [key_packet.as_slice(), &part].concat();
    for wrong in [typed(None), typed(Some("Wachtwoord")), "wachtwoord".into(), String::new()] {
        assert!(open_with_rpgp(&message, &wrong).is_err(), "{wrong}");
    }
    assert!(open_with_ours(&key_packet, &part, None).is_none());
    assert!(open_with_ours(&key_packet, &part, Some("Wachtwoord")).is_none());
}

/// One recipient's key packet may be destroyed; the others' still open the same part (C25).
#[test]
fn every_recipients_key_packet_opens_the_same_part() {
    let key = TransferKey::random();
    let mut part = Vec::new();
    write(&key, &mut part, "1-besluit.pdf", &mut &b"inhoud"[..]).unwrap();
    for password in ["een", "twee"] {
        let key_packet = lock(&key, &passphrase(Some(password)), Cost::Generated, Urgency::Prompt).unwrap();
        let (plain, _) = open_with_rpgp(&[&key_packet[..], &part].concat(), &typed(Some(password))).unwrap();
        assert_eq!(plain, b"inhoud");
    }
}

/// C14, with the other implementation as the judge: what ours refuses, it refuses too.
#[test]
fn both_find_every_changed_byte() {
    let content = content(20_000);
    let (key_packet, part) = sealed(None, Cost::Generated, &content);
    let message = [key_packet.as_slice(), &part].concat();
    let tail = message.len() - 40;
    for at in (0..key_packet.len() + 60).step_by(7).chain((150..tail).step_by(997)).chain(tail..message.len())
    {
        let mut changed = message.clone();
        changed[at] ^= 1;
        let (key_packet, part) = changed.split_at(key_packet.len());
        assert!(open_with_ours(key_packet, part, None).is_none(), "byte {at}");
        let theirs = open_with_rpgp(&changed, &typed(None));
        assert!(theirs.is_err(), "rPGP, byte {at}");
    }
}

/// Needs sq 1.0 or newer on the path: `./run sq` builds it.
#[cfg(feature = "sq")]
#[test]
fn sq_opens_it_as_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let content = content(100_000);
    let (key_packet, part) = sealed(Some("k7xp-3hmx-9fru-42km"), Cost::Generated, &content);
    let (file, password) = (folder.path().join("1.pgp"), folder.path().join("passphrase"));
    std::fs::write(&file, [key_packet, part].concat()).unwrap();
    std::fs::write(&password, typed(Some("k7xp-3hmx-9fru-42km"))).unwrap();
    let out = std::process::Command::new("sq")
        .args(["--batch", "decrypt", "--password-file"])
        .args([&password, &file])
        .env("SEQUOIA_HOME", folder.path().join("home"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == content);
}
