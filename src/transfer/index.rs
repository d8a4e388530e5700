//! The table of contents of a transfer: part 0, sealed like the others, because file names, subject and
//! sender's name must not be readable in the store (C04). Written by `transfer/sealing`, read
//! through a `Grant`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::note::Note;

/// What is in a transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The subject, without a trigger tag.
    pub subject: String,
    /// The name in the From field.
    pub from_name: Option<String>,
    /// The address in the From field.
    pub from_address: Option<String>,
    /// The other mailboxes there.
    #[serde(default)]
    pub co_authors: Vec<IndexAuthor>,
    /// The name in the Sender field, where somebody else sent it for its authors.
    #[serde(default)]
    pub agent_name: Option<String>,
    /// The address there.
    #[serde(default)]
    pub agent_address: Option<String>,
    /// The Date field as it was written.
    pub date: Option<String>,
    /// The part with the message as plain text, in UTF-8.
    pub text: Option<u32>,
    /// The part with the message as HTML, in UTF-8.
    pub html: Option<u32>,
    /// The part with the original message.
    pub message: u32,
    /// The files, numbered from 1 in this order.
    pub files: Vec<IndexFile>,
    /// What is to be said of the message besides.
    #[serde(default)]
    pub notes: Vec<Note>,
    /// The CRC-32 of each part, for the ZIP; of none in transfers from before.
    #[serde(default)]
    pub checksums: BTreeMap<u32, u32>,
}

/// One of several authors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexAuthor {
    pub name: Option<String>,
    pub address: Option<String>,
}

/// A file of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFile {
    pub part: u32,
    /// A single safe path component, unique within the transfer.
    pub name: String,
    /// As the sender's program declared it: never to be believed for showing it.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// It is shown within the message rather than beside it.
    pub inline: bool,
    /// How the HTML of the message names it (RFC 2392).
    pub content_id: Option<String>,
    /// Where its sender has it on the web, which is another name of it in the HTML (RFC 2557).
    #[serde(default)]
    pub content_location: Option<String>,
}

impl Index {
    /// The file that is part `number`.
    pub fn file(&self, number: u32) -> Option<&IndexFile> {
        self.files.iter().find(|file| file.part == number)
    }
}

/// The file name that is sealed inside a part. The number in front makes it differ from every other part
/// of the transfer, so that two sealed parts cannot be exchanged in the store unnoticed (C14).
pub(super) fn sealed_name(part: u32, name: &str) -> String {
    format!("{part}-{name}")
}

/// Whether `name`, as found inside a part, was sealed as part number `part`.
pub(super) fn is_sealed_as(part: u32, name: &[u8]) -> bool {
    name.starts_with(sealed_name(part, "").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_knows_its_number() {
        assert!(is_sealed_as(1, sealed_name(1, "besluit.pdf").as_bytes()));
        assert!(!is_sealed_as(1, sealed_name(11, "besluit.pdf").as_bytes()));
        assert!(!is_sealed_as(1, sealed_name(2, "1-besluit.pdf").as_bytes()));
        assert!(!is_sealed_as(0, b""));
    }

    /// Transfers live for a year: what is in the store must stay readable.
    #[test]
    fn old_indexes_stay_readable() {
        let stored = r#"{"subject":"Besluit","from_name":"Jan","from_address":null,"date":null,"text":2,
            "html":null,"message":3,"files":[{"part":1,"name":"besluit.pdf","media_type":"application/pdf",
            "size":12,"inline":false,"content_id":null}]}"#;
        let index: Index = serde_json::from_str(stored).unwrap();
        assert_eq!(index.file(1).unwrap().name, "besluit.pdf");
        assert_eq!((index.text, index.message, index.file(2)), (Some(2), 3, None));
        assert_eq!(index.notes, []);
        let notes = r#"{"subject":"x","from_name":null,"from_address":null,"date":null,"text":null,"html":null,"message":1,
            "files":[],"notes":["encrypted",{"signed":{"by":["Jan"]}},{"meeting":{"kind":"request","subject":"Gesprek",
            "start":"2026-12-01T09:30:00Z","end":null,"is_whole_day":false,"place":null}}]}"#;
        assert_eq!(serde_json::from_str::<Index>(notes).unwrap().notes.len(), 3);
        assert!(index.checksums.is_empty());
        assert_eq!(serde_json::from_str::<Index>(&serde_json::to_string(&index).unwrap()).unwrap(), index);
    }
}
