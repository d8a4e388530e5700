//! The few files that pages are made up with: embedded, or read with the configuration, so that no path of a request
//! meets a disk.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use bytes::Bytes;

use crate::config::Branding;
use crate::id::base32;

const THEME: &str = include_str!("../../web/assets/theme.css");
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
        "theme.css" => (CSS, theme(branding).into()),
        "layout.css" => (CSS, LAYOUT.into()),
        "logo" => branding.logo.as_ref().map(|logo| (logo.media_type, logo.octets.clone().into()))?,
        "favicon" => (SVG, FAVICON.into()),
        "zegel.svg" => (SVG, MARK.into()),
        "page.js" => (SCRIPT, PAGE_SCRIPT.into()),
        "keep.js" => (SCRIPT, KEEP_SCRIPT.into()),
        "upload.js" => (SCRIPT, UPLOAD_SCRIPT.into()),
        _ => return None,
    })
}

/// Ours, then the organisation's: what it leaves out stays ours.
fn theme(branding: &Branding) -> String {
    [THEME, branding.theme.as_deref().unwrap_or_default()].concat()
}

/// Changes whenever one of ours does; says nothing about the version of the program.
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| {
        let all = [THEME, LAYOUT, MARK, FAVICON, PAGE_SCRIPT, KEEP_SCRIPT, UPLOAD_SCRIPT].concat();
        let mut version = base32(digest::digest(&digest::SHA256, all.as_bytes()).as_ref());
        version.truncate(8);
        version
    });
    &VERSION
}
