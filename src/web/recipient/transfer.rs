//! The opened transfer: the message on screen, the files, everything as one ZIP; and its end.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Redirect, Response};

use super::{message, preview, session};
use crate::reply::ReplyChannel;
use crate::transfer::access::AccessError;
use crate::transfer::index::{Index, IndexFile};
use crate::web::http::error::WebError;
use crate::web::http::render;
use crate::web::http::visit::Visit;
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
    text: Vec<Piece>,
    files: Vec<FileRow>,
}

struct FileRow {
    number: u32,
    name: String,
    size: String,
    has_preview: bool,
}

/// A piece of the message's text.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words
    Words(String),
    /// A web address, to be followed by hand only
    Link(String),
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
    if index.text.is_some() {
        state.handouts.read(&visit, &grant, &method).await?;
    }
    let expires = visit.last_day(&grant.transfer().expires);
    let sent = visit.date(&grant.transfer().created);
    let files = rows(&visit, &index);
    let place = state.replies.under(visit.settings.clone(), &grant.link().transfer).channel(&grant, &index);
    let text = match index.text {
        Some(part) => match message::text(grant, part).await {
            // The files may be there all the same.
            Err(WebError::Lost(link, part)) => {
                visit.actions(&state.sender).lost(&link, part).await;
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
        text,
        files,
    })
}

/// `POST /t/{token}/finish`: the session ends, the transfer stays for another visit.
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

/// Finds the web addresses in a text.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = ["https://", "http://"].iter().filter_map(|scheme| rest.find(scheme)).min() {
        let (words, tail) = rest.split_at(start);
        let end = tail.find(|c: char| c.is_whitespace() || "<>\"".contains(c)).unwrap_or(tail.len());
        let link =
            tail.get(..end).unwrap_or("").trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '\'']);
        pieces.push(Piece::Words(words.to_owned()));
        pieces.push(Piece::Link(link.to_owned()));
        rest = tail.get(link.len()..).unwrap_or("");
    }
    pieces.push(Piece::Words(rest.to_owned()));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_links_and_loses_no_letter() {
        let text = "Zie https://voorbeeld.nl/a?b=1. Of (http://x.nl), of <https://y.nl>!\nhttps://";
        let pieces = pieces(text);
        let links: Vec<&str> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Link(link) => Some(link.as_str()),
                Piece::Words(_) => None,
            })
            .collect();
        assert_eq!(&links[..3], ["https://voorbeeld.nl/a?b=1", "http://x.nl", "https://y.nl"]);
        let whole: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Link(text) | Piece::Words(text) => text.as_str(),
            })
            .collect();
        assert_eq!(whole, text);
    }
}
