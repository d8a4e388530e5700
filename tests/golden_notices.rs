//! The notices as a whole, per language, against `tests/golden`: every byte of them is looked at when it
//! changes. `UPDATE_GOLDEN=1 cargo test --test golden_notices` writes them anew.
//! And what no name, subject or list may do to them (C13, C24, M07).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail that way")]

#[path = "support/golden.rs"]
mod golden;

use golden::{address, assert_golden, organisation, organisation_with, time};
use mail_parser::{Message, MessageParser, MimeHeaders};
use zegel::address::{Address, ReversePath};
use zegel::clock::Timestamp;
use zegel::diagnostic::{Diagnostic, EnhancedCode, Stage};
use zegel::envelope::{EnvelopeRecipient, MailParameters};
use zegel::id::Link;
use zegel::locale::Language;
use zegel::message::crlf::CrlfBytes;
use zegel::outbox::compose::{Fields, Original};
use zegel::outbox::notices::ask::Ask;
use zegel::outbox::notices::download::DownloadNotice;
use zegel::outbox::notices::failure::{About, FailedRecipient, FailureReport};
use zegel::outbox::notices::lost::LostNotice;
use zegel::outbox::notices::notification::Notification;
use zegel::outbox::notices::recall::RecallNotice;
use zegel::outbox::notices::receipt::{Disposition, Receipt, ReceiptLine, Remarks};
use zegel::outbox::notices::reminder::Reminder;
use zegel::outbox::notices::undelivered::Undelivered;
use zegel::outbox::notices::unopened::Unopened;
use zegel::outbox::notices::{Notice, ToSender};
use zegel::outbox::{Context, NoticeError, SenderCard};
use zegel::policy::TagReading;
use zegel::secret::Secret;
use zegel::settings::Organisation;
use zegel::staff::StaffMember;

const TOKEN: &str = "3k7wp9hmxt0010123456789abcdefghjkmnpqrs";
const LINK: &str = "https://veilig.voorbeeld.nl/t/3k7wp9hmxt0010123456789abcdefghjkmnpqrs";
const STATUS: &str = "https://veilig.voorbeeld.nl/s/3k7wp9hmxtstuvwxyz0123456789abcdefgh";
const PASSWORD: &str = "k7wp-3hmx-9dtr";
const ORIGINAL: &[u8] = b"From: \"Vries, Jan de\" <jan@voorbeeld.nl>\r\n\
    To: Anna Smit <anna@example.org>,\r\n\tb@example.org\r\n\
    Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n\
    Message-ID: <origineel@voorbeeld.nl>\r\n";

/// A house style of colours and a logo.
const FACE: &str = "theme = \"deploy/examples/zuiderveen/theme.css\"
    logo = \"deploy/examples/zuiderveen/logo.svg\"
    mail_logo = \"deploy/examples/zuiderveen/logo.png\"";

/// What a test starts from; each changes what it is about.
struct Sample {
    language: Language,
    organisation: Organisation,
    reverse_path: ReversePath,
    parameters: MailParameters,
    sender: SenderCard,
    recipients: Vec<Address>,
    recipient: EnvelopeRecipient,
    link: Link,
    token: Secret,
    password: Secret,
    remarks: Remarks,
    status: Secret,
}

impl Sample {
    fn new(language: Language) -> Self {
        let person = StaffMember {
            name: Some("Jan de Vries".into()),
            phone: Some("(0511) 54 81 00".into()),
            department: Some("Burgerzaken".into()),
        };
        let organisation = organisation();
        Self {
            language,
            reverse_path: ReversePath::Address(address("jan@voorbeeld.nl")),
            parameters: MailParameters::default(),
            sender: SenderCard::new(&address("jan@voorbeeld.nl"), None, Some(&person), &organisation),
            organisation,
            recipients: vec![address("anna@example.org"), address("b@example.org")],
            recipient: address("anna@example.org").into(),
            link: Link { transfer: "3k7wp9hmxt".parse().unwrap(), recipient: 1 },
            token: Secret::new(TOKEN.into()),
            password: Secret::new(PASSWORD.into()),
            remarks: Remarks::default(),
            status: Secret::new(STATUS.into()),
        }
    }

    /// The notice, as it is written at this time.
    fn write(&self, time: &str, notice: &impl Notice) -> Result<CrlfBytes, NoticeError> {
        self.write_as("k3m5p7r9t0vw", time, notice)
    }

    fn write_as(&self, id: &str, time: &str, notice: &impl Notice) -> Result<CrlfBytes, NoticeError> {
        let context = Context::new(&self.organisation, Some(self.language), time.parse().unwrap());
        notice.compose(&context, &id.parse().unwrap())
    }

    fn notification_facts(&self) -> Notification<'_> {
        Notification {
            reverse_path: &self.reverse_path,
            parameters: &self.parameters,
            recipient: &self.recipient,
            sender: &self.sender,
            link: &self.link,
            token: &self.token,
            expires: time("2026-12-23T22:59:59Z"),
            password_needed: true,
            reply_enabled: true,
            is_extended: false,
            subject: None,
            fields: Fields::copied(ORIGINAL).unwrap(),
        }
    }

    fn notification(&self, facts: &Notification<'_>) -> CrlfBytes {
        self.write("2026-11-23T09:00:01Z", facts).unwrap()
    }

    fn lines(&self) -> Vec<ReceiptLine<'_>> {
        let line = |address| ReceiptLine { address, disposition: Disposition::Sealed };
        self.recipients.iter().map(line).collect()
    }

    fn receipt_facts<'a>(&'a self, recipients: &'a [ReceiptLine<'a>]) -> Receipt<'a> {
        Receipt {
            to: self.to(),
            recipients,
            expires: time("2026-12-23T22:59:59Z"),
            password: Some(&self.password),
            remarks: &self.remarks,
            message_id: Some("<origineel@voorbeeld.nl>"),
        }
    }

    fn receipt_of(&self, facts: &Receipt<'_>) -> CrlfBytes {
        self.write("2026-11-23T09:00:01Z", facts).unwrap()
    }

    fn receipt(&self) -> CrlfBytes {
        self.receipt_of(&self.receipt_facts(&self.lines()))
    }

    fn recall(&self) -> CrlfBytes {
        let recall = RecallNotice {
            sender: &self.sender,
            recipient: &self.recipients[0],
            link: &self.link,
            message_id: Some("<besluit@voorbeeld.nl>"),
            sent: time("2026-11-23T09:00:01Z"),
        };
        self.write("2026-11-24T09:00:01Z", &recall).unwrap()
    }

    fn to(&self) -> ToSender<'_> {
        let (sender, transfer) = (&self.sender.email, &self.link.transfer);
        let (sent, subject) = (time("2026-11-23T09:00:01Z"), Some("Besluit op uw aanvraag"));
        ToSender { sender, transfer, sent, subject, status: self.status.clone() }
    }

    /// The same when nobody has the message open: its subject is not known then.
    fn to_later(&self) -> ToSender<'_> {
        ToSender { subject: None, ..self.to() }
    }

    fn reminder(&self, password_needed: bool) -> CrlfBytes {
        let fields = b"From: Jan de Vries <jan@voorbeeld.nl>\r\nTo: <anna@example.org>\r\n";
        let reminder = Reminder {
            reverse_path: &self.reverse_path,
            recipient: &self.recipients[0],
            sender: &self.sender,
            link: &self.link,
            token: &self.token,
            sent: time("2026-11-23T09:00:01Z"),
            expires: time("2026-12-23T22:59:59Z"),
            password_needed,
            fields: Fields::copied(fields).unwrap(),
        };
        self.write("2026-12-21T09:00:01Z", &reminder).unwrap()
    }

    fn unopened(&self) -> CrlfBytes {
        let expires = time("2026-12-23T22:59:59Z");
        let unopened = Unopened { to: self.to_later(), recipients: &self.recipients, expires };
        self.write("2026-12-21T09:00:01Z", &unopened).unwrap()
    }

    fn download(&self, files: usize, message: bool, names: &[String]) -> CrlfBytes {
        let (recipient, time) = (&self.recipients[0], time("2026-11-24T09:00:01Z"));
        let download = DownloadNotice { to: self.to(), recipient, time, files, of: 3, message, names };
        self.write("2026-12-21T09:00:01Z", &download).unwrap()
    }

    fn undelivered(&self, kept: bool) -> CrlfBytes {
        let reason = "550 5.1.1 no such user (RCPT TO)";
        let failed: Vec<_> = self.recipients.iter().map(|one| (one, reason.to_owned())).collect();
        let undelivered = Undelivered {
            to: &address("postmaster@voorbeeld.nl"),
            item: &"0123456789ab".parse().unwrap(),
            kind: "receipt",
            arrived: time("2026-11-23T09:00:01Z"),
            smarthost: "mail.voorbeeld.nl:25",
            failed: &failed,
            kept,
        };
        self.write_as("ba9876543210", "2026-11-24T09:00:01Z", &undelivered).unwrap()
    }

    fn failure(&self, about: About, message_id: Option<&str>, original: Option<Original<'_>>) -> CrlfBytes {
        let (piet, jun) = (address("piet@example.org"), address("j\u{fc}n@example.org"));
        let unknown = Diagnostic::remote(Stage::Recipient, 550, "5.1.1 no such user");
        let lack = Diagnostic::local(None, EnhancedCode::new(5, 6, 7), "it does not offer SMTPUTF8");
        let orcpt = Some("rfc822;Piet+2Bx@example.org");
        let failed = [
            FailedRecipient { address: &piet, orcpt, diagnostic: &unknown },
            FailedRecipient { address: &jun, orcpt: None, diagnostic: &lack },
        ];
        let report = FailureReport {
            to: &self.sender.email,
            arrived: time("2026-11-23T09:00:01Z"),
            envid: Some("QQ+3D1"),
            smarthost: "mail.voorbeeld.nl:25",
            about,
            message_id,
            transfer: (about != About::Message).then(|| (&self.link.transfer, self.status.clone())),
            failed: &failed,
            original,
        };
        self.write("2026-11-24T09:00:01Z", &report).unwrap()
    }

    fn lost(&self) -> CrlfBytes {
        let recipient = &self.recipients[0];
        self.write("2026-12-21T09:00:01Z", &LostNotice { to: self.to_later(), recipient }).unwrap()
    }

    fn ask(&self, renewable: Option<Timestamp>) -> CrlfBytes {
        let expired = time("2026-12-23T22:59:59Z");
        let ask = Ask { to: self.to_later(), recipient: &self.recipients[0], expired, renewable };
        self.write("2026-12-24T09:00:01Z", &ask).unwrap()
    }
}

fn parse(notice: &CrlfBytes) -> Message<'_> {
    let message = MessageParser::default().parse(notice.as_slice()).unwrap();
    assert_eq!(message.content_type().unwrap().subtype(), Some("alternative"));
    assert_eq!((message.text_body_count(), message.html_body_count()), (1, 1));
    message
}

fn text(message: &Message) -> String {
    message.body_text(0).unwrap().into_owned()
}

fn html(message: &Message) -> String {
    message.body_html(0).unwrap().into_owned()
}

/// Every way a notice differs by language and choice.
fn all_notices() -> Vec<(String, CrlfBytes)> {
    let mut all = Vec::new();
    for language in Language::ALL {
        let sample = Sample::new(language);
        all.push((format!("notification.{language}"), sample.notification(&sample.notification_facts())));
        let open =
            Notification { password_needed: false, reply_enabled: false, ..sample.notification_facts() };
        all.push((format!("notification-open.{language}"), sample.notification(&open)));
        all.push((format!("receipt.{language}"), sample.receipt()));
        let mut lines = sample.lines();
        let open = Receipt { password: None, ..sample.receipt_facts(&lines) };
        all.push((format!("receipt-open.{language}"), sample.receipt_of(&open)));
        let mut options = Sample::new(language);
        options.remarks =
            Remarks { chosen: true, ignored: vec!["400d".into(), "ww=…".into()], ..Remarks::default() };
        let facts = Receipt { password: None, ..options.receipt_facts(&lines) };
        all.push((format!("receipt-chosen.{language}"), options.receipt_of(&facts)));
        let reading =
            TagReading { written: "(vertouwelijk".into(), tag: "[vertrouwelijk]".into(), is_plain: false };
        options.remarks = Remarks { reading: Some(reading), ..Remarks::default() };
        all.push((format!("receipt-reading.{language}"), options.receipt_of(&options.receipt_facts(&lines))));
        options.remarks = Remarks { too_weak: true, password_needed: true, ..Remarks::default() };
        all.push((format!("receipt-options.{language}"), options.receipt_of(&options.receipt_facts(&lines))));
        lines[1].disposition = Disposition::Passed { rule: Some("collega's") };
        let other = address("c@voorbeeld.nl");
        lines.push(ReceiptLine { address: &other, disposition: Disposition::Passed { rule: None } });
        let mixed = sample.receipt_of(&sample.receipt_facts(&lines));
        all.push((format!("receipt-mixed.{language}"), mixed));
        let mut behalf = Sample::new(language);
        behalf.sender.on_behalf_of = vec!["Wethouder Bos".into()];
        let facts = behalf.notification_facts();
        all.push((format!("notification-on-behalf.{language}"), behalf.notification(&facts)));
        behalf.sender.on_behalf_of = ["Burgemeester Vos", "Wethouder Bos", "A. Das"].map(Into::into).into();
        all.push((format!("reminder-on-behalf.{language}"), behalf.reminder(true)));
        all.push((format!("recall.{language}"), sample.recall()));
        all.push((format!("reminder.{language}"), sample.reminder(true)));
        all.push((format!("unopened.{language}"), sample.unopened()));
        all.push((format!("download.{language}"), sample.download(2, false, &[])));
        all.push((format!("lost.{language}"), sample.lost()));
        all.push((format!("ask.{language}"), sample.ask(None)));
        all.push((format!("ask-renewable.{language}"), sample.ask(Some(time("2027-01-06T22:59:59Z")))));
    }
    let kept = Sample::new(Language::Nl);
    let facts = Notification { subject: Some("Uw aanvraag café"), ..kept.notification_facts() };
    all.push(("notification-subject-kept.nl".into(), kept.notification(&facts)));

    all.push(("reminder-open.nl".into(), kept.reminder(false)));
    let names = ["besluit.pdf", "naam\r\nBcc: x@evil.example <b>.pdf"].map(str::to_owned);
    all.push(("download-names.nl".into(), kept.download(3, true, &names)));

    let mut long = Sample::new(Language::Nl);
    long.organisation.name =
        format!("Gemeenschappelijke Regeling {} en Omstreken", "Noordoost-Fryslân ".repeat(9));
    let name = format!("Wilhelmina Geertruida {} van der Meer", "Hottinga ".repeat(8));
    long.organisation.phone = String::new();
    long.sender =
        SenderCard::new(&address("w.g.hottinga@voorbeeld.nl"), Some(&name), None, &long.organisation);
    all.push(("notification-long-names.nl".into(), long.notification(&long.notification_facts())));
    all
}

/// Those for people who look after mail: text alone.
fn plain_notices() -> Vec<(String, CrlfBytes)> {
    let kept = |language| (format!("undelivered.{language}"), Sample::new(language).undelivered(true));
    let gone = ("undelivered-gone.nl".to_owned(), Sample::new(Language::Nl).undelivered(false));
    Language::ALL.map(kept).into_iter().chain([gone]).collect()
}

#[test]
fn every_notice_is_as_agreed() {
    for (name, notice) in all_notices().into_iter().chain(plain_notices()) {
        assert_golden(&name, &notice);
    }
}

/// In the language of the organisation and in English, whatever is returned with it.
#[test]
fn every_failure_report_is_as_agreed() {
    let (sample, id) = (Sample::new(Language::Nl), Some("<origineel@voorbeeld.nl>"));
    let header = "Message-ID: <origineel@voorbeeld.nl>\r\nSubject: caf\u{e9}\r\n";
    let whole = format!("{header}\r\n\u{e9}=20\r\n.\r\n");
    for (name, about, id, original) in [
        ("failure", About::Message, id, Some(Original::Whole(whole.as_bytes()))),
        ("failure-notification", About::Notification, id, Some(Original::Header(header.as_bytes()))),
        ("failure-reminder", About::Reminder, None, None),
    ] {
        assert_golden(name, &sample.failure(about, id, original));
    }
    for language in [Language::Fy, Language::En] {
        let original = Some(Original::Header(header.as_bytes()));
        let report = Sample::new(language).failure(About::Notification, id, original);
        assert_golden(&format!("failure-notification.{language}"), &report);
    }
}

#[test]
fn every_next_hop_can_carry_them() {
    for (name, notice) in all_notices().into_iter().chain(plain_notices()) {
        assert!(notice.as_slice().is_ascii(), "{name}");
        for line in notice.as_slice().split(|&c| c == b'\n') {
            assert!(line.len() <= 998, "{name}: {}", String::from_utf8_lossy(line));
        }
    }
}

#[test]
fn the_link_is_alone_on_a_line_of_the_text() {
    for (name, notice) in all_notices().into_iter().filter(|(name, _)| name.starts_with("notification")) {
        let message = parse(&notice);
        assert_eq!(text(&message).lines().filter(|line| *line == LINK).count(), 1, "{name}");
        assert!(html(&message).contains(&format!("href=\"{LINK}\"")), "{name}");
        let raw = String::from_utf8_lossy(notice.as_slice()).into_owned();
        assert!(raw.lines().any(|line| line == LINK), "{name}: whole in the source as well");
        assert_eq!(text(&message).contains(&format!("{LINK}/reply")), !name.contains("open"), "{name}");
    }
}

#[test]
fn a_long_link_is_not_torn_apart() {
    let mut sample = Sample::new(Language::Nl);
    sample.organisation.public_url = format!("https://{}.voorbeeld.nl", "zeer-lange-naam-".repeat(4));
    let notice = sample.notification(&sample.notification_facts());
    let link = format!("{}/t/{TOKEN}", sample.organisation.public_url);
    assert!(String::from_utf8_lossy(notice.as_slice()).lines().any(|line| line == link));
}

#[test]
fn the_password_is_in_the_receipt_only() {
    for (name, notice) in all_notices() {
        let message = parse(&notice);
        let told = ["receipt.", "receipt-mixed", "receipt-options", "receipt-reading"]
            .iter()
            .any(|start| name.starts_with(start));
        for part in [text(&message), html(&message)] {
            assert_eq!(part.contains(PASSWORD), told, "{name}");
        }
    }
    for (language, line) in [
        (Language::Nl, "Wachtwoord: k7wp-3hmx-9dtr"),
        (Language::Fy, "Wachtwurd: k7wp-3hmx-9dtr"),
        (Language::En, "Password: k7wp-3hmx-9dtr"),
    ] {
        let notice = Sample::new(language).receipt();
        assert!(text(&parse(&notice)).lines().any(|found| found == line), "{language}");
    }
}

#[test]
fn a_notification_stands_in_the_place_of_the_original() {
    let sample = Sample::new(Language::Fy);
    let notice = sample.notification(&sample.notification_facts());
    assert!(notice.as_slice().starts_with(ORIGINAL));
    let message = parse(&notice);
    assert_eq!(message.header_raw("X-Zegel-Transfer").unwrap().trim(), "3k7wp9hmxt");
    assert_eq!(message.header_raw("X-Zegel-Notice").unwrap().trim(), "notification");
    assert_eq!(message.header_raw("Content-Language").unwrap().trim(), "fy");
    assert_eq!(message.subject(), Some("Fertroulik berjocht fan Gemeente Voorbeeld"));
    assert!(message.header_raw("Auto-Submitted").is_none());
    let html = html(&message);
    assert!(html.contains("<html lang=\"fy\""));
    assert!(html.contains("href=\"tel:0511548100\""));
    assert!(!html.contains("src="), "no picture from anywhere");
    let title = html.split("<title>").nth(1).unwrap().split("</title>").next().unwrap();
    assert!(!title.contains(TOKEN), "no token in the title (L01)");
}

#[test]
fn a_receipt_is_automatic_mail_in_the_same_thread() {
    let message_bytes = Sample::new(Language::Nl).receipt();
    let message = parse(&message_bytes);
    assert_eq!(message.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    assert_eq!(message.header_raw("X-Zegel-Notice").unwrap().trim(), "receipt");
    assert_eq!(message.in_reply_to().as_text(), Some("origineel@voorbeeld.nl"));
    assert_eq!(message.references().as_text(), Some("origineel@voorbeeld.nl"));
    assert_eq!(message.to().unwrap().first().unwrap().address(), Some("jan@voorbeeld.nl"));
    assert_eq!(message.from().unwrap().first().unwrap().name(), Some("Gemeente Voorbeeld"));
    assert_eq!(message.from().unwrap().first().unwrap().address(), Some("noreply@veilig.voorbeeld.nl"));
    assert_eq!(
        message.subject(),
        Some(
            "Verzonden: uw vertrouwelijke bericht aan anna@example.org en 1 andere ontvanger (23-11-2026 10:00)"
        )
    );
    let text = text(&message);
    for line in [
        "- anna@example.org: beveiligd, achter een link",
        "- b@example.org: beveiligd, achter een link",
        "Beschikbaar tot en met woensdag 23 december 2026",
        "Onderwerp: Besluit op uw aanvraag",
        "Verzonden: maandag 23 november 2026 om 10:00",
        "Kenmerk: 3k7wp-9hmxt",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}");
    }
}

/// The link with which a sender acts is for the sender's eyes only, and stands alone in the text.
#[test]
fn the_status_link_is_in_mail_to_the_sender_only() {
    for (name, notice) in all_notices() {
        let message = parse(&notice);
        let to_sender = ["receipt", "ask", "unopened", "download"].iter().any(|kind| name.starts_with(kind));
        assert_eq!(
            text(&message).lines().filter(|line| *line == STATUS).count(),
            usize::from(to_sender),
            "{name}"
        );
        assert_eq!(html(&message).contains(&format!("href=\"{STATUS}\"")), to_sender, "{name}");
    }
}

/// Every mail to the sender says which message it is about, and none of them in its own subject what that is called.
#[test]
fn mail_to_the_sender_names_the_message() {
    for (name, notice) in all_notices() {
        let to_sender =
            ["receipt", "ask", "unopened", "download", "lost"].iter().any(|kind| name.starts_with(kind));
        let message = parse(&notice);
        let subject = message.subject().unwrap();
        let date = if name.ends_with(".en") { "23 Nov 2026 10:00" } else { "23-11-2026 10:00" };
        assert_eq!(
            subject.contains("anna@example.org") && subject.contains(date),
            to_sender,
            "{name}: {subject}"
        );
        assert!(!subject.contains("Besluit"), "{name}");
        let knows = ["receipt", "download"].iter().any(|kind| name.starts_with(kind));
        for part in [text(&message), html(&message)] {
            assert_eq!(part.contains("Besluit op uw aanvraag"), knows, "{name}");
            assert!(!name.contains("notification") || part.contains("3k7wp-9hmxt"), "{name}");
        }
    }
}

#[test]
fn the_original_subject_is_told_inside_only_and_may_be_switched_off() {
    let said = |sample: &Sample| String::from_utf8_lossy(sample.receipt().as_slice()).contains("Besluit");
    let mut sample = Sample::new(Language::Nl);
    assert!(said(&sample));
    sample.organisation.seal.staff_subject = false;
    assert!(!said(&sample));
    let mut outside = Sample::new(Language::Nl);
    outside.sender.email = address("anna@example.org");
    assert!(!said(&outside));
}

#[test]
fn a_long_address_cuts_nothing_off_behind_it() {
    let mut sample = Sample::new(Language::Nl);
    sample.recipients[0] = address(&format!("{}@{}.example.org", "a".repeat(64), "b.".repeat(80) + "c"));
    let notice = sample.receipt();
    let message = parse(&notice);
    let subject = message.subject().unwrap();
    assert!(subject.ends_with("a… en 1 andere ontvanger (23-11-2026 10:00)"), "{subject}");
}

#[test]
fn no_text_from_outside_adds_anything() {
    let attacks = [
        "Jan\r\nBcc: x@evil.example",
        "Jan\n\nhttps://evil.example/t/x",
        "Jan\rX-Evil: 1",
        "Jan\u{2028}X-Evil: 1\u{85}\u{0b}\u{0c}y",
        "</td><script>alert(1)</script><a href=\"https://evil.example\">",
        "\"><img src=x onerror=alert(1)>",
        "Jan\" <x@evil.example>, \"",
        "{ $link } {{ mail.link }} =?utf-8?Q?=0D=0ABcc:x?=",
        "\u{202e}gnp.exe\u{200b}\u{feff}",
        "Jan\0\u{1b}[31m",
    ];
    let calm = Sample::new(Language::En);
    let calm_notification = calm.notification(&calm.notification_facts());
    let calm_receipt = calm.receipt();
    for attack in attacks {
        let mut sample = Sample::new(Language::En);
        let person = StaffMember {
            name: Some(attack.into()),
            phone: Some(attack.into()),
            department: Some(attack.into()),
        };
        sample.organisation.name = attack.into();
        sample.organisation.phone = attack.into();
        let email = &sample.sender.email;
        sample.sender = SenderCard::new(email, Some(attack), Some(&person), &sample.organisation);
        let facts = Notification { subject: Some(attack), ..sample.notification_facts() };
        assert_same_frame(&calm_notification, &sample.notification(&facts), attack);
        assert_same_frame(&calm_receipt, &sample.receipt(), attack);
        let lines = sample.lines();
        let mut named = sample.receipt_facts(&lines);
        named.to.subject = Some(attack);
        assert_same_frame(&calm_receipt, &sample.receipt_of(&named), attack);
        assert_same_frame(&calm.recall(), &sample.recall(), attack);
        assert_same_frame(&calm.ask(None), &sample.ask(None), attack);
    }
}

/// As many header fields, recipients, lines of text and elements as in a notice without an attack.
fn assert_same_frame(calm: &CrlfBytes, attacked: &CrlfBytes, attack: &str) {
    let (calm, attacked) = (parse(calm), parse(attacked));
    let names = |message: &Message| {
        message.headers().iter().map(|header| header.name().to_lowercase()).collect::<Vec<_>>()
    };
    assert_eq!(names(&calm), names(&attacked), "{attack:?}");
    assert_eq!(calm.to().unwrap().iter().count(), attacked.to().unwrap().iter().count(), "{attack:?}");
    assert_eq!(calm.from().unwrap().iter().count(), attacked.from().unwrap().iter().count(), "{attack:?}");
    assert_eq!(text(&calm).lines().count(), text(&attacked).lines().count(), "{attack:?}");
    let elements = |message: &Message| {
        let html = html(message);
        // A phone number without a digit is no link: that may differ, nothing else.
        html.matches('<').count() - 2 * html.matches("<a class=\"link\" href=\"tel:").count()
    };
    assert_eq!(elements(&calm), elements(&attacked), "{attack:?}");
    for part in [text(&attacked), html(&attacked)] {
        for forbidden in ['\u{202e}', '\u{200b}', '\u{feff}', '\u{1b}', '\0', '\u{2028}', '\u{85}'] {
            assert!(!part.contains(forbidden), "{attack:?}: {forbidden:?}");
        }
    }
}

#[test]
fn header_fields_that_would_end_the_header_are_refused() {
    let sample = Sample::new(Language::Nl);
    for original in [
        &b"From: a@voorbeeld.nl"[..],
        b"From: a@voorbeeld.nl\r\n\r\nbody\r\n",
        b"\r\nFrom: a@voorbeeld.nl\r\n",
    ] {
        assert!(matches!(Fields::copied(original), Err(NoticeError::Fields)), "{original:?}");
    }
    let fields = Fields::copied(b"From: a\nb\r\n").unwrap();
    let facts = Notification { fields, ..sample.notification_facts() };
    assert!(matches!(sample.write("2026-11-23T09:00:01Z", &facts), Err(NoticeError::Lines(_))));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut sample = Sample::new(Language::Nl);
    sample.organisation.phone = " ".into();
    let email = address("jan@voorbeeld.nl");
    sample.sender = SenderCard::new(&email, Some(" \r\n"), None, &sample.organisation);
    let notice = sample.notification(&sample.notification_facts());
    let text = text(&parse(&notice));
    assert!(text.lines().any(|line| line == "Naam Verzender: jan@voorbeeld.nl"), "{text}");
    for absent in ["Telefoon", "Afdeling", "Bel "] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn nothing_claims_more_than_is_true() {
    for (name, notice) in all_notices() {
        let message = parse(&notice);
        for claim in ["end-to-end", "eind-tot-eind", "zero-knowledge", "ein-oan-ein"] {
            assert!(!text(&message).to_lowercase().contains(claim), "{name}");
            assert!(!html(&message).to_lowercase().contains(claim), "{name}");
        }
    }
}

/// The picture is in the mail, whole and once; nothing is fetched from elsewhere, and no next hop has to change anything.
#[test]
fn a_logo_is_in_the_mail_itself() {
    let png = std::fs::read("deploy/examples/zuiderveen/logo.png").unwrap();
    let plain = Sample::new(Language::Nl);
    let faced = Sample { organisation: organisation_with(FACE), ..Sample::new(Language::Nl) };
    let written = |sample: &Sample| {
        [
            sample.notification(&sample.notification_facts()),
            sample.receipt(),
            sample.reminder(true),
            sample.recall(),
        ]
    };
    for (mail, without) in written(&faced).iter().zip(&written(&plain)) {
        let message = parse(mail);
        let html = html(&message);
        assert_eq!(message.attachment_count(), 1);
        let picture = message.attachment(0).unwrap();
        assert_eq!(picture.content_type().unwrap().subtype(), Some("png"));
        assert_eq!(picture.contents(), png);
        let id = picture.content_id().unwrap();
        assert!(id.ends_with("@veilig.voorbeeld.nl"), "{id}");
        assert_eq!(html.matches("<img").count(), 1);
        assert!(
            html.contains(&format!(
                "src=\"cid:{id}\" width=\"260\" height=\"56\" alt=\"Gemeente Voorbeeld\""
            ))
        );
        assert!(!html.contains("url(") && !html.contains("src=\"http"));
        assert!(html.contains("#0b5d3b") && html.contains("#7fd6a8") && !html.contains("#07587a"), "{html}");
        assert_eq!(text(&message), text(&parse(without)));

        assert!(mail.as_slice().is_ascii());
        assert!(mail.as_slice().split(|c| *c == b'\n').all(|line| line.len() < 998));
        let grown = mail.as_slice().len() - without.as_slice().len();
        let base64 = png.len().div_ceil(3) * 4 * 78 / 76;
        assert!((base64..base64 + 1500).contains(&grown), "{grown} bytes for a picture of {}", png.len());
    }
    for (mail, name) in written(&faced).iter().zip(["notification", "receipt"]) {
        assert_golden(&format!("{name}-face.nl"), mail);
    }
}
