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
use crate::reply::{Browser, NewUpload, ReplyError, Typed};
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
    /// Take a file out.
    Remove(UploadId),
    /// The same page in another language.
    Language(Language),
}

/// Takes the form in: text into the draft, files into its uploads.
pub async fn receive(
    reply: &ReplyContext,
    browser: &Browser,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Button, Problems), WebError> {
    // A form that is too large is read to its end all the same, within reason: a browser that is cut off shows no answer.
    let most = reply.visit.organisation.reply.max_size.bytes().saturating_mul(4).saturating_add(OVERHEAD);
    let pieces = incoming::pieces(reply, body, most);
    let form = multipart::open(content_type(headers), pieces)?;
    let typed = reply.draft(browser).await?.typed;
    let at_most =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
    let (is_kept, has_files, problems) = (true, false, Problems::default());
    Reading { reply, browser, typed, at_most, is_kept, has_files, problems }.read(form).await
}

/// The message of a form that comes too late. It stands before the files, and nothing of those is read.
pub async fn message(headers: &HeaderMap, body: Body) -> String {
    let read = async {
        let pieces = body.into_data_stream().map_err(io::Error::other);
        let mut form = multipart::open_texts(content_type(headers), pieces)?;
        while let Some(field) = form.next_field().await.map_err(FormFault::from)? {
            match field.name() {
                Some("message") => return multipart::text(field).await,
                Some("file") => break,
                _ => {}
            }
        }
        Ok::<_, FormFault>(String::new())
    };
    // Whatever is wrong with the form: that it comes too late is said all the same.
    timeout(LATE, read).await.ok().and_then(Result::ok).unwrap_or_default()
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

struct Reading<'a> {
    reply: &'a ReplyContext,
    browser: &'a Browser,
    typed: Typed,
    /// Bytes of the whole form, as far as its sender says.
    at_most: u64,
    /// The store has what was typed.
    is_kept: bool,
    /// Files came along.
    has_files: bool,
    problems: Problems,
}

impl Reading<'_> {
    async fn read(mut self, mut form: Multipart<'_>) -> Result<(Button, Problems), WebError> {
        let mut action = Button::default();
        while let Some(field) = form.next_field().await.map_err(FormFault::from)? {
            match field.name().unwrap_or("").to_owned().as_str() {
                "file" => self.file(field).await?,
                name => self.field(name, multipart::text(field).await?, &mut action)?,
            }
        }
        self.keep().await?;
        // On the way to the next screen, files that were left over are scanned as well.
        if self.has_files || matches!(action, Button::Next | Button::Add) {
            self.problems.append(self.reply.inspect(self.browser).await?);
        }
        Ok((action, self.problems))
    }

    /// A field too many is refused, not ignored (C12).
    fn field(&mut self, name: &str, text: String, action: &mut Button) -> Result<(), WebError> {
        match name {
            "to" => self.typed.to = text,
            // Browsers send line ends as CRLF, whatever was typed (HTML 4.10.22.8).
            "message" => self.typed.message = text.replace("\r\n", "\n"),
            "add" => *action = Button::Add,
            "keep" => *action = Button::Keep,
            "next" => *action = Button::Next,
            "remove" => *action = Button::Remove(text.parse().map_err(|_| WebError::NotFound)?),
            "lang" => *action = Button::Language(text.parse().map_err(|_| WebError::BadRequest)?),
            _ => return Err(WebError::BadRequest),
        }
        self.is_kept = self.is_kept && !matches!(name, "to" | "message");
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), WebError> {
        if !std::mem::replace(&mut self.is_kept, true) {
            let kept = self.reply.replies().save(&self.reply.grant, self.browser, self.typed.clone()).await;
            if let Err(error) = kept {
                self.problems.push(self.reply.problem(error)?);
            }
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
            Ok(0) => self.refuse("reply-error-file-empty", &name),
            Ok(_) => {}
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

    /// Uploads it, and takes it out again when it does not fit or is empty.
    async fn take(&self, field: &mut Field<'_>, upload: NewUpload) -> Result<u64, ReplyError> {
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
        taken
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
