//! The message itself on screen. HTML comes out of a kept library's allow-list into a sandboxed
//! document of its own: no script, no form, nothing fetched; pictures of the mail are put in as data,
//! because a sandboxed document sends no cookie (C18).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use ammonia::{Builder, UrlRelative, clean_text};
use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{parts, session};
use crate::id::base32;
use crate::message::kind::picture_type;
use crate::secret;
use crate::transfer::access::Grant;
use crate::transfer::index::Index;
use crate::web::http::error::WebError;
use crate::web::http::visit::Visit;
use crate::web::http::{headers, render, stream};
use crate::web::state::RecipientState;

/// What a sandboxed document of ours may do: show our own style and pictures that are in it. Links open
/// outside the sandbox, in a new tab, when somebody follows them.
fn policy(nonce: &str) -> String {
    format!(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; \
         style-src 'nonce-{nonce}'; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    )
}

/// Text beyond this is not shown; the download has all of it.
const MAX_TEXT: u64 = 2 * 1024 * 1024;
/// HTML beyond these is not shown: a parser's work grows with the square of what is nested or listed in it,
/// and the HTML may be a stranger's that somebody passed on (H13).
pub const MAX_HTML: u64 = 512 * 1024;
const MAX_TAGS: usize = 20_000;
/// All pictures of one message together.
const MAX_PICTURES: u64 = 16 * 1024 * 1024;

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    visit: &'a Visit,
    nonce: &'a str,
    style: &'static str,
    /// Out of the allow-list: the one text that is not escaped.
    html: &'a str,
}

/// `GET /t/{token}/message`: the HTML text, for the frame of the opened transfer or a tab of its own.
pub async fn show(
    State(state): State<RecipientState>,
    visit: Visit,
    Path(token): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let (grant, index) = session::open(&state.access, &visit, &token, &headers).await?;
    let part = index.html.ok_or(WebError::NotFound)?;
    state.handouts.read(&visit, &grant, &method).await?;
    let html = stream::blocking(move || html(&grant, &index, part).map_err(WebError::unreadable)).await?;
    document(&visit, html)
}

/// A sandboxed page around HTML that [`clean`] has been over; without any, it says why there is none.
pub fn document(visit: &Visit, html: Option<String>) -> Result<Response, WebError> {
    let html = html.unwrap_or_else(|| format!("<p>{}</p>", clean_text(&visit.text("transfer-too-large"))));
    // A file of its own could not be loaded: a sandboxed document is same-origin with nothing.
    let style = include_str!("../../../web/assets/message.css");
    let nonce = base32(&secret::random::<16>());
    let mut response = render::page(&MessagePage { visit, nonce: &nonce, style, html: &html })?;
    headers::sandbox(&mut response, &policy(&nonce))?;
    Ok(response)
}

/// The plain text of the message.
pub async fn text(grant: Grant, part: u32) -> Result<String, WebError> {
    stream::blocking(move || read(&grant, part, MAX_TEXT).map_err(WebError::unreadable)).await
}

/// The HTML text that is part `part`, cleaned, with its pictures; `None` when it is too much. Blocking.
pub fn html(grant: &Grant, index: &Index, part: u32) -> io::Result<Option<String>> {
    let html = read(grant, part, MAX_HTML + 1)?;
    Ok(clean(&html, pictures(grant, index, &html)?))
}

/// A part as text; what is not UTF-8 shows as a replacement character.
pub fn read(grant: &Grant, part: u32, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    parts::open(grant, part)?.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The pictures that `html` names by Content-ID (RFC 2392), as `data:` URLs.
fn pictures(grant: &Grant, index: &Index, html: &str) -> io::Result<HashMap<String, String>> {
    let mut pictures = HashMap::new();
    let mut room = MAX_PICTURES;
    for file in &index.files {
        let Some(id) = file.content_id.as_deref().map(|id| id.trim_matches(['<', '>'])) else { continue };
        if file.size > room || !html.contains(id) {
            continue;
        }
        let mut bytes = Vec::new();
        parts::open(grant, file.part)?.take(room).read_to_end(&mut bytes)?;
        room = room.saturating_sub(file.size);
        if let Some(media_type) = picture_type(&bytes) {
            pictures.insert(id.to_owned(), format!("data:{media_type};base64,{}", STANDARD.encode(&bytes)));
        }
    }
    Ok(pictures)
}

/// HTML of which only text, structure and known pictures are left; `None` when it is too much. Colours and
/// widths stay where mail has always put them, in attributes; `style` goes, so that no page of ours needs
/// `unsafe-inline` (H24).
pub fn clean(html: &str, pictures: HashMap<String, String>) -> Option<String> {
    if html.len() as u64 > MAX_HTML || memchr::memchr_iter(b'<', html.as_bytes()).count() > MAX_TAGS {
        return None;
    }
    // Starts with a letter, as the name of an element must; no mail can know it.
    let mark = format!("z{}-", base32(&secret::random::<10>()));
    let font = format!("{mark}font");
    let marked: Vec<String> = REOPENED.iter().map(|name| format!("{mark}{name}")).collect();
    let mut attributes: HashMap<&str, HashSet<&str>> =
        ATTRIBUTES.iter().map(|(tag, names)| (*tag, names.iter().copied().collect())).collect();
    attributes.insert(&font, ["color", "face", "size"].into());
    let clean = Builder::default()
        .add_tags(marked.iter().map(String::as_str))
        .rm_tags(["article", "aside", "header", "footer", "nav", "map", "area"])
        .tag_attributes(attributes)
        .generic_attributes(["lang", "dir"].into())
        .url_schemes(["http", "https", "mailto", "tel", "cid"].into())
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(move |tag, name, value| filter(&pictures, tag, name, value))
        .clean(&mark_reopened(html, &mark))
        .to_string();
    Some(clean.replace(&mark, ""))
}

/// Elements that an HTML parser opens again in every paragraph after the one they were left open in: a mail
/// of 60 kB made of them grows to 200 MB. Under another name they are elements like any other, so
/// [`clean`] gives them one while it parses.
const REOPENED: [&str; 12] =
    ["b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"];

/// What is kept besides the text itself.
const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("a", &["href", "title"]),
    ("img", &["src", "alt", "title", "width", "height", "border"]),
    ("table", &["align", "bgcolor", "border", "cellpadding", "cellspacing", "width", "summary"]),
    ("tr", &["align", "bgcolor", "valign", "height"]),
    ("td", &["align", "bgcolor", "valign", "width", "height", "colspan", "rowspan"]),
    ("th", &["align", "bgcolor", "valign", "width", "height", "colspan", "rowspan", "scope"]),
    ("col", &["align", "span", "width"]),
    ("colgroup", &["align", "span", "width"]),
    ("p", &["align"]),
    ("div", &["align"]),
    ("h1", &["align"]),
    ("h2", &["align"]),
    ("h3", &["align"]),
    ("hr", &["align", "size", "width"]),
    ("ol", &["start", "type"]),
    ("ul", &["type"]),
];

/// Puts `mark` before the name wherever one of these elements may begin or end. It does not matter whether it
/// really does: what is marked loses the mark again.
fn mark_reopened(html: &str, mark: &str) -> String {
    let mut marked = String::with_capacity(html.len() * 2);
    let mut pieces = html.split('<');
    marked.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let (slash, rest) = piece.strip_prefix('/').map_or(("", piece), |rest| ("/", rest));
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or("");
        let is_reopened = REOPENED.iter().any(|reopened| reopened.eq_ignore_ascii_case(name));
        let mark = if is_reopened { mark } else { "" };
        marked.extend(["<", slash, mark, rest]);
    }
    marked
}

/// A picture is one of the mail's own, or none at all: nothing is fetched from anywhere.
fn filter<'a>(
    pictures: &HashMap<String, String>,
    tag: &str,
    name: &str,
    value: &'a str,
) -> Option<Cow<'a, str>> {
    match (tag, name) {
        ("img", "src") => pictures.get(value.strip_prefix("cid:")?).cloned().map(Cow::Owned),
        ("a", "href") if value.trim_start().starts_with("cid:") => None,
        _ => Some(Cow::Borrowed(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_active_and_nothing_foreign_is_left() {
        let pictures = HashMap::from([("logo@x".to_owned(), "data:image/png;base64,AAAA".to_owned())]);
        let html = r#"<html><head><style>body{background:url(https://evil.example/1)}</style>
            <base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example"></head>
            <body background="https://evil.example/2" onload="alert(1)"><p style="color:red" class="x" id="y">Hallo</p>
            <script>alert(2)</script><svg onload="alert(3)"><a xlink:href="javascript:alert(4)">x</a></svg>
            <img src="https://evil.example/3"><img src="//evil.example/4"><img src="cid:logo@x" onerror="alert(5)">
            <img srcset="https://evil.example/5 1x" src="data:image/svg+xml,<svg onload=alert(6)>">
            <a href="javascript:alert(7)">a</a><a href=" jav&#x09;ascript:alert(8)">b</a>
            <a href="https://voorbeeld.nl/">goed</a><iframe src="https://evil.example/6"></iframe>
            <form action="https://evil.example/7"><input name="p"><button>x</button></form>
            <object data="x"></object><embed src="x"><video src="https://evil.example/8"></video>
            <table bgcolor="red"><tr><td width="5">cel</td></tr></table>
            <math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(9)&gt;">"#;
        let clean = clean(html, pictures).unwrap();
        for bad in [
            "alert(1",
            "alert(2",
            "onload",
            "onerror=a",
            "script",
            "evil.example",
            "<form",
            "<input",
            "style=",
        ] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        for tag in ["<svg", "<style", "<iframe", "<object", "<embed", "<video", "<base", "<meta", "<body"] {
            assert!(!clean.contains(tag), "{tag} in {clean}");
        }
        assert!(clean.contains("<p>Hallo</p>"), "{clean}");
        assert!(clean.contains(r#"src="data:image/png;base64,AAAA""#), "{clean}");
        assert!(clean.contains(r#"<table bgcolor="red">"#), "{clean}");
        assert!(
            clean.contains(r#"href="https://voorbeeld.nl/""#) && clean.contains(r#"target="_blank""#),
            "{clean}"
        );
    }

    #[test]
    fn formatting_stays_where_it_was() {
        let html = r#"<P>a <B>b</B> <font color="red" onclick="x">c</font></P><base><body><i>open<p>d"#;
        let clean = clean(html, HashMap::new()).unwrap();
        assert_eq!(clean, r#"<p>a <b>b</b> <font color="red">c</font></p><i>open<p>d</p></i>"#);
        let text = "1 &lt;b&gt; 2 <!-- <b> --> <a href=\"https://x.nl/<b>\">y</a> <b";
        assert!(
            super::clean(text, HashMap::new()).unwrap().starts_with("1 &lt;b&gt; 2  <a href=\"https://x.nl/")
        );
    }

    #[test]
    fn hostile_html_stays_small() {
        let fonts: String = (0..3000).map(|n| format!("<font size={n}>")).collect();
        let html = format!("<p>{fonts}{}", "<p>x".repeat(3000));
        assert!(clean(&html, HashMap::new()).unwrap().len() < 4 * html.len());
        assert!(clean(&"<p>".repeat(MAX_TAGS + 1), HashMap::new()).is_none());
        assert!(clean(&"x".repeat(MAX_HTML as usize + 1), HashMap::new()).is_none());
    }
}
