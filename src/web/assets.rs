//! The few files that pages are made up with: embedded, or read with the configuration, so that no path of a request
//! meets a disk.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use bytes::Bytes;

use crate::config::{Branding, Picture, Theme};
use crate::id::base32;

const LAYOUT: &str = include_str!("../../web/assets/layout.css");
/// Zegel's own mark, in the footer only: the head of a page is the organisation's.
const MARK: &str = include_str!("../../web/assets/zegel.svg");
const FAVICON: &str = include_str!("../../web/assets/favicon.svg");
const PAGE_SCRIPT: &str = include_str!("../../web/assets/page.js");
const KEEP_SCRIPT: &str = include_str!("../../web/assets/keep.js");
const UPLOAD_SCRIPT: &str = include_str!("../../web/assets/upload.js");

const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The media type and the bytes of the file called `name`.
pub fn find(name: &str, branding: &Branding) -> Option<(&'static str, Bytes)> {
    Some(match name {
        "theme.css" => (CSS, branding.theme.style_sheet.clone()),
        "layout.css" => (CSS, LAYOUT.into()),
        "logo" => picture(branding.logo.as_ref()?),
        "favicon" => branding.favicon.as_ref().map_or((SVG, FAVICON.into()), picture),
        "zegel.svg" => (SVG, MARK.into()),
        "page.js" => (SCRIPT, PAGE_SCRIPT.into()),
        "keep.js" => (SCRIPT, KEEP_SCRIPT.into()),
        "upload.js" => (SCRIPT, UPLOAD_SCRIPT.into()),
        _ => return None,
    })
}

fn picture(picture: &Picture) -> (&'static str, Bytes) {
    (picture.format.media_type(), picture.octets.clone())
}

/// Changes whenever one of ours does; says nothing about the version of the program.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let theme = Theme::default().style_sheet;
        let all = [LAYOUT, MARK, FAVICON, PAGE_SCRIPT, KEEP_SCRIPT, UPLOAD_SCRIPT].concat();
        let all = [theme.as_ref(), all.as_bytes()].concat();
        let mut version = base32(digest::digest(&digest::SHA256, &all).as_ref());
        version.truncate(8);
        version
    });
    &VERSION
}
