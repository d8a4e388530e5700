//! The key of a transfer, and the key packets (SKESK version 6, RFC 9580 5.3.2) that hold it locked
//! under a recipient's passphrase. `transfer/sealing` locks, `transfer/access` alone unlocks.
//!
//! The library's own way to encrypt with a password uses the iterated S2K; ours is Argon2id, which
//! costs an attacker memory as well, so the packet is put together here. The key that locks it is made here, too, so
//! that `argon2` can bound how many do that at once.

use std::time::Duration;

use sequoia_openpgp as openpgp;

use openpgp::PacketPile;
use openpgp::crypto::{S2K, SessionKey};
use openpgp::packet::skesk::SKESK6;
use openpgp::packet::{Packet, SKESK};
use openpgp::parse::Parse;
use openpgp::serialize::SerializeInto;
use openpgp::types::{AEADAlgorithm, SymmetricAlgorithm};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use super::argon2::Urgency;
#[cfg(test)]
pub use super::argon2::hold_every_turn;
use super::argon2::{self, Work};
use super::{Result, SealError, ocb, openpgp as library};
use crate::secret::{self, Secret};

/// The cipher of key packets and of sealed parts.
pub(super) const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
/// The mode of both: mandatory in RFC 9580, so that every implementation reads it.
pub(super) const MODE: AEADAlgorithm = AEADAlgorithm::OCB;

/// What is authenticated with a key packet: its kind, version, cipher and mode (RFC 9580 5.3.2).
const BOUND: [u8; 4] = [0xc3, 6, 9, 2];

/// Longer than any key packet that we write (90 octets); nothing longer is parsed (H14).
const MAX_KEY_PACKET: usize = 256;

/// The random AES-256 key under which all parts of one transfer are sealed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TransferKey([u8; 32]);

impl TransferKey {
    /// A new one from the operating system's generator.
    pub fn random() -> Self {
        Self(secret::random())
    }

    /// One that was kept (wrapped, in a session).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key itself: for wrapping it, nothing else.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn session_key(&self) -> SessionKey {
        SessionKey::from(&self.0[..])
    }
}

impl std::fmt::Debug for TransferKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[transfer key]")
    }
}

/// What opens a key packet: the secret of the link, joined with the password where there is one.
#[derive(Clone, Debug)]
pub struct Passphrase(Secret);

impl Passphrase {
    /// `<link secret>` or `<link secret>-<password>`, as one would type it into `sq decrypt`.
    pub fn new(link_secret: &Secret, password: Option<&Secret>) -> Self {
        let mut text = link_secret.reveal().to_owned();
        if let Some(password) = password {
            let joined = [&text, "-", password.reveal()].concat();
            text.zeroize();
            text = joined;
        }
        Self(Secret::new(text))
    }
}

/// KiB to go through, in all passes together: two chosen passwords, or two dozen generated ones.
const MUCH: usize = 400 << 10;

/// How long a mail that is sealed waits for each of its turns: an SMTP client waits ten minutes (RFC 5321 4.5.3.2.6).
const LONGEST_WAIT: Duration = Duration::from_mins(2);

/// How much one try costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// 16 MiB, once: for generated passwords, whose 60 bits nobody can go through.
    Generated,
    /// 64 MiB, three times: for passwords that people choose.
    Chosen,
}

impl Cost {
    /// How much of it a mail to so many recipients asks for; over [`MUCH`] it is done in bulk.
    pub fn urgency(self, recipients: usize) -> Urgency {
        let Work { passes, exponent, .. } = self.work();
        let all = recipients.saturating_mul(usize::from(passes)) << exponent;
        if all > MUCH { Urgency::Bulk } else { Urgency::Prompt }
    }

    const fn work(self) -> Work {
        match self {
            Self::Generated => Work { passes: 1, lanes: 1, exponent: 14 },
            Self::Chosen => Work { passes: 3, lanes: 4, exponent: 16 },
        }
    }
}

/// Locks a transfer's key: one key packet, ready to be put in front of a sealed part.
/// Takes the time and memory of `cost`, and waits for its turn at both; [`SealError::Busy`] after two minutes, when a
/// mail had better come again.
pub fn lock(key: &TransferKey, passphrase: &Passphrase, cost: Cost, urgency: Urgency) -> Result<Vec<u8>> {
    let (work, salt, nonce) = (cost.work(), secret::random(), secret::random());
    let mut sealed = key.reveal().to_vec();
    let wrapping = wrapping_key(passphrase, &salt, work, urgency, LONGEST_WAIT)?;
    ocb::seal(&wrapping, nonce, &BOUND, &mut sealed)?;
    let s2k = S2K::Argon2 { salt, t: work.passes, p: work.lanes, m: work.exponent };
    let packet = SKESK6::new(CIPHER, MODE, s2k, nonce.into(), sealed.into()).map_err(library)?;
    Packet::from(packet).to_vec().map_err(library)
}

/// Unlocks a key packet; `None` when the passphrase is wrong (or a byte of the packet was changed: the
/// two cannot be told apart). Never spends more on a packet than [`Cost::Chosen`] asks (H14), and waits for its turn no
/// longer than `patience`: then it is [`SealError::Busy`], and nothing was tried.
pub fn unlock(key_packet: &[u8], passphrase: &Passphrase, patience: Duration) -> Result<Option<TransferKey>> {
    let packet = parse(key_packet)?;
    let S2K::Argon2 { salt, t: passes, p: lanes, m: exponent } = *packet.s2k() else {
        return Err(SealError::Foreign("the key packet does not use Argon2"));
    };
    let short = |_| SealError::Foreign("the nonce of the key packet has another length");
    let nonce = packet.aead_iv().try_into().map_err(short)?;
    let work = Work { passes, lanes, exponent };
    let key = wrapping_key(passphrase, &salt, work, Urgency::Prompt, patience)?;
    let Some(opened) = ocb::open(&key, nonce, &BOUND, packet.esk())? else { return Ok(None) };
    match TransferKey::from_bytes(&opened) {
        Some(key) => Ok(Some(key)),
        None => Err(SealError::Foreign("the key in the key packet is not an AES-256 key")),
    }
}

/// The key that the transfer's key is sealed under (RFC 9580 5.3.2).
fn wrapping_key(
    passphrase: &Passphrase,
    salt: &[u8; 16],
    work: Work,
    urgency: Urgency,
    patience: Duration,
) -> Result<Zeroizing<[u8; 32]>> {
    let stretched = argon2::derive(passphrase.0.reveal().as_bytes(), salt, work, urgency, patience)?;
    Ok(secret::expand_bytes(&stretched, b"", &BOUND))
}

/// Reads a key packet and refuses whatever [`lock`] does not write, before any work is done for it.
fn parse(key_packet: &[u8]) -> Result<SKESK6> {
    if key_packet.len() > MAX_KEY_PACKET {
        return Err(SealError::Foreign("the key packet is too long"));
    }
    let mut packets = PacketPile::from_bytes(key_packet).map_err(library)?.into_children();
    let (Some(Packet::SKESK(SKESK::V6(packet))), None) = (packets.next(), packets.next()) else {
        return Err(SealError::Foreign("the key packet is not one SKESK of version 6"));
    };
    if packet.symmetric_algo() != CIPHER || packet.aead_algo() != MODE {
        return Err(SealError::Foreign("the key packet is not locked with AES-256-OCB"));
    }
    let most = Cost::Chosen.work();
    match packet.s2k() {
        S2K::Argon2 { t, p, m, .. } if *t <= most.passes && *p <= most.lanes && *m <= most.exponent => {
            Ok(packet)
        }
        S2K::Argon2 { .. } => Err(SealError::Foreign("the key packet asks for too much work")),
        _ => Err(SealError::Foreign("the key packet does not use Argon2")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_out(packet: &[u8], passphrase: &Passphrase) -> Result<Option<TransferKey>> {
        unlock(packet, passphrase, LONGEST_WAIT)
    }

    fn passphrase(password: Option<&str>) -> Passphrase {
        let link_secret = Secret::new("0123456789abcdefghjkmnpqrs".into());
        Passphrase::new(&link_secret, password.map(|text| Secret::new(text.into())).as_ref())
    }

    #[test]
    fn unlocks_what_it_locked_and_nothing_else() {
        let key = TransferKey::random();
        for cost in [Cost::Generated, Cost::Chosen] {
            let packet = lock(&key, &passphrase(Some("wachtwoord")), cost, Urgency::Prompt).unwrap();
            assert_eq!(packet.len(), 90);
            let unlocked = try_out(&packet, &passphrase(Some("wachtwoord"))).unwrap().unwrap();
            assert_eq!(unlocked.reveal(), key.reveal());
            assert!(try_out(&packet, &passphrase(Some("Wachtwoord"))).unwrap().is_none());
            assert!(try_out(&packet, &passphrase(None)).unwrap().is_none());
        }
    }

    /// Both ways: key packets from before were locked by the library.
    #[test]
    fn the_library_makes_the_same_of_it() {
        let key = TransferKey::random();
        let (ours, password) = (passphrase(Some("wachtwoord")), "0123456789abcdefghjkmnpqrs-wachtwoord");
        for cost in [Cost::Generated, Cost::Chosen] {
            let packet = parse(&lock(&key, &ours, cost, Urgency::Prompt).unwrap()).unwrap();
            assert_eq!(packet.decrypt(&password.into()).unwrap()[..], key.reveal()[..]);
            let Work { passes: t, lanes: p, exponent: m } = cost.work();
            let s2k = S2K::Argon2 { salt: secret::random(), t, p, m };
            let (session_key, password) = (key.session_key(), password.into());
            let theirs = SKESK6::with_password(CIPHER, CIPHER, MODE, s2k, &session_key, &password).unwrap();
            let theirs = Packet::from(theirs).to_vec().unwrap();
            assert_eq!(try_out(&theirs, &ours).unwrap().unwrap().reveal(), key.reveal());
        }
    }

    #[test]
    fn the_passphrase_is_what_the_reference_says() {
        assert_eq!(passphrase(None).0.reveal(), "0123456789abcdefghjkmnpqrs");
        assert_eq!(passphrase(Some("é b")).0.reveal(), "0123456789abcdefghjkmnpqrs-é b");
        assert!(!format!("{:?}", passphrase(Some("geheim"))).contains("geheim"));
    }

    #[test]
    fn every_lock_is_different() {
        let key = TransferKey::random();
        let packet = || lock(&key, &passphrase(None), Cost::Generated, Urgency::Prompt).unwrap();
        assert_ne!(packet(), packet());
    }

    /// A flipped bit anywhere in a key packet opens nothing, and never makes us work longer (C14, H14).
    #[test]
    fn a_changed_key_packet_opens_nothing() {
        let packet =
            lock(&TransferKey::random(), &passphrase(None), Cost::Generated, Urgency::Prompt).unwrap();
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            assert!(!matches!(try_out(&changed, &passphrase(None)), Ok(Some(_))), "byte {at}");
        }
        for length in 0..packet.len() {
            assert!(!matches!(try_out(&packet[..length], &passphrase(None)), Ok(Some(_))), "{length} bytes");
        }
    }

    #[test]
    fn refuses_packets_that_cost_too_much() {
        for (t, p, m) in [(4, 4, 16), (3, 5, 16), (3, 4, 17), (1, 1, 31), (255, 255, 255)] {
            let s2k = S2K::Argon2 { salt: [7; 16], t, p, m };
            let packet = SKESK6::new(CIPHER, MODE, s2k, [0; 15].into(), [0; 48].into()).unwrap();
            let packet = Packet::from(packet).to_vec().unwrap();
            let refused = try_out(&packet, &passphrase(None));
            assert!(matches!(refused, Err(SealError::Foreign(_))), "{t} {p} {m}: {refused:?}");
        }
        let long = [0xc3; MAX_KEY_PACKET + 1];
        assert!(matches!(try_out(&long, &passphrase(None)), Err(SealError::Foreign(_))));
        let cheap = SKESK6::new(CIPHER, MODE, S2K::default(), [0; 15].into(), [0; 48].into()).unwrap();
        let cheap = Packet::from(cheap).to_vec().unwrap();
        assert!(matches!(try_out(&cheap, &passphrase(None)), Err(SealError::Foreign(_))));
    }
}
