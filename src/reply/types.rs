//! What pages and this folder say to each other: what somebody typed, what was uploaded, what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::address::Address;
use crate::clock::Timestamp;
use crate::id::{self, UploadId};
use crate::locale::Language;
use crate::secret::{self, Secret};

/// The value of the long-lived cookie that makes a browser known again: 32 random bytes. The store has only
/// their SHA-256; with a transfer's key they make the key of a draft, which is stored nowhere.
#[derive(Clone)]
pub struct Browser(Zeroizing<[u8; 32]>);

impl Browser {
    /// One that nobody has yet.
    #[allow(clippy::new_without_default, reason = "every one is different; a default would not be")]
    pub fn new() -> Self {
        Self(Zeroizing::new(secret::random()))
    }

    /// The value of a cookie; `None` for what cannot be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(id::from_base32(text)?);
        bytes.as_slice().try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// For the Set-Cookie field, and nowhere else.
    pub fn to_text(&self) -> Secret {
        Secret::new(id::base32(&self.0[..]))
    }

    /// The bytes, for the keys that follow from them.
    pub(super) fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[browser]")
    }
}

/// The way on which the reader of a transfer answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyChannel {
    /// On these pages.
    Here,
    /// In their own mail program: staff who read what a resident has sent. What they write in the thread is sealed, and
    /// from these pages no answer may reach the resident (C12).
    Mail,
    /// Answers are switched off.
    Nowhere,
}

/// An answer that is being written.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Everything in the fields, as it was typed.
    pub typed: Typed,
    /// In the order in which they were begun.
    pub uploads: Vec<Upload>,
}

/// Everything in the fields, exactly as it was typed: it is shown again, whatever is wrong with it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Typed {
    /// The author's name.
    pub name: String,
    /// Their address, as typed; [`Verified`] has the one that was proved.
    pub email: String,
    /// Optional.
    pub phone: String,
    /// The answer itself.
    pub message: String,
    /// Recipients, in any form that people paste.
    pub to: String,
    /// More of them.
    pub cc: String,
    /// More of them, whom the others do not see.
    pub bcc: String,
    /// What is folded away.
    pub settings: ReplySettings,
    /// The page that kept the message last: see [`super::PageVersion`].
    pub page: String,
    /// What another page brought meanwhile, until somebody has chosen between the two.
    pub aside: Option<Aside>,
}

/// A message that is kept beside that of a draft.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// As it was typed.
    pub message: String,
    /// The page that brought it.
    pub page: String,
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[what was typed]")
    }
}

/// What is folded away, with its defaults.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplySettings {
    /// Days until what was sent as a transfer is destroyed, or the date as `2026-12-24`, as typed; empty: the
    /// organisation's default.
    pub expiry_days: String,
    /// Of the mail to the recipients; `None`: the organisation's.
    pub language: Option<Language>,
    /// Of the pages as they are read, and so of the confirmation; `None`: the organisation's.
    pub page_language: Option<Language>,
    /// Mail me a confirmation.
    pub confirm: bool,
    /// Tell me when a file was downloaded.
    pub tell_downloads: bool,
    /// The confirmation names the files.
    pub show_names: bool,
    /// A password that was chosen, as typed; empty: one is generated. Only for delivery as a transfer.
    pub password: String,
}

impl Default for ReplySettings {
    fn default() -> Self {
        Self {
            expiry_days: String::new(),
            language: None,
            page_language: None,
            confirm: true,
            tell_downloads: false,
            show_names: false,
            password: String::new(),
        }
    }
}

/// A file that is to be uploaded.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// As the browser gave it.
    pub name: String,
    /// As the browser declared it.
    pub media_type: String,
    /// Bytes, where they are known before: [`super::Replies::set_length`] tells later.
    pub length: Option<u64>,
    /// Bytes that come at most where the length is not known: there must be room for so many.
    pub at_most: u64,
}

/// A file of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its name in URLs.
    pub id: UploadId,
    /// A single safe path component.
    pub name: String,
    /// The browser's name for it was another, with a path, or with something invisible in it.
    pub renamed: bool,
    /// As the browser declared it: never to be believed for showing it.
    pub media_type: String,
    /// Bytes that have come, and are durable.
    pub offset: u64,
    /// Bytes of the whole; `None` while nobody knows.
    pub length: Option<u64>,
    /// A virus scanner found nothing in it.
    pub is_scanned: bool,
}

impl Upload {
    /// Whether all of it is here.
    pub fn is_complete(&self) -> bool {
        self.length == Some(self.offset)
    }
}

/// The person to whom a browser belongs, proved by a code that went to the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// As typed when the code was asked for.
    pub name: String,
    /// The address that the code went to.
    pub address: Address,
    /// As typed; may be empty.
    pub phone: String,
    /// The browser is remembered until then.
    pub until: Timestamp,
}

/// The mail that staff will get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Its sender as a mail program shows it.
    pub from: String,
    pub subject: String,
    /// Its HTML part, a whole document of our own making, what was typed escaped.
    pub html: String,
    /// Its text part.
    pub text: String,
    /// In the To field.
    pub to: Vec<Address>,
    /// In the Cc field.
    pub cc: Vec<Address>,
    /// In no field.
    pub bcc: Vec<Address>,
}

/// What was sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SentReply {
    /// When it was accepted.
    pub at: Timestamp,
    /// What was sent along, in order.
    pub files: Vec<SentFile>,
    /// Everybody it went to; those in Bcc as well.
    pub recipients: Vec<Address>,
    /// The message, for the summary on screen and on paper. Never in a mail.
    pub message: String,
    /// SHA-256 of the message in UTF-8, in hexadecimal.
    pub message_sha256: String,
    /// The page that kept the message: what it brings again was sent already.
    #[serde(default)]
    pub page: String,
    /// Where the confirmation goes, if one was asked for.
    pub confirmation: Option<Address>,
    /// The same password as it is kept: sealed under the session in which it was made, so that nobody sees it after that.
    #[serde(default)]
    pub sealed_password: Option<Vec<u8>>,
    /// The password that was generated and that staff need, while that session lasts.
    #[serde(skip)]
    pub password: Option<Secret>,
}

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    /// Its safe name, unique within the answer.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_comes_back_from_its_cookie() {
        let browser = Browser::new();
        let text = browser.to_text();
        assert_eq!(text.reveal().len(), 52);
        assert_eq!(Browser::parse(text.reveal()).unwrap().reveal(), browser.reveal());
        for wrong in ["", "x", &"0".repeat(51), &"0".repeat(64), &"Z".repeat(52), "é"] {
            assert!(Browser::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{browser:?}"), "[browser]");
    }

    /// Drafts outlive an upgrade: what an older version wrote must stay readable.
    #[test]
    fn missing_fields_are_empty() {
        let typed: Typed = serde_json::from_str(r#"{"name":"Piet","settings":{"show_names":true}}"#).unwrap();
        assert_eq!(typed.name, "Piet");
        assert!(typed.settings.confirm && typed.settings.show_names && typed.message.is_empty());
        assert_eq!(format!("{typed:?}"), "[what was typed]");
    }
}
