//! Makes a transfer out of a message: writes every part sealed into the blob store, and locks the key
//! once for each recipient. Called by `intake` and `reply` in a thread that may block; nothing is promised to anyone
//! until the store has committed what comes out of here.
//!
//! What must never happen: plaintext on disk, a file name outside a sealed part, or parts that stay
//! behind after an error.

use std::borrow::Cow;
use std::io;
use std::mem::take;

use super::index::{Index, IndexAuthor, IndexFile};
pub use super::part_writer::FileData;
use super::part_writer::{NewPart, PartWriter};
use super::schedule::ReminderSchedule;
use super::{link, password};
use crate::address::Address;
use crate::calendar::Zone;
use crate::clock::Timestamp;
use crate::config::PasswordMode;
use crate::id::{Link, OrganisationId, TransferId};
use crate::locale::Language;
use crate::message::mailbox::Mailbox;
use crate::message::note::Note;
use crate::seal::keys::{Cost, Passphrase, TransferKey, lock};
use crate::seal::{Result, SealError};
use crate::secret::{LinkKey, Secret};
use crate::store::{Blobs, NewRecipient, NewTransfer};

/// A message that is to become a transfer.
#[derive(Debug)]
pub struct SealRequest<'a> {
    /// The message as its recipients may keep it.
    pub original: FileData<'a>,
    /// Its subject, without the trigger tag.
    pub subject: String,
    /// The name in its From field.
    pub from_name: Option<String>,
    /// The address in its From field.
    pub from_address: Option<String>,
    /// The other mailboxes there.
    pub co_authors: Vec<Mailbox>,
    /// Who sent it for its authors.
    pub agent: Option<Mailbox>,
    /// Those of them who may be named in mails.
    pub on_behalf_of: Vec<Address>,
    /// Its Message-ID, in angle brackets.
    pub message_id: Option<String>,
    /// The addresses to which answers go, where they do not go to the sender.
    pub reply_to: Vec<Address>,
    /// Its Date field.
    pub date: Option<String>,
    /// What it says, as plain text in UTF-8.
    pub text: Option<Cow<'a, [u8]>>,
    /// What it says, as HTML in UTF-8.
    pub html: Option<Cow<'a, [u8]>>,
    /// Attachments and pictures, in the order in which they are shown.
    pub files: Vec<FileContent<'a>>,
    /// What is to be said of it besides.
    pub notes: Vec<Note>,
    /// Whose transfer it is.
    pub organisation: OrganisationId,
    /// The receipt goes to this address.
    pub sender: Option<Address>,
    /// A machine sent it: nothing about it is ever mailed back.
    pub automatic: bool,
    /// Of the mails to the recipients; none: the gateway's own.
    pub language: Option<Language>,
    /// The sender is told of downloads; never where it is automatic.
    pub download_notice: bool,
    /// And of which files.
    pub file_names: bool,
    /// Each of them gets a link of its own.
    pub recipients: Vec<Address>,
    /// Now.
    pub created: Timestamp,
    /// When it will be destroyed.
    pub expires: Timestamp,
    /// Where its days begin and end.
    pub zone: Zone,
    /// Whether the link alone opens it.
    pub password: PasswordMode,
    /// A password that somebody chose, in the place of a generated one; as `password::normalise` gives it.
    pub chosen: Option<Secret>,
    /// Hashes of what names its thread from now on.
    pub thread: Vec<[u8; 32]>,
    /// Hashes of what it answers.
    pub answers: Vec<[u8; 32]>,
}

/// A file of the message.
#[derive(Debug)]
pub struct FileContent<'a> {
    /// A single safe path component, unique within the message.
    pub name: String,
    /// As declared.
    pub media_type: String,
    /// How the HTML names it.
    pub content_id: Option<String>,
    /// Another name of it there.
    pub content_location: Option<String>,
    /// Shown within the message.
    pub inline: bool,
    /// The file.
    pub data: FileData<'a>,
}

/// A transfer whose parts are durable, ready for the store, and what is told of it once only.
#[derive(Debug)]
pub struct Sealed {
    /// For the store.
    pub transfer: NewTransfer,
    /// The generated one, for the receipt and nowhere else (C24).
    pub password: Option<Secret>,
    /// For the notifications: one for each recipient, in their order.
    pub tokens: Vec<Secret>,
}

/// Seals a message. On an error no part stays behind.
///
/// Memory: what the request holds, a few buffers, and the 16 MiB (64 MiB for a chosen password) of one Argon2
/// run at a time, however many recipients there are.
pub fn seal(blobs: &dyn Blobs, link_key: &LinkKey, mut request: SealRequest<'_>) -> Result<Sealed> {
    if request.recipients.len() > usize::from(link::MAX_RECIPIENT) {
        return Err(SealError::TooManyRecipients);
    }
    let key = TransferKey::random();
    let link_key = &link_key.pinned();
    let parts = PartWriter::new(blobs, &key);
    let (created, expires, sender) = (request.created, request.expires, request.sender.take());
    let (language, file_names) = (request.language, request.file_names);
    let (message_id, reply_to) = (request.message_id.take(), take(&mut request.reply_to));
    let on_behalf_of = take(&mut request.on_behalf_of);
    let download_notice = request.download_notice && !request.automatic;
    let first_reminder = ReminderSchedule::of(created, expires, &request.zone).half;
    let (automatic, files) = (request.automatic, u32::try_from(request.files.len()).unwrap_or(u32::MAX));
    let (thread, answers) = (take(&mut request.thread), take(&mut request.answers));
    let (addresses, organisation) = (take(&mut request.recipients), request.organisation.clone());
    let chosen = request.chosen.take();
    let generated = match request.password {
        PasswordMode::Generated if chosen.is_none() => Some(password::generate()),
        _ => None,
    };
    let cost = if chosen.is_some() { Cost::Chosen } else { Cost::Generated };
    let urgency = cost.urgency(addresses.len());
    let password = chosen.as_ref().or(generated.as_ref());
    write_parts(&parts, request)?;

    let id = TransferId::random();
    let mut tokens = Vec::with_capacity(addresses.len());
    let mut recipients = Vec::with_capacity(addresses.len());
    for (number, address) in (1u16..).zip(addresses) {
        let link = Link { transfer: id.clone(), recipient: number };
        let passphrase = Passphrase::new(&link::link_secret(link_key, &link), password);
        let key_packet = lock(&key, &passphrase, cost, urgency)?;
        recipients.push(NewRecipient { number, address, key_packet });
        tokens.push(link::token(link_key, &link));
    }
    let parts = parts.finish()?;
    let transfer = NewTransfer {
        id,
        organisation,
        created,
        expires,
        sender,
        message_id,
        reply_to,
        on_behalf_of,
        password: password.is_some(),
        automatic,
        language,
        download_notice,
        file_names,
        first_reminder,
        parts,
        files,
        generation: link_key.generation(),
        recipients,
        thread,
        answers,
    };
    Ok(Sealed { transfer, password: generated, tokens })
}

/// Files first, so that the number in a file's URL is its part's; then text, HTML and the message
/// itself; the index, which tells of all of them, last.
fn write_parts(parts: &PartWriter<'_>, request: SealRequest<'_>) -> Result<()> {
    let (mut new, mut files) = (Vec::with_capacity(request.files.len() + 3), Vec::new());
    let mut add = |name: &str, data| {
        let number = u32::try_from(new.len() + 1).unwrap_or(u32::MAX);
        new.push(NewPart { number, name: name.to_owned(), data });
        number
    };
    for file in request.files {
        let FileContent { name, media_type, content_id, content_location, inline, data } = file;
        let part = add(&name, data);
        files.push(IndexFile { part, name, media_type, size: 0, inline, content_id, content_location });
    }
    let text = request.text.map(|text| add("message.txt", FileData::Bytes(text)));
    let html = request.html.map(|html| add("message.html", FileData::Bytes(html)));
    let message = add("message.eml", request.original);
    parts.write_all(new)?;

    let facts = parts.facts();
    for file in &mut files {
        file.size = facts.get(&file.part).map_or(0, |fact| fact.size);
    }
    let (subject, date) = (request.subject, request.date);
    let (from_name, from_address) = (request.from_name, request.from_address);
    let checksums = facts.into_iter().map(|(number, fact)| (number, fact.crc32)).collect();
    let agent = request.agent.unwrap_or_default();
    let (agent_name, agent_address) = (agent.name, agent.address.map(String::from));
    let author = |one: Mailbox| IndexAuthor { name: one.name, address: one.address.map(String::from) };
    let co_authors = request.co_authors.into_iter().map(author).collect();
    let index = Index {
        subject,
        from_name,
        from_address,
        co_authors,
        agent_name,
        agent_address,
        date,
        text,
        html,
        message,
        files,
        notes: request.notes,
        checksums,
    };
    let data = serde_json::to_vec(&index).map_err(io::Error::from)?.into();
    parts.write_all(vec![NewPart { number: 0, name: "index.json".to_owned(), data }])
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::seal::keys;
    use crate::seal::read::read;
    use crate::secret::Keys;
    use crate::store::{Part, discard};
    use crate::transfer::testing::{MemoryBlobs, ORIGINAL, request};

    fn link_key() -> LinkKey {
        Keys::derive(&[7; 32]).link
    }

    fn plaintext(blobs: &MemoryBlobs, key: &TransferKey, part: &Part) -> Vec<u8> {
        let mut plain = Vec::new();
        read(key, blobs.open(&part.blob).unwrap()).unwrap().read_to_end(&mut plain).unwrap();
        plain
    }

    fn unlock(packet: &[u8], passphrase: &Passphrase) -> Result<Option<TransferKey>> {
        keys::unlock(packet, passphrase, std::time::Duration::from_secs(600))
    }

    #[test]
    fn every_recipient_can_open_every_part() {
        let blobs = MemoryBlobs::default();
        let sealed = seal(&blobs, &link_key(), request(PasswordMode::Generated)).unwrap();
        let password = sealed.password.as_ref().unwrap();
        let transfer = &sealed.transfer;
        assert!(transfer.password);
        assert_eq!(sealed.tokens.len(), 2);
        let numbers: Vec<u32> = transfer.parts.iter().map(|part| part.number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);

        for (recipient, token) in transfer.recipients.iter().zip(&sealed.tokens) {
            let (link, secret) = link::parse(&link_key(), token.reveal()).unwrap();
            assert_eq!((&link.transfer, link.recipient), (&transfer.id, recipient.number));
            assert!(unlock(&recipient.key_packet, &Passphrase::new(&secret, None)).unwrap().is_none());
            let passphrase = Passphrase::new(&secret, Some(password));
            let key = unlock(&recipient.key_packet, &passphrase).unwrap().unwrap();

            let index: Index = serde_json::from_slice(&plaintext(&blobs, &key, &transfer.parts[0])).unwrap();
            assert_eq!(index.subject, "Besluit");
            let files: Vec<_> = index.files.iter().map(|file| (file.part, file.name.as_str())).collect();
            assert_eq!(files, [(1, "besluit.pdf"), (2, "logo.png")]);
            assert_eq!((index.text, index.html, index.message), (Some(3), Some(4), 5));
            assert_eq!(plaintext(&blobs, &key, &transfer.parts[1]), b"%PDF-1.7 KANARIE");
            assert_eq!(plaintext(&blobs, &key, &transfer.parts[5]), ORIGINAL);
            assert_eq!(index.files[0].size, transfer.parts[1].size);
            let checksums =
                [1, 2, 3, 4, 5].map(|part| crc32fast::hash(&plaintext(&blobs, &key, &transfer.parts[part])));
            assert_eq!(index.checksums, (1..).zip(checksums).collect());
        }
    }

    #[test]
    fn without_a_password_the_link_opens_it() {
        let blobs = MemoryBlobs::default();
        let mut request = request(PasswordMode::None);
        (request.text, request.html, request.files) = (None, None, Vec::new());
        let sealed = seal(&blobs, &link_key(), request).unwrap();
        assert!(sealed.password.is_none() && !sealed.transfer.password);
        let (_, secret) = link::parse(&link_key(), sealed.tokens[0].reveal()).unwrap();
        let key_packet = &sealed.transfer.recipients[0].key_packet;
        let key = unlock(key_packet, &Passphrase::new(&secret, None)).unwrap().unwrap();
        let index: Index =
            serde_json::from_slice(&plaintext(&blobs, &key, &sealed.transfer.parts[0])).unwrap();
        assert_eq!((index.text, index.html, index.message, index.files.len()), (None, None, 1, 0));
    }

    #[test]
    fn a_chosen_password_opens_it_and_costs_more() {
        let blobs = MemoryBlobs::default();
        let chosen = Secret::new("kamperfoelie-7".into());
        let request = SealRequest { chosen: Some(chosen.clone()), ..request(PasswordMode::Generated) };
        let sealed = seal(&blobs, &link_key(), request).unwrap();
        assert!(sealed.password.is_none() && sealed.transfer.password);
        let (_, secret) = link::parse(&link_key(), sealed.tokens[0].reveal()).unwrap();
        let key_packet = &sealed.transfer.recipients[0].key_packet;
        let open = |password| unlock(key_packet, &Passphrase::new(&secret, password)).unwrap();
        assert!(open(Some(&chosen)).is_some() && open(None).is_none());
        // RFC 9580 3.7.1.4 and 5.3.2: passes, lanes and memory stand behind the salt.
        assert!(key_packet.windows(3).any(|window| window == [3, 4, 16]));
    }

    /// C04: the store sees neither content nor names.
    #[test]
    fn nothing_readable_is_stored() {
        let blobs = MemoryBlobs::default();
        let sealed = seal(&blobs, &link_key(), request(PasswordMode::Generated)).unwrap();
        let password = sealed.password.as_ref().unwrap().reveal().as_bytes();
        let rows: Vec<u8> =
            sealed.transfer.recipients.iter().flat_map(|recipient| recipient.key_packet.clone()).collect();
        for canary in [b"KANARIE".as_slice(), b"besluit", b"Besluit", b"message", password] {
            for stored in blobs.contents().iter().chain([&rows]) {
                assert!(memchr::memmem::find(stored, canary).is_none());
            }
        }
    }

    /// C03: a disk that fills up at any moment leaves nothing behind.
    #[test]
    fn an_error_leaves_nothing_behind() {
        for allowed in 0..6 {
            let blobs = MemoryBlobs::failing_after(allowed);
            let error = seal(&blobs, &link_key(), request(PasswordMode::Generated)).unwrap_err();
            assert!(matches!(error, SealError::Io(_)), "{error:?}");
            assert!(blobs.contents().is_empty(), "after {allowed} parts");
        }
    }

    #[test]
    fn discards_what_was_not_committed() {
        let blobs = MemoryBlobs::default();
        let sealed = seal(&blobs, &link_key(), request(PasswordMode::None)).unwrap();
        assert_eq!(blobs.contents().len(), sealed.transfer.parts.len());
        discard(&blobs, sealed.transfer.parts.iter().map(|part| &part.blob));
        assert!(blobs.contents().is_empty());
    }

    #[test]
    fn a_stream_and_a_chosen_password_open_as_well() {
        let blobs = MemoryBlobs::default();
        let mut request = request(PasswordMode::None);
        request.chosen = Some(Secret::new("Zomer in Gent".into()));
        request.files[0].data = FileData::Stream(Box::new(std::io::repeat(b'x').take(200_000)));
        let sealed = seal(&blobs, &link_key(), request).unwrap();
        let (_, secret) = link::parse(&link_key(), sealed.tokens[0].reveal()).unwrap();
        let passphrase = Passphrase::new(&secret, Some(&Secret::new("Zomer in Gent".into())));
        let key = unlock(&sealed.transfer.recipients[0].key_packet, &passphrase).unwrap().unwrap();
        assert_eq!(sealed.transfer.parts[1].size, 200_000);
        assert_eq!(plaintext(&blobs, &key, &sealed.transfer.parts[1]), [b'x'; 200_000]);
    }
}
