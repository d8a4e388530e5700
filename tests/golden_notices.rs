//! The notices as a whole, per language, against `tests/golden`: every octet of them is looked at when it
//! changes. `UPDATE_GOLDEN=1 cargo test --test golden_notices` writes them anew.
//! And what no name, subject or list may do to them (C13, C24, M07).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail that way")]

use std::path::Path;

use mail_parser::{Message, MessageParser, MimeHeaders};
use zegel::address::Address;
use zegel::clock::Timestamp;
use zegel::config;
use zegel::id::{Link, TransferId};
use zegel::locale::Language;
use zegel::message::crlf::CrlfBytes;
use zegel::outbox::notices::ask::{AskFacts, ask};
use zegel::outbox::notices::download::{DownloadFacts, download};
use zegel::outbox::notices::lost::{LostFacts, lost};
use zegel::outbox::notices::notification::{NotificationFacts, notification};
use zegel::outbox::notices::recall::{RecallFacts, recall};
use zegel::outbox::notices::receipt::{ReceiptFacts, Remarks, Taken, Way, receipt};
use zegel::outbox::notices::reminder::{ReminderFacts, reminder};
use zegel::outbox::notices::undelivered::{UndeliveredFacts, undelivered};
use zegel::outbox::notices::unopened::{UnopenedFacts, unopened};
use zegel::outbox::{NoticeError, SenderCard, SenderFacts};
use zegel::policy::TagReading;
use zegel::secret::Secret;
use zegel::settings::Organisation;
use zegel::staff::Person;

const PUBLIC_URL: &str = "https://veilig.voorbeeld.nl";
const TOKEN: &str = "3k7wp9hmxt0010123456789abcdefghjkmnpqrs";
const LINK: &str = "https://veilig.voorbeeld.nl/t/3k7wp9hmxt0010123456789abcdefghjkmnpqrs";
const STATUS: &str = "https://veilig.voorbeeld.nl/s/3k7wp9hmxtstuvwxyz0123456789abcdefgh";
const PASSWORD: &str = "k7wp-3hmx-9dtr";
const ORIGINAL: &[u8] = b"From: \"Vries, Jan de\" <jan@voorbeeld.nl>\r\n\
    To: Anna Smit <anna@example.org>,\r\n\tb@example.org\r\n\
    Date: Mon, 23 Nov 2026 10:00:00 +0100\r\n\
    Message-ID: <origineel@voorbeeld.nl>\r\n";

/// What a test starts from; each changes what it is about.
struct Sample {
    language: Language,
    organisation: Organisation,
    sender: SenderCard,
    recipients: Vec<Address>,
    token: Secret,
    password: Secret,
    remarks: Remarks,
    status: Secret,
    transfer: TransferId,
}

fn organisation() -> Organisation {
    let text = r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = "/nowhere"
        [organisation]
        name = "Gemeente Voorbeeld"
        domains = ["voorbeeld.nl"]
        phone = "14 0511"
        [smtp]
        listen = ["127.0.0.1:0"]
        [relay]
        smarthost = "127.0.0.1:25"
        [web]
        listen = ["127.0.0.1:0"]
        public_url = "https://veilig.voorbeeld.nl"
    "#;
    let config = config::parse(Path::new("zegel.toml"), text, std::iter::empty()).unwrap();
    Organisation::read(&config).unwrap()
}

impl Sample {
    fn new(language: Language) -> Self {
        let person = Person {
            name: Some("Jan de Vries".into()),
            phone: Some("(0511) 54 81 00".into()),
            department: Some("Burgerzaken".into()),
        };
        Self {
            language,
            organisation: organisation(),
            sender: SenderCard::new(&address("jan@voorbeeld.nl"), None, Some(&person)),
            recipients: vec![address("anna@example.org"), address("b@example.org")],
            token: Secret::new(TOKEN.into()),
            password: Secret::new(PASSWORD.into()),
            remarks: Remarks::default(),
            status: Secret::new(STATUS.into()),
            transfer: "3k7wp9hmxt".parse().unwrap(),
        }
    }

    fn notification_facts(&self) -> NotificationFacts<'_> {
        NotificationFacts {
            language: self.language,
            organisation: &self.organisation,
            public_url: PUBLIC_URL,
            sender: &self.sender,
            recipient: &self.recipients[0],
            token: &self.token,
            transfer: &self.transfer,
            expires: time("2026-12-23T10:00:00Z"),
            password_needed: true,
            reply_enabled: true,
            subject: None,
            original: ORIGINAL,
        }
    }

    fn ways(&self) -> Vec<Way<'_>> {
        self.recipients.iter().map(|address| Way { address, taken: Taken::Sealed }).collect()
    }

    fn receipt_facts<'a>(&'a self, recipients: &'a [Way<'a>]) -> ReceiptFacts<'a> {
        ReceiptFacts {
            language: self.language,
            organisation: &self.organisation,
            hostname: "veilig.voorbeeld.nl",
            public_url: PUBLIC_URL,
            sender: &self.sender.email,
            recipients,
            transfer: &self.transfer,
            expires: time("2026-12-23T10:00:00Z"),
            password: Some(&self.password),
            remarks: &self.remarks,
            status: &self.status,
            message_id: Some("<origineel@voorbeeld.nl>"),
            now: time("2026-11-23T09:00:01Z"),
        }
    }

    fn receipt(&self) -> CrlfBytes {
        receipt(&self.receipt_facts(&self.ways())).unwrap()
    }

    fn recall(&self) -> CrlfBytes {
        recall(&RecallFacts {
            language: self.language,
            organisation: &self.organisation,
            hostname: "veilig.voorbeeld.nl",
            public_url: PUBLIC_URL,
            sender: &self.sender.email,
            recipient: &self.recipients[0],
            link: &Link { transfer: self.transfer.clone(), recipient: 1 },
            message_id: Some("<besluit@voorbeeld.nl>"),
            sent: time("2026-11-23T09:00:01Z"),
            now: time("2026-11-24T09:00:01Z"),
        })
        .unwrap()
    }

    fn sender_facts(&self) -> SenderFacts<'_> {
        SenderFacts {
            language: self.language,
            organisation: &self.organisation,
            hostname: "veilig.voorbeeld.nl",
            public_url: PUBLIC_URL,
            sender: &self.sender.email,
            transfer: &self.transfer,
            status: &self.status,
            id: "k3m5p7r9t0vw",
            now: time("2026-12-21T09:00:01Z"),
        }
    }

    fn reminder(&self, password_needed: bool) -> CrlfBytes {
        reminder(&ReminderFacts {
            language: self.language,
            organisation: &self.organisation,
            public_url: PUBLIC_URL,
            sender: &self.sender,
            recipient: &self.recipients[0],
            token: &self.token,
            transfer: &self.transfer,
            sent: time("2026-11-23T09:00:01Z"),
            expires: time("2026-12-23T10:00:00Z"),
            password_needed,
            fields: b"From: Jan de Vries <jan@voorbeeld.nl>\r\nTo: <anna@example.org>\r\n".to_vec(),
        })
        .unwrap()
    }

    fn unopened(&self) -> CrlfBytes {
        unopened(&UnopenedFacts {
            to: self.sender_facts(),
            recipients: &self.recipients,
            sent: time("2026-11-23T09:00:01Z"),
            expires: time("2026-12-23T10:00:00Z"),
        })
        .unwrap()
    }

    fn download(&self, files: usize, message: bool, names: &[String]) -> CrlfBytes {
        let recipient = &self.recipients[0];
        let time = time("2026-11-24T09:00:01Z");
        download(&DownloadFacts { to: self.sender_facts(), recipient, time, files, of: 3, message, names })
            .unwrap()
    }

    fn undelivered(&self, kept: bool) -> CrlfBytes {
        let postmaster = address("postmaster@voorbeeld.nl");
        let reason = "550 5.1.1 no such user (RCPT TO)";
        let failed: Vec<_> = self.recipients.iter().map(|one| (one, reason.to_owned())).collect();
        undelivered(&UndeliveredFacts {
            language: self.language,
            organisation: &self.organisation,
            hostname: "veilig.voorbeeld.nl",
            to: &postmaster,
            item: &"0123456789ab".parse().unwrap(),
            kind: "receipt",
            arrived: time("2026-11-23T09:00:01Z"),
            smarthost: "mail.voorbeeld.nl:25",
            failed: &failed,
            kept,
            id: &"ba9876543210".parse().unwrap(),
            now: time("2026-11-24T09:00:01Z"),
        })
        .unwrap()
    }

    fn lost(&self) -> CrlfBytes {
        let (recipient, sent) = (&self.recipients[0], time("2026-11-23T09:00:01Z"));
        lost(&LostFacts { to: self.sender_facts(), recipient, sent }).unwrap()
    }

    fn ask(&self, renewable: Option<Timestamp>) -> CrlfBytes {
        ask(&AskFacts {
            language: self.language,
            organisation: &self.organisation,
            hostname: "veilig.voorbeeld.nl",
            public_url: PUBLIC_URL,
            sender: &self.sender.email,
            recipient: &self.recipients[0],
            transfer: &self.transfer,
            sent: time("2026-11-23T09:00:01Z"),
            expired: time("2026-12-23T10:00:00Z"),
            renewable,
            status: &self.status,
            id: "k3m5p7r9t0vw",
            now: time("2026-12-24T09:00:01Z"),
        })
        .unwrap()
    }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Compares with a file in `tests/golden`, line ends aside.
fn assert_golden(name: &str, notice: &CrlfBytes) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.eml"));
    let written = String::from_utf8(notice.as_slice().to_vec()).unwrap().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == golden,
        "{} differs; look at the change, then run with UPDATE_GOLDEN=1\n{written}",
        path.display()
    );
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
        all.push((format!("notification.{language}"), notification(&sample.notification_facts()).unwrap()));
        let open =
            NotificationFacts { password_needed: false, reply_enabled: false, ..sample.notification_facts() };
        all.push((format!("notification-open.{language}"), notification(&open).unwrap()));
        all.push((format!("receipt.{language}"), sample.receipt()));
        let mut ways = sample.ways();
        let open = ReceiptFacts { password: None, ..sample.receipt_facts(&ways) };
        all.push((format!("receipt-open.{language}"), receipt(&open).unwrap()));
        let mut options = Sample::new(language);
        options.remarks =
            Remarks { chosen: true, ignored: vec!["400d".into(), "ww=…".into()], ..Remarks::default() };
        let facts = ReceiptFacts { password: None, ..options.receipt_facts(&ways) };
        all.push((format!("receipt-chosen.{language}"), receipt(&facts).unwrap()));
        let reading =
            TagReading { written: "(vertouwelijk".into(), tag: "[vertrouwelijk]".into(), is_plain: false };
        options.remarks = Remarks { reading: Some(reading), ..Remarks::default() };
        all.push((format!("receipt-reading.{language}"), receipt(&options.receipt_facts(&ways)).unwrap()));
        options.remarks = Remarks { too_weak: true, password_needed: true, ..Remarks::default() };
        all.push((format!("receipt-options.{language}"), receipt(&options.receipt_facts(&ways)).unwrap()));
        ways[1].taken = Taken::Passed { rule: Some("collega's") };
        let other = address("c@voorbeeld.nl");
        ways.push(Way { address: &other, taken: Taken::Passed { rule: None } });
        let mixed = receipt(&sample.receipt_facts(&ways)).unwrap();
        all.push((format!("receipt-mixed.{language}"), mixed));
        all.push((format!("recall.{language}"), sample.recall()));
        all.push((format!("reminder.{language}"), sample.reminder(true)));
        all.push((format!("unopened.{language}"), sample.unopened()));
        all.push((format!("download.{language}"), sample.download(2, false, &[])));
        all.push((format!("lost.{language}"), sample.lost()));
        all.push((format!("ask.{language}"), sample.ask(None)));
        all.push((format!("ask-renewable.{language}"), sample.ask(Some(time("2027-01-06T10:00:00Z")))));
    }
    let kept = Sample::new(Language::Nl);
    let facts = NotificationFacts { subject: Some("Uw aanvraag café"), ..kept.notification_facts() };
    all.push(("notification-subject-kept.nl".into(), notification(&facts).unwrap()));

    all.push(("reminder-open.nl".into(), kept.reminder(false)));
    let names = ["besluit.pdf", "naam\r\nBcc: x@evil.example <b>.pdf"].map(str::to_owned);
    all.push(("download-names.nl".into(), kept.download(3, true, &names)));

    let mut long = Sample::new(Language::Nl);
    long.organisation.name =
        format!("Gemeenschappelijke Regeling {} en Omstreken", "Noordoost-Fryslân ".repeat(9));
    let name = format!("Wilhelmina Geertruida {} van der Meer", "Hottinga ".repeat(8));
    long.sender = SenderCard::new(&address("w.g.hottinga@voorbeeld.nl"), Some(&name), None);
    long.organisation.phone = String::new();
    all.push(("notification-long-names.nl".into(), notification(&long.notification_facts()).unwrap()));
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
    let sample = Sample::new(Language::Nl);
    let public_url = format!("https://{}.voorbeeld.nl", "zeer-lange-naam-".repeat(4));
    let facts = NotificationFacts { public_url: &public_url, ..sample.notification_facts() };
    let notice = notification(&facts).unwrap();
    let link = format!("{public_url}/t/{TOKEN}");
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
    let notice = notification(&Sample::new(Language::Fy).notification_facts()).unwrap();
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
    assert_eq!(message.subject(), Some("Uw vertrouwelijke bericht is verzonden"));
    let text = text(&message);
    for line in [
        "- anna@example.org: beveiligd, achter een link",
        "- b@example.org: beveiligd, achter een link",
        "Beschikbaar tot 23 december 2026",
        "Overdracht: 3k7wp9hmxt",
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
    let calm_notification = notification(&calm.notification_facts()).unwrap();
    let calm_receipt = calm.receipt();
    for attack in attacks {
        let mut sample = Sample::new(Language::En);
        let person =
            Person { name: Some(attack.into()), phone: Some(attack.into()), department: Some(attack.into()) };
        sample.sender = SenderCard::new(&sample.sender.email, Some(attack), Some(&person));
        sample.organisation.name = attack.into();
        sample.organisation.phone = attack.into();
        let facts = NotificationFacts { subject: Some(attack), ..sample.notification_facts() };
        assert_same_frame(&calm_notification, &notification(&facts).unwrap(), attack);
        assert_same_frame(&calm_receipt, &sample.receipt(), attack);
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
        let facts = NotificationFacts { original, ..sample.notification_facts() };
        assert!(matches!(notification(&facts), Err(NoticeError::Fields)), "{original:?}");
    }
    let facts = NotificationFacts { original: b"From: a\nb\r\n", ..sample.notification_facts() };
    assert!(matches!(notification(&facts), Err(NoticeError::Lines(_))));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut sample = Sample::new(Language::Nl);
    sample.sender = SenderCard::new(&address("jan@voorbeeld.nl"), Some(" \r\n"), None);
    sample.organisation.phone = " ".into();
    let notice = notification(&sample.notification_facts()).unwrap();
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
