//! Sample mails with canaries, and reading of what the gateway wrote.

use mail_parser::MessageParser;

use super::resident::base64;
use super::smarthost::Taken;

/// Texts of [`tagged`] that nobody but the recipient may ever see.
pub fn canaries() -> Vec<&'static str> {
    vec![
        "kanarie-onderwerp",
        "kanarie-tekst",
        "kanarie-opmaak",
        "kanarie-bestandsnaam",
        "kanarie-inhoud",
        "a2FuYXJpZS1pbmhvdWQ",
    ]
}

/// A confidential mail with text, HTML and an attachment.
pub fn tagged(from: &str, to: &str) -> Vec<u8> {
    format!(
        "From: Jan Jansen <{from}>\r\n\
         To: Anna <{to}>\r\n\
         Cc: bob@example.net\r\n\
         Subject: [vertrouwelijk] kanarie-onderwerp\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n\
         Message-ID: <canary-1@voorbeeld.nl>\r\n\
         References: <eerder@example.org>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=m\r\n\
         \r\n\
         --m\r\n\
         Content-Type: multipart/alternative; boundary=a\r\n\
         \r\n\
         --a\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         \r\n\
         kanarie-tekst\r\n\
         --a\r\n\
         Content-Type: text/html; charset=utf-8\r\n\
         \r\n\
         <p>kanarie-opmaak</p>\r\n\
         --a--\r\n\
         --m\r\n\
         Content-Type: text/plain; name=kanarie-bestandsnaam.txt\r\n\
         Content-Disposition: attachment; filename=kanarie-bestandsnaam.txt\r\n\
         Content-Transfer-Encoding: base64\r\n\
         \r\n\
         a2FuYXJpZS1pbmhvdWQ=\r\n\
         --m--\r\n"
    )
    .into_bytes()
}

/// A confidential mail with this file in it, which is called `fôto.bin`.
pub fn with_file(from: &str, to: &str, file: &[u8]) -> Vec<u8> {
    let lines: Vec<String> = file.chunks(57).map(base64).collect();
    format!(
        "From: {from}\r\nTo: {to}\r\nSubject: [vertrouwelijk] Foto\r\nMessage-ID: <foto@voorbeeld.nl>\r\n\
         Date: Fri, 20 Nov 2026 09:30:07 +0100\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=grens\r\n\r\n--grens\r\nContent-Type: text/plain\r\n\r\nHierbij.\r\n\
         --grens\r\nContent-Type: application/octet-stream; name*=UTF-8''f%C3%B4to.bin\r\n\
         Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--grens--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

/// One of the gateway's own mails.
pub struct Notice {
    /// `X-Zegel-Notice`
    pub kind: String,
    /// The MAIL line.
    pub mail: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The text part.
    pub text: String,
    /// All of it.
    pub raw: String,
}

impl Notice {
    /// Reads it; panics when it is none.
    pub fn of(taken: &Taken) -> Self {
        let message = MessageParser::default().parse(&taken.message).unwrap();
        assert!(message.root_part().is_multipart() && message.html_body_count() > 0);
        Self {
            kind: message.header_raw("X-Zegel-Notice").expect("a notice").trim().to_owned(),
            mail: taken.mail.clone(),
            to: taken.addresses().iter().map(ToString::to_string).collect(),
            text: message.body_text(0).unwrap().into_owned(),
            raw: text_of(taken),
        }
    }
}

/// The message as a recipient downloads it: without the tag in its subject, and else byte for byte what was sent.
pub fn as_opened(mail: &[u8]) -> Vec<u8> {
    const TAG: &[u8] = b"[vertrouwelijk] ";
    match mail.windows(TAG.len()).position(|window| window == TAG) {
        Some(at) => [&mail[..at], &mail[at + TAG.len()..]].concat(),
        None => mail.to_vec(),
    }
}

/// A mail as text.
pub fn text_of(taken: &Taken) -> String {
    String::from_utf8_lossy(&taken.message).into_owned()
}

/// The link that stands alone on a line.
pub fn link_of(text: &str, public_url: &str) -> String {
    let prefix = format!("{public_url}/t/");
    let alone = |line: &&str| line.starts_with(&prefix) && !line[prefix.len()..].contains(['/', ' ']);
    text.lines().find(alone).unwrap_or_else(|| panic!("no link alone on a line of {text}")).to_owned()
}

/// The password in a receipt.
pub fn password_of(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("Wachtwoord: "));
    line.unwrap_or_else(|| panic!("no password in {text}")).to_owned()
}
