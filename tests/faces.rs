//! What two municipalities look like to their people: the pictures of docs/faces.md, made anew. `./run pictures` keeps them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use mail_parser::{MessageParser, MimeHeaders};
use support::browser::Browser;
use support::demo::Demo;
use support::mail::{Notice, link_of};

/// Folder, name and language.
const NAMES: [(&str, &str, &str); 2] =
    [("voorbeeld", "Gemeente Voorbeeld", "nl"), ("zuiderveen", "Gemeente Zuiderveen", "fy")];

/// Where the pictures go.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/faces");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A page is as wide as its window, names who speaks, and is kept as a picture.
fn keep_as(browser: &Browser, name: &str, whose: &str) {
    let too_wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(browser.script(too_wide), 0, "{name}");
    let shown = browser.script("return document.body.innerText + [...document.images].map(i => i.alt)");
    assert!(shown.as_str().unwrap().contains(whose), "{name}: {shown}");
    browser.screenshot(&folder().join(format!("{name}.png")));
}

/// The HTML part as a file, with the picture in it that it shows.
fn as_page(notice: &Notice, name: &str) -> String {
    let message = MessageParser::default().parse(notice.raw.as_bytes()).unwrap();
    let logo = message.attachments().find(|part| part.content_id().is_some()).unwrap();
    let picture = folder().join(format!("{name}.logo.png"));
    fs::write(&picture, logo.contents()).unwrap();
    let id = format!("cid:{}", logo.content_id().unwrap());
    let html = message.body_html(0).unwrap().replace(&id, &format!("file://{}", picture.display()));
    let page = folder().join(format!("{name}.html"));
    fs::write(&page, html).unwrap();
    format!("file://{}", page.display())
}

#[test]
fn both_are_known_by_their_faces() {
    let demo = Demo::start(&["--two"]);
    for (number, (name, whose, language)) in NAMES.into_iter().enumerate() {
        assert_eq!(demo.send_sample(number).status, 303);
        let messages = demo.wait_for_messages(2 * (number + 1));
        let notices: Vec<Notice> = messages.iter().take(2).map(|message| demo.notice(message)).collect();
        let of = |kind: &str| notices.iter().find(|notice| notice.kind == kind).unwrap();
        let (notification, receipt) = (of("notification"), of("receipt"));
        let link = link_of(&notification.text, &demo.web[number]);
        let status =
            receipt.text.lines().find(|line| line.starts_with("http") && line.contains("/s/")).unwrap();
        let labels = ["Wachtwoord: ", "Wachtwurd: "];
        let password =
            labels.iter().find_map(|label| receipt.text.split(label).nth(1)?.lines().next()).unwrap();
        for (size, scheme, (width, height)) in
            [("desktop", "light", (900, 1000)), ("telephone", "dark", (390, 800))]
        {
            let browser = Browser::open(width, height, true);
            browser.prefer(scheme);
            let keep = |page: &str| keep_as(&browser, &format!("{name}-{page}-{size}"), whose);
            // The choice is remembered.
            browser.goto(&format!("{}/?lang={language}", demo.web[number]));
            keep("start");
            browser.goto(&link);
            keep("unlock");
            browser.type_into("input[name=password]", password);
            browser.click("main form button[type=submit]");
            browser.wait_for_url(&format!("{link}/files"));
            keep("message");
            browser.goto(status);
            keep("status");
            for notice in [notification, receipt] {
                browser.goto(&as_page(notice, &format!("{name}-{}", notice.kind)));
                keep(&format!("mail-{}", notice.kind));
            }
        }
    }
    assert_eq!(demo.stop().0, 0);
}
