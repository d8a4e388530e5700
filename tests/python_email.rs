//! Files that come out of a message, beside what Python's `email` reads in it: the same names, the same bytes. It writes
//! half of the mails itself. And the picture on top of our own mails is what Python finds behind its id.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use zegel::message::crlf::CrlfBytes;
use zegel::message::mime::parts;

/// A mail and the files in it, in base64.
#[derive(Deserialize)]
struct Mail {
    mail: String,
    files: Vec<(String, String)>,
}

fn octets(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

#[test]
fn every_file_is_what_python_reads() {
    let output = Command::new("python3").arg("tests/python_email/mails.py").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(lines.lines().count() > 100);
    for line in lines.lines() {
        let Mail { mail, files } = serde_json::from_str(line).unwrap();
        let message = CrlfBytes::check(octets(&mail)).unwrap();
        let parts = parts(&message);
        let shown = String::from_utf8_lossy(message.as_slice());
        assert_eq!(parts.files.len(), files.len(), "{shown}");
        for (name, content) in files {
            let Some(file) = parts.files.iter().find(|file| file.name == name) else {
                panic!("no {name} in {shown}");
            };
            assert_eq!(file.data.as_ref(), octets(&content), "{name} in {shown}");
        }
    }
}

/// Prints what a mail shows: the address of the first picture in the HTML, and the part that it is in base64.
const SHOWN: &str = "
import base64, email, email.policy, re, sys
mail = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
assert not any(part.defects for part in mail.walk()), [part.defects for part in mail.walk()]
html = mail.get_body(('related', 'html'))
source = re.search('<img src=\"cid:([^\"]+)\"', html.get_body(('html',)).get_content()).group(1)
part = next(part for part in html.iter_parts() if part['Content-ID'] == '<' + source + '>')
assert (part.get_content_type(), part.get_content_disposition()) == ('image/png', 'inline')
assert not list(mail.iter_attachments()), 'nothing hangs on the mail'
print(base64.b64encode(part.get_content()).decode())
";

#[test]
fn the_logo_of_a_mail_is_what_python_reads() {
    let png = std::fs::read("deploy/examples/zuiderveen/logo.png").unwrap();
    for name in ["notification-face.nl", "receipt-face.nl"] {
        let mail = format!("tests/golden/{name}.eml");
        let output = Command::new("python3").args(["-c", SHOWN, &mail]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(octets(String::from_utf8(output.stdout).unwrap().trim()), png, "{name}");
    }
}
