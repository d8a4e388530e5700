//! A standard tus client, tus-js-client of the npm registry, against the upload endpoint: `tests/tus/`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::gateway::Site;
use support::resident::{Resident, STAFF, attachments, noise, seal};
use support::smarthost::{Script, Smarthost};

/// Installs what `tests/tus/package-lock.json` names, and nothing else, outside the source tree.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tus");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", "package-lock.json", "client.js"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tus").join(name);
        std::fs::copy(source, folder.join(name)).unwrap();
    }
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    let done = Command::new("npm").args(install).current_dir(&folder).status();
    assert!(done.unwrap().success(), "npm ci (Debian: npm)");
    folder
}

#[test]
fn a_client_of_others_uploads_resumes_and_removes() {
    let folder = install();
    let smarthost = Smarthost::start(Script::usual());
    let site = Site::new(smarthost.address(), "");
    let gateway = site.start();
    let (links, password) = seal(&smarthost, &site, &gateway, &["anna@example.org"]);
    let mut anna = Resident::verified(&links[0], &password, &smarthost);
    let file = noise(1_500_000);
    let path = folder.join(format!("{}.bin", std::process::id()));
    std::fs::write(&path, &file).unwrap();

    let endpoint = format!("{}/reply/files", anna.link);
    let client = Command::new("node")
        .arg("client.js")
        .args([&endpoint, &anna.cookie()])
        .arg(&path)
        .current_dir(&folder)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stderr));
    let urls: Vec<String> = serde_json::from_slice(&client.stdout).unwrap();
    assert_eq!(urls.len(), 3);
    for url in &urls {
        assert_eq!(anna.offset(url.strip_prefix(&endpoint).unwrap()), file.len());
    }

    let answer = anna.message(STAFF, "drie keer", &[], "next");
    assert_eq!(anna.tail(&answer), "/reply/check", "{}", answer.text());
    let sent = anna.send("");
    assert_eq!(anna.tail(&sent), "/reply/sent", "{}", sent.text());
    let has_files = |message: &[u8]| String::from_utf8_lossy(message).contains("\nReply-To: ");
    let seen = smarthost.wait(|seen| seen.taken.iter().any(|taken| has_files(&taken.message)));
    let mail = seen.taken.iter().find(|taken| has_files(&taken.message)).unwrap();
    let arrived = attachments(mail);
    assert_eq!(arrived.len(), 3, "the one that was removed does not come along");
    for (name, octets) in arrived {
        assert!(name.starts_with("foto é") && octets == file, "{name}");
    }
}
