//! The second screen as a browser without JavaScript sends it: `multipart/form-data` (RFC 7578) with the fields and
//! any number of files, read as it comes. Text stands before files in the page, so it is kept before the first
//! file; a file that cannot be taken costs nobody the others.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use futures_util::TryStreamExt;
use multer::{Field, Multipart};
use tokio::time::timeout;

use super::context::ReplyContext;
use super::incoming;
use super::problem::{FieldProblem, Problems};
use crate::id::UploadId;
use crate::locale::Language;
use crate::message::rewrite::safe_name;
use crate::reply::{Browser, Kept, MessageEdit, NewUpload, PageVersion, ReplyError, Typed, Upload};
use crate::web::http::error::WebError;
use crate::web::http::multipart::{self, FormFault};

/// Boundaries, headers and text around the files.
const OVERHEAD: u64 = 16 * 1024 * 1024;
/// How long the client of a form that is refused may take to send the rest of it.
const LATE: Duration = Duration::from_secs(30);

/// Which button was pressed.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Button {
    /// On to the next screen.
    #[default]
    Next,
    /// Only take the files.
    Add,
    /// Only keep what was typed: the page does that by itself while somebody types.
    Keep,
    /// Back to the transfer.
    Back,
    /// It is not the one who is named here.
    Other,
    /// Of two texts, keep the one from the other window.
    Theirs,
    /// Of two texts, keep both, one below the other.
    Both,
    /// Take a file out.
    Remove(UploadId),
    /// The same page in another language.
    Language(Language),
}

/// What came of a form.
pub struct Received {
    pub action: Button,
    pub problems: Problems,
    /// What the page shows, where it is not what the draft holds by now: it could not be kept, or another window has
    /// changed it as well.
    pub unsaved: Option<Typed>,
    /// It brought what was sent already.
    pub is_sent: bool,
}

/// Takes the form in: text into the draft, files into its uploads.
pub async fn receive(
    reply: &ReplyContext,
    browser: &Browser,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, WebError> {
    // A form that is too large is read to its end all the same, within reason: a browser that is cut off shows no answer.
    let most = reply.visit.organisation.reply.max_size.bytes().saturating_mul(4).saturating_add(OVERHEAD);
    let pieces = incoming::pieces(reply, body, most);
    let form = multipart::open(content_type(headers), pieces)?;
    let at_most =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let reading = Reading {
        reply,
        browser,
        action: Button::default(),
        edit: MessageEdit::default(),
        at_most,
        is_kept: true,
        files: Vec::new(),
        has_files: false,
        kept: Kept::default(),
        problems: Problems::default(),
    };
    reading.read(form).await
}

/// The texts of a form that comes too late, or without a session.
#[derive(Default)]
pub struct Texts {
    pub fields: Vec<(String, String)>,
    /// Files came along, or may have: nothing of them is read.
    pub has_files: bool,
}

impl Texts {
    /// Of a form that was read already.
    pub fn of(fields: &[(&str, &String)]) -> Self {
        let owned = |(name, text): &(&str, &String)| ((*name).to_owned(), (*text).clone());
        Self { fields: fields.iter().map(owned).collect(), has_files: false }
    }

    /// One of them, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }

    /// The second screen.
    pub fn message(&self) -> MessageEdit {
        let field =
            |name: &str| self.fields.iter().find(|(field, _)| field == name).map(|(_, text)| text.clone());
        MessageEdit {
            to: field("to"),
            message: field("message").map(|text| text.replace("\r\n", "\n")),
            version: PageVersion::parse(self.get("version")),
        }
    }

    /// The page sends it by itself while somebody types.
    pub fn is_kept_by_script(&self) -> bool {
        self.fields.iter().any(|(name, _)| name == "keep")
    }
}

/// Two texts, one below the other.
pub fn both(theirs: &str, mine: &str) -> String {
    format!("{}\n\n{mine}", theirs.trim_end())
}

/// What a form says in front of its first file: all that its page lets people type.
pub async fn texts(headers: &HeaderMap, body: Body) -> Texts {
    let mut texts = Texts::default();
    let read = async {
        let pieces = body.into_data_stream().map_err(io::Error::other);
        let mut form = multipart::open_texts(content_type(headers), pieces)?;
        while let Some(field) = form.next_field().await.map_err(FormFault::from)? {
            let name = field.name().unwrap_or("").to_owned();
            if field.file_name().is_some_and(|name| !name.is_empty()) {
                texts.has_files = true;
                break;
            }
            texts.fields.push((name, multipart::text(field).await?));
        }
        Ok::<_, FormFault>(())
    };
    // Whatever is wrong with the form: what could be read of it is given back all the same.
    if !matches!(timeout(LATE, read).await, Ok(Ok(()))) {
        tracing::debug!("a form without a session could not be read to its end");
    }
    texts
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

struct Reading<'a> {
    reply: &'a ReplyContext,
    browser: &'a Browser,
    action: Button,
    edit: MessageEdit,
    /// Bytes of the whole form, as far as its sender says.
    at_most: u64,
    /// The store has what was typed.
    is_kept: bool,
    /// Files that came in whole.
    files: Vec<UploadId>,
    /// Files came along.
    has_files: bool,
    kept: Kept,
    problems: Problems,
}

impl Reading<'_> {
    async fn read(mut self, mut form: Multipart<'_>) -> Result<Received, WebError> {
        while let Some(field) = form.next_field().await.map_err(FormFault::from)? {
            match field.name().unwrap_or("").to_owned().as_str() {
                "file" => self.file(field).await?,
                name => self.field(name, multipart::text(field).await?)?,
            }
        }
        self.keep().await?;
        self.replace_unfinished().await?;
        // On the way to the next screen, files that were left over are scanned as well.
        if self.has_files || matches!(self.action, Button::Next | Button::Add) {
            self.problems.append(self.reply.inspect(self.browser).await?);
        }
        let Self { action, problems, kept, is_kept, .. } = self;
        let unsaved = (!is_kept || !kept.conflicts.is_empty()).then_some(kept.typed);
        Ok(Received { action, problems, unsaved, is_sent: kept.is_sent })
    }

    /// A field too many is refused, not ignored (C12).
    fn field(&mut self, name: &str, text: String) -> Result<(), WebError> {
        let action = &mut self.action;
        match name {
            "version" => self.edit.version = PageVersion::parse(&text),
            "to" => self.edit.to = Some(text),
            // Browsers send line ends as CRLF, whatever was typed (HTML 4.10.22.8).
            "message" => self.edit.message = Some(text.replace("\r\n", "\n")),
            "add" => *action = Button::Add,
            "keep" => *action = Button::Keep,
            "next" => *action = Button::Next,
            "back" => *action = Button::Back,
            "other" => *action = Button::Other,
            "theirs" => *action = Button::Theirs,
            "both" => *action = Button::Both,
            "remove" => *action = Button::Remove(text.parse().map_err(|_| WebError::NotFound)?),
            "lang" => *action = Button::Language(text.parse().map_err(|_| WebError::BadRequest)?),
            _ => return Err(WebError::BadRequest),
        }
        self.is_kept = self.is_kept && !matches!(name, "to" | "message");
        Ok(())
    }

    /// Two texts were shown, and somebody has chosen: those buttons stand between the texts and the files.
    async fn settle(&mut self) -> Result<(), WebError> {
        let mine = match self.action {
            Button::Theirs => None,
            Button::Both => self.edit.message.take(),
            _ => return Ok(()),
        };
        let theirs = self.reply.draft(self.browser).await?.typed.message;
        self.edit.message = mine.map(|mine| both(&theirs, &mine));
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), WebError> {
        if std::mem::replace(&mut self.is_kept, true) {
            return Ok(());
        }
        self.settle().await?;
        let (replies, grant) = (self.reply.replies(), &self.reply.grant);
        match replies.keep_message(grant, self.browser, &self.edit).await {
            Ok(kept) => self.kept = kept,
            Err(error) => {
                self.problems.push(self.reply.problem(error)?);
                self.kept.typed = self.edit.shown_over(self.reply.draft(self.browser).await?.typed);
                self.is_kept = false;
            }
        }
        for field in self.kept.conflicts.clone() {
            let theirs = self.reply.draft(self.browser).await?.typed;
            self.problems.push(self.reply.conflict(field, &theirs));
        }
        Ok(())
    }

    /// Takes one file. Whatever is wrong with it becomes a message that names it; the rest of it is skipped.
    async fn file(&mut self, mut field: Field<'_>) -> Result<(), WebError> {
        self.keep().await?;
        let given = field.file_name().unwrap_or("").to_owned();
        let media_type = field.content_type().map(ToString::to_string).unwrap_or_default();
        if given.is_empty() {
            // A field of files in which none was chosen.
            return Ok(multipart::skip(field).await?);
        }
        self.has_files = true;
        let name = safe_name(&given);
        let upload = NewUpload { name: given, media_type, length: None, at_most: self.at_most };
        match self.take(&mut field, upload).await {
            Ok(Some(id)) => self.files.push(id),
            Ok(None) => self.refuse("reply-error-file-empty", &name),
            Err(ReplyError::Broken { cause, .. }) => {
                tracing::debug!(%cause, "a form was broken off");
                return Err(WebError::TooSlow);
            }
            Err(ReplyError::TooLarge { max }) => {
                let size = self.reply.visit.size(&max);
                let values = [("name", name.as_str()), ("size", size.as_str())];
                let text = self.reply.visit.language.format("reply-error-file-size", &values);
                self.problems.push(self.reply.problem(ReplyError::TooLarge { max })?.saying(text));
            }
            Err(error) => self.problems.push(self.reply.problem(error)?),
        }
        Ok(multipart::skip(field).await?)
    }

    /// Uploads it, and takes it out again when it does not fit or is empty: then there is none.
    async fn take(&self, field: &mut Field<'_>, upload: NewUpload) -> Result<Option<UploadId>, ReplyError> {
        let (replies, grant, browser) = (self.reply.replies(), &self.reply.grant, self.browser);
        let id = replies.create_upload(grant, browser, upload).await?;
        let pieces = field.map_err(io::Error::other);
        let taken = replies.append(grant, browser, &id, 0, pieces).await;
        match taken {
            Ok(length) if length > 0 => {
                replies.set_length(grant, browser, &id, length).await?;
            }
            _ => replies.remove_upload(grant, browser, &id).await?,
        }
        taken.map(|length| (length > 0).then_some(id))
    }

    /// "Choose the same file again": what had come of it before is not waited for any more.
    async fn replace_unfinished(&self) -> Result<(), WebError> {
        if self.files.is_empty() {
            return Ok(());
        }
        let uploads = self.reply.draft(self.browser).await?.uploads;
        let is_whole = |upload: &&Upload| self.files.contains(&upload.id);
        let is_again = |former: &&Upload| {
            let is_same = |whole: &Upload| former.name == whole.name && former.length == whole.length;
            !former.is_complete() && uploads.iter().filter(is_whole).any(is_same)
        };
        for upload in uploads.iter().filter(is_again) {
            match self.reply.replies().remove_upload(&self.reply.grant, self.browser, &upload.id).await {
                Err(ReplyError::UnknownUpload) => {}
                removed => self.reply.own(removed)?,
            }
        }
        Ok(())
    }

    fn refuse(&mut self, key: &str, name: &str) {
        self.problems.push(FieldProblem::new("files", self.reply.visit.with(key, "name", name)));
    }
}

impl From<FormFault> for WebError {
    fn from(fault: FormFault) -> Self {
        match fault {
            FormFault::Malformed => Self::BadRequest,
            FormFault::TooLarge => Self::TooLarge,
            FormFault::Broken => Self::TooSlow,
        }
    }
}
