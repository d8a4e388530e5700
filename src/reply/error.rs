//! Why an answer cannot go on: one variant for each thing that a page must be able to say, and where.

use crate::clock::Timestamp;
use crate::id::UploadId;
use crate::store::StoreError;
use crate::transfer::access::AccessError;
use crate::transfer::strength::Strength;
use crate::verification::CodeError;

/// A field of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name.
    Name,
    /// The address that is to be verified.
    Email,
    /// The phone number.
    Phone,
    /// The message.
    Message,
    /// Recipients.
    To,
    /// Recipients.
    Cc,
    /// Recipients.
    Bcc,
    /// Days until it is destroyed.
    Expiry,
    /// The chosen password.
    Password,
    /// The files.
    Files,
    /// The verification code.
    Code,
}

/// What is wrong with a line of text, such as a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFault {
    /// There is nothing in it that can be seen.
    Empty,
    /// It has line breaks or control characters in it.
    Controls,
    /// It has `<` or `>` in it, as HTML has.
    Markup,
    /// It has invisible characters in it, or ones that turn the direction of writing.
    Invisible,
    /// Over 100 characters.
    TooLong,
}

/// Why it cannot go on. What was typed and uploaded is kept.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// Recipients cannot answer here.
    #[error("answering is switched off")]
    Disabled,
    /// The transfer has expired or was recalled meanwhile.
    #[error("the transfer is gone")]
    Closed,
    /// A recipient outside the organisation (C12).
    #[error("a recipient outside the organisation")]
    OutsideAddress {
        /// Where it stands
        field: Field,
        /// As typed
        address: String,
    },
    /// A recipient in the organisation who takes no part in the thread, and is not in the staff list (C40).
    #[error("a recipient who cannot be written to from here")]
    Stranger {
        /// Where it stands
        field: Field,
        /// As typed
        address: String,
    },
    /// Something in a field of recipients, or the address to verify, is no address.
    #[error("not an address")]
    BadAddress {
        /// Where it stands
        field: Field,
        /// As typed, cut where it is long
        text: String,
    },
    /// Nobody to send it to.
    #[error("no recipient")]
    NoRecipient,
    /// More recipients than this.
    #[error("more than {max} recipients")]
    TooManyRecipients {
        /// The most
        max: usize,
    },
    /// Neither a message nor a file.
    #[error("neither a message nor a file")]
    Empty,
    /// Two windows have written a message, and nobody has chosen between the two yet.
    #[error("two messages to choose from")]
    TwoTexts,
    /// Message and files together are more than this many bytes.
    #[error("more than {max} octets")]
    TooLarge {
        /// The most bytes
        max: u64,
    },
    /// The message alone has more than this many characters.
    #[error("a message of more than {max} characters")]
    TooLong {
        /// The most characters
        max: usize,
    },
    /// More files than this.
    #[error("more than {max} files")]
    TooManyFiles {
        /// The most
        max: usize,
    },
    /// The name or phone number cannot be used as it is.
    #[error("a line that cannot be used: {fault:?}")]
    BadLine {
        /// Name or phone
        field: Field,
        /// Why not
        fault: LineFault,
    },
    /// Not a number of days within these.
    #[error("not a number of days from 1 to {max}")]
    BadExpiry {
        /// The most days
        max: u32,
    },
    /// The chosen password is too weak.
    #[error("a weak password")]
    WeakPassword(Strength),
    /// No address was verified in this browser.
    #[error("no verified address")]
    NotVerified,
    /// The code is wrong.
    #[error("a wrong code, {left} tries left")]
    WrongCode {
        /// Tries that are left
        left: u32,
    },
    /// The code is older than ten minutes.
    #[error("the code has expired")]
    ExpiredCode,
    /// No code was asked for, or it has been used.
    #[error("there is no code")]
    NoCode,
    /// No code before then: too many were asked for, or tried.
    #[error("no code before {0}")]
    TooManyCodes(Timestamp),
    /// As many answers are being written as there may be, behind this link or in all; none begins before then.
    #[error("no new draft before {0}")]
    TooManyDrafts(Timestamp),
    /// No answer before then.
    #[error("no answer before {0}")]
    TooManyReplies(Timestamp),
    /// The disk has no room for it.
    #[error("the disk has no room for it")]
    DiskShort,
    /// The piece does not follow on what has come.
    #[error("the upload is at {offset}")]
    WrongOffset {
        /// Bytes that have come
        offset: u64,
    },
    /// The length is known already and was another, or less has been announced than has come.
    #[error("the length of the upload is another")]
    WrongLength,
    /// Another request is writing this upload.
    #[error("the upload is being written")]
    UploadLocked,
    /// As many uploads are being written as there may be, through this link or in all.
    #[error("too many uploads at once")]
    TooManyUploads,
    /// As many answers are being composed as there may be, through this link or in all.
    #[error("too many answers at once")]
    Busy,
    /// There is no such upload in this draft.
    #[error("no such upload")]
    UnknownUpload,
    /// A file has not come in whole; `name` is its name.
    #[error("an upload is not finished")]
    Unfinished { name: String },
    /// The connection broke; what had come is kept up to here.
    #[error("the upload broke off at {offset}: {cause}")]
    Broken {
        /// Bytes that have come
        offset: u64,
        /// What the connection said
        cause: std::io::Error,
    },
    /// Files whose name ends so are not taken; `name` is its name.
    #[error("an upload whose name does not end as it may")]
    BadType {
        name: String,
        /// The endings that are
        allowed: Vec<String>,
    },
    /// A file is a program, by its name or by its first bytes; `name` is its name.
    #[error("an upload that is a program")]
    Program { name: String },
    /// A file is something else than its name says, and was taken out; `name` is its name.
    #[error("an upload that is something else than its name says")]
    OtherType { name: String },
    /// The scanner says that there is a virus in a file, which was taken out; `name` is its name.
    #[error("a virus in an upload")]
    Infected { name: String },
    /// The scanner takes no file of this size, so it was taken out; `name` is its name.
    #[error("an upload that is too large for the scanner")]
    TooLargeToScan { name: String },
    /// A file can no longer be read, and was taken out; `name` is its name.
    #[error("upload {id} is missing or damaged")]
    LostFile { id: UploadId, name: String },
    /// The scanner could not be asked about a file, which stays; `name` is its name.
    #[error("the scanner cannot be asked")]
    NotScanned { name: String },
    /// The transfer that it answers cannot be read.
    #[error(transparent)]
    Access(AccessError),
    /// The store cannot be asked, or refuses.
    #[error(transparent)]
    Store(StoreError),
    /// Trouble of our own. The cause is for the log only.
    #[error("{0}")]
    Trouble(String),
}

impl ReplyError {
    /// The field that it is about, where the page has one.
    pub fn field(&self) -> Option<Field> {
        Some(match self {
            Self::OutsideAddress { field, .. }
            | Self::Stranger { field, .. }
            | Self::BadAddress { field, .. }
            | Self::BadLine { field, .. } => *field,
            Self::NoRecipient | Self::TooManyRecipients { .. } => Field::To,
            Self::Empty | Self::TwoTexts | Self::TooLong { .. } => Field::Message,
            Self::TooLarge { .. }
            | Self::TooManyFiles { .. }
            | Self::DiskShort
            | Self::UploadLocked
            | Self::TooManyUploads
            | Self::Unfinished { .. }
            | Self::BadType { .. }
            | Self::Program { .. }
            | Self::OtherType { .. }
            | Self::Infected { .. }
            | Self::TooLargeToScan { .. }
            | Self::LostFile { .. }
            | Self::NotScanned { .. }
            | Self::Broken { .. } => Field::Files,
            Self::BadExpiry { .. } => Field::Expiry,
            Self::WeakPassword(_) => Field::Password,
            Self::NotVerified => Field::Email,
            Self::WrongCode { .. } | Self::ExpiredCode | Self::NoCode | Self::TooManyCodes(_) => Field::Code,
            _ => return None,
        })
    }
}

/// An upload that can no longer be read, because a piece of it is missing or damaged for good.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a piece of upload {id} is missing or damaged")]
pub(super) struct LostUpload {
    pub id: UploadId,
    /// The file's name. Not for the log.
    pub name: String,
}

/// What a call gives.
pub type Result<T> = std::result::Result<T, ReplyError>;

impl From<crate::outbox::NoticeError> for ReplyError {
    fn from(error: crate::outbox::NoticeError) -> Self {
        match error {
            crate::outbox::NoticeError::Store(error) => error.into(),
            error => Self::Trouble(error.to_string()),
        }
    }
}

impl From<crate::seal::SealError> for ReplyError {
    fn from(error: crate::seal::SealError) -> Self {
        match error {
            crate::seal::SealError::Io(error) => error.into(),
            crate::seal::SealError::Busy => Self::Busy,
            error => Self::Trouble(error.to_string()),
        }
    }
}

impl From<AccessError> for ReplyError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Gone => Self::Closed,
            error => Self::Access(error),
        }
    }
}

impl From<CodeError> for ReplyError {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::TooMany(until) => Self::TooManyCodes(until),
            CodeError::Wrong { left } => Self::WrongCode { left },
            CodeError::Expired => Self::ExpiredCode,
            CodeError::None => Self::NoCode,
            CodeError::Store(error) => error.into(),
            CodeError::Notice(error) => error.into(),
        }
    }
}

impl From<StoreError> for ReplyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NearlyFull => Self::DiskShort,
            StoreError::Gone => Self::Closed,
            StoreError::TooMany(until) => Self::TooManyReplies(until),
            StoreError::File(cause) if cause.kind() == std::io::ErrorKind::StorageFull => Self::DiskShort,
            StoreError::File(cause) => match cause.get_ref().and_then(|cause| cause.downcast_ref()) {
                Some(LostUpload { id, name }) => Self::LostFile { id: id.clone(), name: name.clone() },
                None => Self::Store(StoreError::File(cause)),
            },
            error => Self::Store(error),
        }
    }
}

impl From<std::io::Error> for ReplyError {
    fn from(error: std::io::Error) -> Self {
        Self::from(StoreError::File(error))
    }
}
