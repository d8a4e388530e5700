//! What a reader finds in a message (RFC 2046): a text, the same in HTML, and files. Used by `transfer`,
//! which seals each of them, and by `policy`. Nothing is lost: what is not shown as text is a file, and a
//! message beyond the limits stays whole as the `.eml` that every transfer holds (H13).

use std::borrow::Cow;
use std::collections::HashSet;

use super::crlf::CrlfBytes;
use super::encoded;
use super::header::Header;
use super::names;
use super::structure::Part;
use super::tnef;

/// Multiparts within multiparts.
const DEEPEST: usize = 100;
/// Parts in all.
const MOST_PARTS: usize = 10_000;

/// A message taken apart.
#[derive(Debug, Default)]
pub struct Parts<'a> {
    /// The body as plain text, in UTF-8.
    pub text: Option<MimePart<'a>>,
    /// The body as HTML, in UTF-8.
    pub html: Option<MimePart<'a>>,
    /// Everything else: attachments first, then the pictures that stand in the HTML.
    pub files: Vec<MimePart<'a>>,
    /// The message is beyond the limits; nothing was taken out of it.
    pub damaged: bool,
}

/// A part that a reader can open.
#[derive(Debug)]
pub struct MimePart<'a> {
    /// A safe path component with an extension; no two files have the same.
    pub name: String,
    /// `type/subtype`, in lower case.
    pub media_type: String,
    /// The identifier by which the HTML refers to it, without brackets.
    pub content_id: Option<String>,
    /// A picture that belongs in the HTML.
    pub inline: bool,
    /// The content without its transfer encoding.
    pub data: Cow<'a, [u8]>,
}

/// Takes a message apart.
pub fn parts(message: &CrlfBytes) -> Parts<'_> {
    let mut walk = Walk::default();
    let place = Place { depth: 0, parent: "", alternative: None, is_root: true };
    match walk.visit(message.as_slice(), place) {
        Ok(()) => walk.finish(),
        Err(BeyondLimits) => Parts { damaged: true, ..Parts::default() },
    }
}

struct BeyondLimits;

/// Where a part stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    depth: usize,
    parent: &'p str,
    /// The outermost multipart/alternative around it.
    alternative: Option<usize>,
    /// The message itself, or the first part of a multipart/related: the thing the others hang on.
    is_root: bool,
}

#[derive(Default)]
struct Walk<'a> {
    parts: Parts<'a>,
    seen: usize,
    /// The alternative from which the body was taken.
    body_from: Option<usize>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, raw: &'a [u8], place: Place<'_>) -> Result<(), BeyondLimits> {
        self.seen += 1;
        if self.seen > MOST_PARTS || place.depth > DEEPEST {
            return Err(BeyondLimits);
        }
        let default_type = if place.parent == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        let part = Part::parse(raw, default_type);
        let Some(children) = part.children() else {
            self.leaf(&part, place);
            return Ok(());
        };
        let own = (part.media_type() == "multipart/alternative").then_some(self.seen);
        for (index, child) in children.enumerate() {
            let place = Place {
                depth: place.depth + 1,
                parent: part.media_type(),
                alternative: place.alternative.or(own),
                is_root: part.media_type() == "multipart/related" && index == 0,
            };
            self.visit(child, place)?;
        }
        Ok(())
    }

    fn leaf(&mut self, part: &Part<'a>, place: Place<'_>) {
        // A multipart that can not be split is shown as the text it is.
        let is_html = part.media_type() == "text/html";
        let is_text =
            is_html || part.media_type() == "text/plain" || part.media_type().starts_with("multipart/");
        let is_named = part.name().is_some() && !place.is_root && place.alternative.is_none();
        if is_text && !part.is_attachment() && !is_named {
            self.body(part, is_html, place);
        } else if place.parent != "multipart/encrypted" || part.media_type() != "application/pgp-encrypted" {
            // The part left out is the line `Version: 1` (RFC 3156 4).
            self.file(part, place);
        }
    }

    /// The first text is the body, and so is the same text in the other form beside it.
    fn body(&mut self, part: &Part<'a>, is_html: bool, place: Place<'_>) {
        let data = part.text();
        if data.trim_ascii().is_empty() {
            return;
        }
        let is_first = self.parts.text.is_none() && self.parts.html.is_none();
        let is_beside = place.alternative.is_some() && place.alternative == self.body_from;
        let (slot, name, media_type) = match is_html {
            true => (&mut self.parts.html, "bericht.html", "text/html"),
            false => (&mut self.parts.text, "bericht.txt", "text/plain"),
        };
        let found = MimePart {
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            content_id: part.content_id(),
            inline: false,
            data,
        };
        if slot.is_none() && (is_first || is_beside) {
            *slot = Some(found);
            self.body_from = place.alternative;
        } else {
            self.add(MimePart { name: String::new(), ..found });
        }
    }

    fn file(&mut self, part: &Part<'a>, place: Place<'_>) {
        let data = part.content();
        let name = match (part.name(), part.media_type()) {
            (Some(name), _) => name,
            (None, "message/rfc822" | "message/global") => {
                let subject = Header::parse(&data).subject();
                if subject.is_empty() { "bericht.eml".to_owned() } else { format!("{subject}.eml") }
            }
            (None, _) if place.parent == "multipart/encrypted" => "encrypted.asc".to_owned(),
            (None, _) => String::new(),
        };
        let is_tnef = part.media_type() == "application/ms-tnef" || name.eq_ignore_ascii_case("winmail.dat");
        let wrapped = if is_tnef { tnef::attachments(&data, MOST_PARTS - self.seen) } else { Vec::new() };
        self.seen += wrapped.len();
        self.add(MimePart {
            name,
            media_type: part.media_type().to_owned(),
            content_id: part.content_id(),
            inline: part.is_inline(),
            data,
        });
        for attachment in wrapped {
            let name = attachment.name.unwrap_or_default();
            let media_type = names::media_type_of(&names::safe_name(&name)).to_owned();
            let data = Cow::Owned(attachment.data);
            self.add(MimePart { name, media_type, content_id: None, inline: false, data });
        }
    }

    /// Adds a file; an empty name means that it has none.
    fn add(&mut self, mut file: MimePart<'a>) {
        file.name = match file.name.as_str() {
            "" => names::name_for(&file.media_type, self.parts.files.len() + 1),
            name => names::with_extension(names::safe_name(name), &file.media_type),
        };
        self.parts.files.push(file);
    }

    fn finish(mut self) -> Parts<'a> {
        let references = self.parts.html.as_ref().map(|html| references(&html.data)).unwrap_or_default();
        for file in &mut self.parts.files {
            // SVG can hold scripts, so it is always a file.
            let is_picture = file.media_type.starts_with("image/") && file.media_type != "image/svg+xml";
            let is_placed = |id: &String| file.inline || references.contains(id.as_bytes());
            file.inline = is_picture && file.content_id.as_ref().is_some_and(is_placed);
        }
        self.parts.files.sort_by_key(|file| file.inline);
        let names = self.parts.files.iter().map(|file| file.name.clone()).collect();
        for (file, name) in self.parts.files.iter_mut().zip(names::distinct(names)) {
            file.name = name;
        }
        self.parts
    }
}

/// The identifiers behind every `cid:` in HTML (RFC 2392), which is in UTF-8 by now.
fn references(html: &[u8]) -> HashSet<Vec<u8>> {
    let ends = |c: char| c.is_whitespace() || "\"'<>()".contains(c);
    let after = std::str::from_utf8(html).unwrap_or_default().split("cid:").skip(1);
    after.filter_map(|text| text.split(ends).next()).map(encoded::from_percent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crlf(text: &str) -> CrlfBytes {
        CrlfBytes::check(text.replace('\n', "\r\n").into_bytes()).unwrap()
    }

    /// Body text, body HTML, and `name type content` of every file, `*` marking what is inline.
    fn view(message: &str) -> (String, String, Vec<String>) {
        let message = crlf(message);
        let parts = parts(&message);
        assert!(!parts.damaged);
        let text = |data: &[u8]| String::from_utf8_lossy(data).replace('\r', "");
        let body =
            |part: &Option<MimePart<'_>>| part.as_ref().map(|part| text(&part.data)).unwrap_or_default();
        let files = parts.files.iter().map(|file| {
            let mark = if file.inline { "*" } else { "" };
            format!("{mark}{} {} {}", file.name, file.media_type, text(&file.data))
        });
        (body(&parts.text), body(&parts.html), files.collect())
    }

    /// A multipart with these parts.
    fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|part| format!("--{boundary}\n{part}\n")).collect();
        format!(
            "Content-Type: multipart/{kind};\n boundary=\"{boundary}\"\n\nvoorwoord\n{parts}--{boundary}--\nnawoord\n"
        )
    }

    #[test]
    fn a_plain_message_is_its_text() {
        assert_eq!(view("Subject: x\n\nHallo\n"), ("Hallo\n".into(), String::new(), vec![]));
        let encoded = "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>J=FCr=\ngen=20</p>";
        assert_eq!(view(encoded), (String::new(), "<p>Jürgen </p>".into(), vec![]));
        let encoded =
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: BASE64\n\nSsO8\ncmdlbg==\n";
        assert_eq!(view(encoded).0, "Jürgen");
        assert_eq!(view("Subject: leeg\n\n"), (String::new(), String::new(), vec![]));
        assert_eq!(view(""), (String::new(), String::new(), vec![]));
        let file = "Content-Type: application/pdf; name=a.pdf\n\n%PDF";
        assert_eq!(view(file), (String::new(), String::new(), vec!["a.pdf application/pdf %PDF".into()]));
    }

    #[test]
    fn a_usual_message_is_taken_apart() {
        let picture = "Content-Type: image/png; name=logo.png\nContent-ID: <logo@x>\n\npng";
        let related =
            multipart("related", "rel", &["Content-Type: text/html\n\n<img src=\"cid:logo%40x\">", picture]);
        let alternative =
            multipart("alternative", "alt", &["\nHallo", &related, "Content-Type: text/calendar\n\nBEGIN"]);
        let pdf = "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf\n\npdf";
        let message = multipart("mixed", "mix", &[&alternative, pdf, "\nVoettekst", pdf]);
        let (text, html, files) = view(&message);
        assert_eq!((text.as_str(), html.as_str()), ("Hallo", "<img src=\"cid:logo%40x\">"));
        assert_eq!(
            files,
            [
                "bijlage-2.ics text/calendar BEGIN",
                "€.pdf application/pdf pdf",
                "bijlage-4.txt text/plain Voettekst",
                "€ (2).pdf application/pdf pdf",
                "*logo.png image/png png",
            ]
        );
    }

    #[test]
    fn nothing_is_lost() {
        let nested = "Content-Type: message/rfc822\n\nSubject: =?utf-8?q?Zaak_1=2F2?=\nContent-Type: multipart/mixed; boundary=mix\n\nx";
        let html_later = "Content-Type: text/html\n\n<p>later</p>";
        let log = "Content-Type: text/plain; name=log\n\nregel";
        let attached = "Content-Disposition: attachment; filename=\"..\\\\a:b.txt\"\n\nbij";
        let svg = "Content-Type: image/svg+xml\nContent-ID: <s>\nContent-Disposition: inline\n\n<svg>";
        let (text, html, files) =
            view(&multipart("mixed", "m", &["\n \n", "\nEen", html_later, log, attached, nested, svg]));
        assert_eq!((text.as_str(), html.as_str()), ("Een", ""));
        assert_eq!(
            files,
            [
                "bijlage-1.html text/html <p>later</p>",
                "log.txt text/plain regel",
                "_a_b.txt text/plain bij",
                "Zaak 1_2.eml message/rfc822 Subject: =?utf-8?q?Zaak_1=2F2?=\nContent-Type: multipart/mixed; boundary=mix\n\nx",
                "bijlage-5.svg image/svg+xml <svg>",
            ]
        );
        let broken = "Content-Type: multipart/mixed; boundary=nergens\n\nToch leesbaar";
        assert_eq!(view(broken).0, "Toch leesbaar");
        let cut = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHallo\n--bb\n--b\nContent-Type: image/png\n\nhalf";
        assert_eq!(
            view(cut),
            ("Hallo\n--bb".into(), String::new(), vec!["bijlage-1.png image/png half".into()])
        );
        let digest = multipart("digest", "d", &["\nSubject: een\n\nx"]);
        assert_eq!(view(&digest).2, ["een.eml message/rfc822 Subject: een\n\nx"]);
    }

    #[test]
    fn encrypted_mail_can_be_saved_and_opened() {
        let version = "Content-Type: application/pgp-encrypted\n\nVersion: 1";
        let message =
            multipart("encrypted", "e", &[version, "Content-Type: application/octet-stream\n\n-----BEGIN"]);
        assert_eq!(view(&message).2, ["encrypted.asc application/octet-stream -----BEGIN"]);
        let message = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\nContent-Transfer-Encoding: base64\n\neA==";
        assert_eq!(view(message).2, ["smime.p7m application/pkcs7-mime x"]);
        let signed = multipart("signed", "s", &["\nHallo", "Content-Type: application/pkcs7-signature\n\nx"]);
        assert_eq!(
            view(&signed),
            ("Hallo".into(), String::new(), vec!["smime.p7s application/pkcs7-signature x".into()])
        );
    }

    #[test]
    fn attachments_come_out_of_tnef() {
        let tnef = tnef::sample();
        let mut message = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".to_vec();
        message.extend(tnef.iter().flat_map(|octet| format!("={octet:02X}").into_bytes()));
        let message = CrlfBytes::check(message).unwrap();
        let parts = parts(&message);
        let names: Vec<_> =
            parts.files.iter().map(|file| (file.name.as_str(), file.media_type.as_str())).collect();
        assert_eq!(
            names,
            [
                ("winmail.dat", "application/ms-tnef"),
                ("één.pdf", "application/pdf"),
                ("kort.txt", "text/plain")
            ]
        );
        assert_eq!(&*parts.files[1].data, b"inhoud");
    }

    #[test]
    fn a_message_beyond_the_limits_stays_whole() {
        let deep: String =
            (0..40_000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n")).collect();
        assert!(parts(&crlf(&deep)).damaged);
        let nested = crlf(&"Content-Type: message/rfc822\n\n".repeat(40_000));
        assert_eq!(parts(&nested).files.len(), 1);
        let many = |n: usize| {
            crlf(&format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(n)))
        };
        assert!(parts(&many(100_000)).damaged);
        assert_eq!(parts(&many(9_999)).files.len(), 9_998);
    }

    #[test]
    fn hostile_messages_are_quick() {
        let unclosed = "--b\nContent-Type: multipart/mixed; boundary=nergens\n\n".repeat(9_000);
        let references = format!("<p>{}", "cid:".repeat(250_000));
        for message in [
            format!("Content-Type: multipart/mixed; boundary=b\n\n{unclosed}{}", "x".repeat(1 << 20)),
            format!("Content-Type: text/html\n\n{references}"),
            format!("Content-Type: text/plain; {}\n\nx", "name*0*=a;".repeat(100_000)),
            format!("Content-Type: text/plain; x=\"{}\n\nx", "(".repeat(1 << 20)),
        ] {
            let started = std::time::Instant::now();
            parts(&crlf(&message));
            assert!(started.elapsed().as_secs() < 8, "{}", &message[..80]);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_taken_apart(pieces in "(--b|--b--|\\r\\n|\\r\\n\\r\\n|Content-Type: |multipart/mixed|text/html|; boundary=b|; name\\*0\\*=|message/rfc822|image/png|Content-ID: <a>|cid:a|=|%E2|'|\"|\\(|[a-z. ]|\\PC){0,60}") {
            if let Ok(message) = CrlfBytes::check(format!("Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n{pieces}").into_bytes()) {
                let mut taken = HashSet::new();
                for file in parts(&message).files {
                    proptest::prop_assert_eq!(names::safe_name(&file.name), file.name.clone());
                    proptest::prop_assert!(taken.insert(file.name.to_lowercase()));
                }
            }
        }
    }
}
