//! The opened transfer: the message on screen, the files, everything as one ZIP; and its end.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Redirect, Response};

use super::html::Dressed;
use super::notes::Notes;
use super::text::{Piece, pieces};
use super::{message, preview, session, unlock};
use crate::reply::ReplyChannel;
use crate::transfer::access::{AccessError, Grant};
use crate::transfer::index::{Index, IndexFile};
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::http::{render, stream};
use crate::web::state::RecipientState;

#[derive(Template)]
#[template(path = "transfer.html")]
struct TransferPage<'a> {
    visit: &'a Visit,
    token: &'a str,
    index: &'a Index,
    /// Where it is answered.
    place: ReplyChannel,
    expires: String,
    sent: String,
    notes: Notes,
    text: Vec<Piece>,
    /// The HTML for paper: sanitised, in bare elements.
    printed: String,
    /// The HTML has pictures of elsewhere, which nobody fetches.
    has_remote: bool,
    files: Vec<FileRow>,
}

struct FileRow {
    number: u32,
    name: String,
    size: String,
    has_preview: bool,
}

/// `GET /t/{token}/files`
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    state.awaited.remove(unlock::link_of(&token), visit.client);
    if index.text.is_some() || index.html.is_some() {
        state.handouts.read(&visit, &grant, &method).await?;
    }
    let expires = visit.last_day(&grant.transfer().expires);
    let sent = visit.date(&grant.transfer().created);
    let files = rows(&visit, &index);
    let place = state.replies.within(&visit.scope()).channel(&grant, &index);
    let outline = match index.html {
        Some(part) => outline(grant.clone(), index.clone(), part).await?,
        None => Dressed::default(),
    };
    let text = match index.text {
        Some(part) => match message::text(grant, part).await {
            // The files may be there all the same.
            Err(WebError::Lost(lost)) => {
                visit.actions(&state.sender).lost(&lost).await;
                pieces(&visit.text("error-lost-text"))
            }
            text => pieces(&text?),
        },
        None => Vec::new(),
    };
    render::page(&TransferPage {
        visit: &visit,
        token: &token,
        index: &index,
        place,
        expires,
        sent,
        notes: Notes::of(&visit, &index.notes),
        text,
        printed: outline.plain,
        has_remote: outline.has_remote,
        files,
    })
}

/// What this page says of the HTML: nothing, where that is too much or lost. Then its frame tells.
async fn outline(grant: Grant, index: Index, part: u32) -> Result<Dressed, WebError> {
    let outline = move || message::outline(&grant, &index, part).map_err(WebError::unreadable);
    match stream::blocking(outline).await {
        Ok(outline) => Ok(outline.unwrap_or_default()),
        Err(WebError::Lost(..)) => Ok(Dressed::default()),
        Err(error) => Err(error),
    }
}

/// `POST /t/{token}/finish`: the session ends, the transfer stays for another visit. Who answered here is forgotten: the
/// next one at this computer may be somebody else.
pub async fn finish(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let ended = match session::grant(&state.access, &visit, &token, &headers).await {
        Ok(grant) => state.access.finish(grant, visit.client).await,
        // A visitor without a session wants to leave all the same.
        Err(WebError::NoSession(_)) => Ok(()),
        Err(error) => return Err(error),
    };
    ended.map_err(|error: AccessError| WebError::access(error, &token))?;
    state.awaited.remove(unlock::link_of(&token), visit.client);
    if let Some(browser) = session::browser(&visit, &headers) {
        state.replies.forget(&browser).await.map_err(|error| WebError::Trouble(error.to_string()))?;
    }
    let mut response = Redirect::to("/").into_response();
    session::end(&visit, &token, &mut response);
    Ok(response)
}

/// The attachments, and after them the pictures that are in the text.
fn rows(visit: &Visit, index: &Index) -> Vec<FileRow> {
    let row = |file: &IndexFile| FileRow {
        number: file.part,
        name: file.name.clone(),
        size: visit.size(&file.size),
        has_preview: preview::is_likely(file),
    };
    index.files.iter().map(row).collect()
}
