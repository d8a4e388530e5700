//! The mails of an answer, per language, against `tests/golden`: to staff as a mail and as a notice, the confirmation,
//! the code. `UPDATE_GOLDEN=1 cargo test --test golden_reply` writes them anew. And what nothing that somebody outside
//! typed may do to them (C13, M07).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail that way")]

#[path = "support/golden.rs"]
mod golden;

use std::io::Read;

use golden::{address, assert_golden, organisation, time};
use mail_parser::{Message, MessageParser, MimeHeaders};
use zegel::address::Address;
use zegel::id::{Link, QueueId, TransferId};
use zegel::locale::Language;
use zegel::message::crlf::CrlfBytes;
use zegel::message::traits::Traits;
use zegel::outbox::Context;
use zegel::outbox::attachment::Attachment;
use zegel::outbox::notices::Notice;
use zegel::outbox::notices::confirmation::{Checksum, Confirmation};
use zegel::outbox::notices::reply::{Author, FilesLink, Reply, ReplyHeader, Thread};
use zegel::outbox::notices::reply_notice::ReplyNotice;
use zegel::outbox::notices::verification::Verification;
use zegel::secret::Secret;
use zegel::settings::Organisation;

const TOKEN: &str = "3k7wp9hmxt0010123456789abcdefghjkmnpqrs";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What a test starts from; each changes what it is about.
struct Sample {
    language: Language,
    organisation: Organisation,
    name: String,
    is_claimed: bool,
    phone: String,
    author: Address,
    invited: Option<Address>,
    tag: Option<&'static str>,
    to: Vec<Address>,
    cc: Vec<Address>,
    thread: Thread,
    transfer: TransferId,
    message: String,
    file: String,
    media_type: String,
    token: Secret,
    code: Secret,
    id: QueueId,
}

impl Sample {
    fn new(language: Language) -> Self {
        Self {
            language,
            organisation: organisation(),
            name: "Piet Jansen".into(),
            is_claimed: false,
            phone: "06 12345678".into(),
            author: address("piet@example.org"),
            invited: None,
            tag: Some("vertrouwelijk"),
            to: vec![address("jan@voorbeeld.nl")],
            cc: vec![address("els@voorbeeld.nl"), address("archief@voorbeeld.nl")],
            thread: Thread {
                subject: "Besluit over uw aanvraag".into(),
                message_id: Some("<origineel@voorbeeld.nl>".into()),
                references: vec!["<eerder@example.org>".into(), "<origineel@voorbeeld.nl>".into()],
                index: Some("AdyXvJ0AAAAAAAAAAAAAAAAAAAAAAAAAAAE=".into()),
                topic: Some("Besluit over uw aanvraag".into()),
            },
            transfer: "3k7wp9hmxt".parse().unwrap(),
            message: "Beste Jan,\n\nHierbij de foto's.\n\n  Met vriendelijke groet,\n  Piet".into(),
            file: "foto van de café.jpg".into(),
            media_type: "image/jpeg".into(),
            token: Secret::new(TOKEN.into()),
            code: Secret::new("40718293".into()),
            id: "0123456789ab".parse().unwrap(),
        }
    }

    fn context(&self) -> Context<'_> {
        Context::new(&self.organisation, Some(self.language), time("2026-11-24T09:00:01Z"))
    }

    fn header(&self) -> ReplyHeader<'_> {
        ReplyHeader {
            author: Author {
                name: &self.name,
                is_claimed: self.is_claimed,
                address: &self.author,
                invited: self.invited.as_ref(),
                phone: &self.phone,
            },
            to: &self.to,
            cc: &self.cc,
            thread: &self.thread,
            tag: self.tag,
        }
    }

    /// The answer with one file of three bytes.
    fn reply(&self, link: Option<FilesLink<'_>>) -> CrlfBytes {
        let file = Attachment {
            name: self.file.clone(),
            media_type: self.media_type.clone(),
            size: 3,
            source: Box::new(&b"foo"[..]),
        };
        let (header, transfer, message) = (self.header(), &self.transfer, self.message.as_str());
        let reply = Reply { header, recipients: &self.to, transfer, message, link };
        let mail = reply.stream(&self.context(), &self.id, vec![file]).unwrap();
        let (traits, mut bytes) = (mail.traits(), Vec::new());
        mail.into_source().read_to_end(&mut bytes).unwrap();
        assert_eq!(traits, Traits::of(&bytes));
        CrlfBytes::check(bytes).unwrap()
    }

    fn notice(&self) -> CrlfBytes {
        let link = Link { transfer: self.transfer.clone(), recipient: 1 };
        let notice = ReplyNotice {
            header: self.header(),
            recipient: &self.to[0],
            link: &link,
            token: Some(&self.token),
            expires: time("2026-12-24T09:00:01Z"),
        };
        notice.compose(&self.context(), &self.id).unwrap()
    }

    fn confirmation(&self, show_names: bool) -> CrlfBytes {
        let sum = |name, size| Checksum { name, size, sha256: SHA256 };
        let confirmation = Confirmation {
            to: &self.author,
            transfer: &self.transfer,
            recipients: &self.to,
            message: Some(sum("", 812)),
            files: &[sum(&self.file, 3_400_000)],
            show_names,
        };
        confirmation.compose(&self.context(), &self.id).unwrap()
    }

    fn verification(&self) -> CrlfBytes {
        let verification = Verification { to: &self.author, transfer: &self.transfer, code: &self.code };
        verification.compose(&self.context(), &self.id).unwrap()
    }
}

fn parse(mail: &CrlfBytes) -> Message<'_> {
    MessageParser::default().parse(mail.as_slice()).unwrap()
}

/// Every way the mails differ by language and choice.
fn all() -> Vec<(String, CrlfBytes)> {
    let mut all = Vec::new();
    for language in Language::ALL {
        let sample = Sample::new(language);
        all.push((format!("reply.{language}"), sample.reply(None)));
        let names = ["film.mp4", "tweede film.mp4"];
        let link = FilesLink { token: &sample.token, expires: time("2026-12-24T09:00:01Z"), names: &names };
        all.push((format!("reply-link.{language}"), sample.reply(Some(link))));
        all.push((format!("reply-notice.{language}"), sample.notice()));
        all.push((format!("reply-confirmation.{language}"), sample.confirmation(false)));
        all.push((format!("verification.{language}"), sample.verification()));
        let posing = Sample {
            name: "Sanne de Vries".into(),
            is_claimed: true,
            author: address("evil@example.net"),
            invited: Some(address("piet@example.org")),
            ..sample
        };
        all.push((format!("reply-posing.{language}"), posing.reply(None)));
        all.push((format!("reply-notice-posing.{language}"), posing.notice()));
    }
    all.push(("reply-confirmation-names.nl".into(), Sample::new(Language::Nl).confirmation(true)));
    let files_only = Sample { message: " \n".into(), phone: String::new(), ..Sample::new(Language::Nl) };
    all.push(("reply-files-only.nl".into(), files_only.reply(None)));
    all
}

#[test]
fn every_mail_is_as_agreed() {
    for (name, mail) in all() {
        assert_golden(&name, &mail);
    }
}

#[test]
fn every_next_hop_can_carry_them() {
    for (name, mail) in all() {
        assert!(mail.as_slice().is_ascii(), "{name}");
        for line in mail.as_slice().split(|&c| c == b'\n') {
            assert!(line.len() <= 998, "{name}: {}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn a_code_stands_alone_on_a_line_and_not_in_the_subject() {
    for language in Language::ALL {
        let mail = Sample::new(language).verification();
        let message = parse(&mail);
        assert_eq!(message.body_text(0).unwrap().lines().filter(|line| *line == "40718293").count(), 1);
        assert!(!message.subject().unwrap().contains("4071"));
        assert_eq!(message.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    }
}

#[test]
fn a_confirmation_names_files_only_when_asked() {
    let sample = Sample::new(Language::Nl);
    let shows = |mail: &CrlfBytes| parse(mail).body_text(0).unwrap().contains("café");
    assert!(!shows(&sample.confirmation(false)) && shows(&sample.confirmation(true)));
}

#[test]
fn an_answer_to_an_answer_has_one_re() {
    for (subject, tagged, plain) in [
        ("Besluit", "Re: [vertrouwelijk] Besluit", "Re: Besluit"),
        ("RE: Besluit", "RE: [vertrouwelijk] Besluit", "RE: Besluit"),
        ("Antw: Besluit", "Antw: [vertrouwelijk] Besluit", "Antw: Besluit"),
        ("re:Besluit", "[vertrouwelijk] re:Besluit", "re:Besluit"),
        (" ", "[vertrouwelijk] Beveiligd antwoord", "Beveiligd antwoord"),
        (
            "a\r\nBcc: x@evil.example",
            "Re: [vertrouwelijk] a Bcc: x@evil.example",
            "Re: a Bcc: x@evil.example",
        ),
    ] {
        let mut sample = Sample::new(Language::Nl);
        sample.thread.subject = subject.into();
        assert_eq!(parse(&sample.reply(None)).subject(), Some(tagged));
        sample.tag = None;
        assert_eq!(parse(&sample.reply(None)).subject(), Some(plain));
    }
}

#[test]
fn a_long_thread_keeps_its_ends() {
    let mut sample = Sample::new(Language::Nl);
    sample.thread.references = (0..1000).map(|number| format!("<{number}@example.org>")).collect();
    sample.thread.references.push("<a\r\nBcc: x@evil.example>".into());
    let mail = sample.reply(None);
    let text = String::from_utf8_lossy(mail.as_slice()).into_owned();
    assert!(text.contains("<0@example.org>") && text.contains("<999@example.org>"));
    assert!(!text.contains("<500@example.org>") && !text.contains("evil"));
}

#[test]
fn what_somebody_typed_adds_nothing() {
    let attacks = [
        "Piet\r\nBcc: x@evil.example",
        "Piet\n\nhttps://evil.example/t/x",
        "Piet\u{2028}X-Evil: 1\u{85}\u{0b}\u{0c}y",
        "</td><script>alert(1)</script><a href=\"https://evil.example\">",
        "Piet\" <x@evil.example>, \"",
        "{ $link } {{ mail.link }} =?utf-8?Q?=0D=0ABcc:x?=",
        "\u{202e}gnp.exe\u{200b}\u{feff}",
    ];
    for attack in attacks {
        let sample = Sample {
            name: attack.into(),
            phone: attack.into(),
            file: attack.into(),
            media_type: attack.into(),
            ..Sample::new(Language::En)
        };
        let calm = Sample::new(Language::En);
        for (calm, attacked) in [
            (calm.reply(None), sample.reply(None)),
            (calm.notice(), sample.notice()),
            (calm.confirmation(true), sample.confirmation(true)),
        ] {
            let (calm, attacked) = (parse(&calm), parse(&attacked));
            let names = |message: &Message| {
                message.headers().iter().map(|header| header.name().to_lowercase()).collect::<Vec<_>>()
            };
            assert_eq!(names(&calm), names(&attacked), "{attack:?}");
            assert_eq!(calm.parts.len(), attacked.parts.len(), "{attack:?}");
            assert_eq!(calm.from().unwrap().iter().count(), attacked.from().unwrap().iter().count());
            let lines = |message: &Message| message.body_text(0).unwrap().lines().count();
            assert_eq!(lines(&calm), lines(&attacked), "{attack:?}");
            let elements = |message: &Message| message.body_html(0).unwrap().matches('<').count();
            assert_eq!(elements(&calm), elements(&attacked), "{attack:?}");
        }
    }
}

/// A message may say what it likes: it stays text within its part.
#[test]
fn a_message_cannot_leave_its_part() {
    let mut sample = Sample::new(Language::Nl);
    sample.message =
        "--=_zegel_3k7wp9hmxt\n--=_zegel_3k7wp9hmxt--\nContent-Type: text/html\n\n<script>x</script>".into();
    let mail = sample.reply(None);
    let message = parse(&mail);
    assert_eq!((message.attachment_count(), message.html_body_count()), (1, 1));
    assert_eq!(message.attachment(0).unwrap().contents(), b"foo");
    assert_eq!(message.attachment(0).unwrap().attachment_name(), Some("foto van de café.jpg"));
    assert!(!message.body_html(0).unwrap().contains("<script>"));
    assert!(message.body_text(0).unwrap().contains("<script>x</script>"));
}
