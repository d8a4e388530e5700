//! Files as Outlook, Exchange and others write them, and as those who mean harm do.

use std::time::{Duration, Instant};

use super::super::crlf::CrlfBytes;
use super::super::mime::{self, MimePart};
use super::super::note::{MeetingKind, Note};
use super::message::MAX_ATTACHMENTS;
use super::stream::{SIGNATURE, id};
use super::*;

const MESSAGE_INTERFACE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
const DATA: u16 = 0x3701;
const LONG_NAME: u16 = 0x3707;
const NAME: u16 = 0x3704;
const DISPLAY_NAME: u16 = 0x3001;
const EXTENSION: u16 = 0x3703;

fn attribute_at(level: u8, id: u16, data: &[u8]) -> Vec<u8> {
    let sum = data.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    let head = [&[level][..], &u32::from(id).to_le_bytes(), &(data.len() as u32).to_le_bytes()].concat();
    [&head, data, &sum.to_le_bytes()].concat()
}

fn attribute(id: u16, data: &[u8]) -> Vec<u8> {
    attribute_at(2, id, data)
}

/// A file of these attributes.
pub fn file(attributes: &[Vec<u8>]) -> Vec<u8> {
    [&SIGNATURE.to_le_bytes()[..], &[1, 0], &attributes.concat()].concat()
}

fn list(id: u16, all: &[Vec<u8>]) -> Vec<u8> {
    attribute(id, &[&(all.len() as u32).to_le_bytes()[..], &all.concat()].concat())
}

pub fn message_properties(all: &[Vec<u8>]) -> Vec<u8> {
    list(id::MESSAGE_PROPERTIES, all)
}

fn properties(all: &[Vec<u8>]) -> Vec<u8> {
    list(id::ATTACHMENT_PROPERTIES, all)
}

fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &id.to_le_bytes(), value].concat()
}

/// A length, the bytes, and filling.
fn padded(value: &[u8]) -> Vec<u8> {
    let mut bytes = [&(value.len() as u32).to_le_bytes()[..], value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// How many values, then those.
fn several(values: &[Vec<u8>]) -> Vec<u8> {
    [&(values.len() as u32).to_le_bytes()[..], &values.concat()].concat()
}

fn wide(text: &str) -> Vec<u8> {
    format!("{text}\0").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A property of text.
pub fn text(id: u16, text: &str) -> Vec<u8> {
    property(0x1f, id, &several(&[padded(&wide(text))]))
}

fn narrow(id: u16, text: &[u8]) -> Vec<u8> {
    property(0x1e, id, &several(&[padded(&[text, b"\0"].concat())]))
}

fn bytes(id: u16, value: &[u8]) -> Vec<u8> {
    property(0x102, id, &several(&[padded(value)]))
}

fn object(id: u16, interface: &[u8; 16], value: &[u8]) -> Vec<u8> {
    property(0x0d, id, &several(&[padded(&[interface, value].concat())]))
}

/// A property that is a number.
pub fn number(id: u16, value: &[u8; 4]) -> Vec<u8> {
    property(0x03, id, value)
}

fn start() -> Vec<u8> {
    attribute(id::ATTACHMENT_START, &[0; 14])
}

fn title(name: &[u8]) -> Vec<u8> {
    attribute(id::ATTACHMENT_TITLE, &[name, b"\0"].concat())
}

fn data(data: &[u8]) -> Vec<u8> {
    attribute(id::ATTACHMENT_DATA, data)
}

fn code_page(number: u32) -> Vec<u8> {
    attribute(id::OEM_CODE_PAGE, &[number.to_le_bytes(), [0; 4]].concat())
}

/// An attachment; `is_message`: one within the message, its data being an object.
pub fn attachment(name: &str, data: &[u8], is_message: bool) -> Vec<u8> {
    let kind = if is_message { 0x0d } else { 0x102 };
    let data = properties(&[property(kind, DATA, &several(&[padded(data)]))]);
    [start(), title(name.as_bytes()), data].concat()
}

fn attached_message(name: &str, inner: &[u8]) -> Vec<u8> {
    let content = [text(DISPLAY_NAME, name), object(DATA, &MESSAGE_INTERFACE, inner)];
    [start(), title(b"Untitled Attachment"), properties(&content)].concat()
}

/// A winmail.dat with one attachment "kort.txt", in full "lange náám.txt".
pub fn sample() -> Vec<u8> {
    let all = [property(3, 0x3705, &[1, 0, 0, 0]), text(LONG_NAME, "lange náám.txt")];
    let subject = attribute_at(1, id::SUBJECT, b"onderwerp\0");
    file(&[subject, start(), title(b"kort.txt"), data(b"inhoud"), properties(&all)])
}

/// A mail with nothing but this file.
fn mail(file: &[u8]) -> CrlfBytes {
    use base64::Engine;
    let lines = base64::engine::general_purpose::STANDARD.encode(file);
    CrlfBytes::normalised(
        format!("Content-Type: application/octet-stream; name=ATT00001.dat\nContent-Transfer-Encoding: base64\n\n{lines}\n")
            .as_bytes(),
    )
}

type Files = Vec<(String, Vec<u8>)>;

/// Text, HTML, and name and content of every file but the winmail.dat itself.
fn show(file: &[u8]) -> (Option<String>, Option<String>, Files) {
    let mail = mail(file);
    let parts = mime::parts(&mail);
    let [winmail, files @ ..] = parts.files.as_slice() else { panic!("no file") };
    assert_eq!((winmail.name.as_str(), winmail.data.as_ref()), ("ATT00001.dat", file));
    let shown = |part: &MimePart| String::from_utf8(part.data.to_vec()).unwrap();
    let files = files.iter().map(|part| (part.name.clone(), part.data.to_vec())).collect();
    (parts.text.as_ref().map(shown), parts.html.as_ref().map(shown), files)
}

fn files(file: &[u8]) -> Vec<(String, Vec<u8>)> {
    show(file).2
}

fn names(file: &[u8]) -> Vec<String> {
    files(file).into_iter().map(|(name, _)| name).collect()
}

fn one(name: &str, content: &[u8]) -> Vec<(String, Vec<u8>)> {
    vec![(name.to_owned(), content.to_vec())]
}

#[test]
fn it_is_known_by_its_first_bytes() {
    assert_eq!(files(&sample()), one("lange náám.txt", b"inhoud"));
    let mut changed = sample();
    changed[0] ^= 1;
    assert!(files(&changed).is_empty());
    // As it comes: without a type, and as text.
    for kind in ["", "Content-Type: text/plain\n", "Content-Type: image/png; name=a.png\n"] {
        let mail = String::from_utf8(mail(&sample()).into_vec()).unwrap();
        let mail = mail.replace("Content-Type: application/octet-stream; name=ATT00001.dat\r\n", kind);
        let mail = CrlfBytes::normalised(mail.as_bytes());
        let parts = mime::parts(&mail);
        assert_eq!(parts.files.last().unwrap().name, "lange náám.txt", "{kind}");
        assert!(parts.text.is_none());
    }
}

/// As the programs `tnef` and `tnefparse` do it.
#[test]
fn a_checksum_may_be_wrong_or_missing() {
    let whole = file(&[start(), title(b"a.pdf"), data(b"%PDF-1.4")]);
    assert_eq!(files(&whole[..whole.len() - 2]), one("a.pdf", b"%PDF-1.4"));
    assert_eq!(files(&whole[..whole.len() - 1]), one("a.pdf", b"%PDF-1.4"));
    let mut wrong = whole.clone();
    *wrong.last_mut().unwrap() ^= 0xff;
    assert_eq!(files(&wrong), one("a.pdf", b"%PDF-1.4"));
    // A file that is cut off is not passed off as a whole one.
    assert!(files(&whole[..whole.len() - 3]).is_empty());
    assert_eq!(files(&[whole, b"rommel erachter".to_vec()].concat()), one("a.pdf", b"%PDF-1.4"));
}

#[test]
fn names_are_in_the_code_page_of_the_file() {
    let cyrillic = b"\xc4\xee\xe3\xee\xe2\xee\xf0.pdf";
    let with = |pages: &[Vec<u8>], rest: &[Vec<u8>]| names(&file(&[pages, &[start()], rest].concat()));
    let attribute = [title(cyrillic), data(b"x")];
    assert_eq!(with(&[code_page(1251)], &attribute), ["Договор.pdf"]);
    assert_eq!(with(&[code_page(1252)], &[title(b"caf\xe9.txt"), data(b"x")]), ["café.txt"]);
    assert_eq!(with(&[code_page(932)], &[title(b"\x82\xa0.txt"), data(b"x")]), ["あ.txt"]);
    // PidTagMessageCodepage is that of the texts among the properties.
    let pages = [code_page(1252), message_properties(&[number(0x3ffd, &1251u32.to_le_bytes())])];
    let property = [data(b"x"), properties(&[narrow(LONG_NAME, cyrillic)])];
    assert_eq!(with(&pages, &property), ["Договор.pdf"]);
    assert_eq!(with(&[code_page(1251)], &property), ["Договор.pdf"]);
}

#[test]
fn the_best_name_counts_wherever_it_stands() {
    let name = |pieces: &[Vec<u8>]| names(&file(&[&[start(), data(b"x")], pieces].concat())).concat();
    let (long, short) = (narrow(LONG_NAME, b"lang.txt"), narrow(NAME, b"kort.txt"));
    let display = narrow(DISPLAY_NAME, b"Bijlage A");
    assert_eq!(
        name(&[title(b"titel.txt"), properties(&[display.clone(), short.clone(), long.clone()])]),
        "lang.txt"
    );
    assert_eq!(name(&[properties(&[long.clone(), display.clone()]), title(b"titel.txt")]), "lang.txt");
    assert_eq!(name(&[properties(&[display.clone(), short.clone()])]), "kort.txt");
    assert_eq!(name(&[title(b"titel.txt"), properties(std::slice::from_ref(&display))]), "titel.txt");
    assert_eq!(
        name(&[properties(&[narrow(NAME, b"LANGEN~1.TXT")]), title(b"lange naam.txt")]),
        "lange naam.txt"
    );
    assert_eq!(name(&[properties(&[narrow(NAME, b"LANGEN~1.TXT")])]), "LANGEN~1.TXT");
    assert_eq!(name(&[attribute(id::ATTACHMENT_TRANSPORT_NAME, b"vervoer.txt\0")]), "vervoer.txt");
    let untitled = title(b"Untitled Attachment");
    assert_eq!(
        name(&[untitled.clone(), properties(&[display.clone(), text(EXTENSION, ".pdf")])]),
        "Bijlage A.pdf"
    );
    assert_eq!(name(&[properties(&[display, text(EXTENSION, "pdf")])]), "Bijlage A.pdf");
    assert_eq!(name(&[]), "bijlage-2.bin");
}

#[test]
fn an_empty_file_is_a_file_and_nothing_is_none() {
    let empty = file(&[start(), title(b"leeg.txt"), data(b""), start(), title(b"vol.txt"), data(b"x")]);
    assert_eq!(files(&empty), [one("leeg.txt", b""), one("vol.txt", b"x")].concat());
    assert!(files(&file(&[start(), title(b"elders.txt"), start()])).is_empty());
}

#[test]
fn every_byte_comes_out_as_it_went_in() {
    let content: Vec<u8> = (0..70_000u32).map(|at| (at.wrapping_mul(at) >> 3) as u8).collect();
    for length in [0, 1, 56, 57, 58, 70_000] {
        let content = &content[..length];
        assert_eq!(files(&file(&[start(), title(b"a.bin"), data(content)])), one("a.bin", content));
        let all = [properties(&[narrow(LONG_NAME, b"a.bin"), bytes(DATA, content)])];
        assert_eq!(files(&file(&[&[start()][..], &all].concat())), one("a.bin", content));
    }
    let lookalike = b"--=_1_\r\nContent-Type: text/plain\r\n\r\n--=_1_--\r\n";
    assert_eq!(files(&file(&[start(), title(b"a.txt"), data(lookalike)])), one("a.txt", lookalike));
}

#[test]
fn an_object_gets_an_extension() {
    let storage = [0x0b, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    for (content, name) in [
        (&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], "Werkblad.ole"),
        (b"BM0000", "Werkblad.bmp"),
        (b"%PDF-1.7", "Werkblad.pdf"),
    ] {
        let all = properties(&[text(DISPLAY_NAME, "Werkblad"), object(DATA, &storage, content)]);
        assert_eq!(files(&file(&[start(), all])), one(name, content));
    }
    let old = properties(&[text(DISPLAY_NAME, "Tekening"), number(0x3705, &[6, 0, 0, 0])]);
    assert_eq!(names(&file(&[start(), data(b"\x01\x05\0\0"), old])), ["Tekening.ole"]);
}

/// MS-OXTNEF 2.1.3.4
#[test]
fn every_kind_of_property_is_as_long_as_it_is() {
    let number = vec![9; 4];
    let mut others: Vec<_> = [
        (0, &[0x00, 0x01][..]),
        (4, &[0x02, 0x03, 0x04, 0x0a, 0x0b]),
        (8, &[0x05, 0x06, 0x07, 0x14, 0x40]),
        (16, &[0x48]),
    ]
    .into_iter()
    .flat_map(|(length, kinds)| kinds.iter().map(move |kind| property(*kind, 1, &vec![9; length])))
    .collect();
    others.push(property(0x1003, 1, &several(&[number.clone(), number.clone()])));
    others.push(property(0x1014, 1, &several(&[vec![9; 8], vec![9; 8]])));
    others.push(property(0x101f, 1, &several(&[padded(b"een"), padded(b"twee")])));
    others.push(property(0x1102, 1, &several(&[padded(b"een"), padded(b""), padded(b"twee")])));
    let numbered = [vec![7; 16], vec![0; 4], number.clone(), number.clone()].concat();
    others.push(property(0x03, 0x8000, &numbered));
    let named = [vec![7; 16], 1u32.to_le_bytes().to_vec(), padded(b"n"), number].concat();
    others.push(property(0x03, 0x8001, &named));
    for other in others {
        let all = [narrow(LONG_NAME, b"ab.txt"), other.clone(), object(DATA, &[7; 16], b"inhoud!")];
        let file = file(&[start(), properties(&all)]);
        assert_eq!(files(&file), one("ab.txt", b"inhoud!"), "{other:x?}");
    }
    let two = || property(0x102, DATA, &several(&[padded(b"inhoud"), padded(b"anders")]));
    let unknown = property(0x33, 1, &[9; 4]);
    let file = file(&[start(), title(b"a.txt"), properties(&[two(), unknown, bytes(DATA, b"later")])]);
    assert_eq!(files(&file), one("a.txt", b"inhoud"), "what stands before it counts");
}

#[test]
fn an_attached_message_is_a_message_and_its_files_are_files() {
    let from =
        [text(0x0c1a, "Piet \"P\" Jansen"), text(0x5d01, "piet@voorbeeld.nl"), text(0x0037, "Besluit €")];
    let deepest = file(&[
        message_properties(&[text(0x1000, "Heel diep.")]),
        start(),
        title(b"diep.pdf"),
        data(b"%PDF diep"),
    ]);
    let recipient = [text(0x3001, "Anna"), text(0x39fe, "anna@example.org"), number(0x0c15, &[1, 0, 0, 0])];
    let row = [&3u32.to_le_bytes()[..], &recipient.concat()].concat();
    let inner = file(&[
        attribute_at(1, id::DATE_SENT, &[0xea, 7, 11, 0, 23, 0, 9, 0, 8, 0, 7, 0, 1, 0]),
        attribute_at(1, id::BODY, b"Tekst van binnen.\0"),
        list(id::RECIPIENTS, &[row]),
        message_properties(&from),
        start(),
        title(b"binnen.pdf"),
        data(b"%PDF binnen"),
        attached_message("Dieper", &deepest),
    ]);
    let outer = file(&[
        attribute_at(1, id::BODY, b"Zie het bericht.\0"),
        attached_message("Ingesloten bericht", &inner),
    ]);
    let (text, _, files) = show(&outer);
    assert_eq!(text.as_deref(), Some("Zie het bericht."));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Ingesloten bericht.eml",
        "Ingesloten bericht.txt",
        "binnen.pdf",
        "Dieper.eml",
        "Dieper.txt",
        "diep.pdf",
    ];
    assert_eq!(names, expected);
    assert_eq!(files[1].1, b"Tekst van binnen.");
    assert_eq!(files[2].1, b"%PDF binnen");
    assert_eq!((files[4].1.as_slice(), files[5].1.as_slice()), (&b"Heel diep."[..], &b"%PDF diep"[..]));

    // The message is one that every program reads.
    let eml = CrlfBytes::check(files[0].1.clone()).unwrap();
    assert!(eml.as_slice().is_ascii());
    let header = super::super::header::Header::parse(eml.as_slice());
    assert_eq!(header.subject(), "Besluit €");
    let from = header.from();
    assert_eq!(from.name.as_deref(), Some("Piet \"P\" Jansen"));
    assert_eq!(from.address.unwrap().to_string(), "piet@voorbeeld.nl");
    assert_eq!(header.first("To").unwrap().value(), "Anna <anna@example.org>");
    assert_eq!(header.first("Date").unwrap().value(), "Mon, 23 Nov 2026 09:08:07 +0000");
    let parts = mime::parts(&eml);
    assert_eq!(parts.text.unwrap().data.as_ref(), b"Tekst van binnen.");
    let names: Vec<&str> = parts.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["binnen.pdf", "Dieper.eml"]);
}

#[test]
fn its_text_is_shown_where_there_is_no_other() {
    let plain = file(&[code_page(1252), attribute_at(1, id::BODY, b"Platte t\xebkst\0")]);
    assert_eq!(show(&plain).0.as_deref(), Some("Platte tëkst"));
    let wide = file(&[message_properties(&[text(0x1000, "Brede tëkst")])]);
    assert_eq!(show(&wide).0.as_deref(), Some("Brede tëkst"));
    let html = b"<html><body><b>\xcf\xf0\xe8\xe2\xe5\xf2</b></body></html>";
    let page = number(0x3fde, &1251u32.to_le_bytes());
    let html = file(&[message_properties(&[bytes(0x1013, html), page])]);
    assert_eq!(show(&html).1.as_deref(), Some("<html><body><b>Привет</b></body></html>"));
    let rtf = |rtf: &[u8]| file(&[message_properties(&[bytes(0x1009, &lzfu::tests::compressed(rtf))])]);
    assert_eq!(show(&rtf(b"{\\rtf1\\ansi Dit is \\b vet\\b0 .}")).0.as_deref(), Some("Dit is vet."));
    let within = b"{\\rtf1\\ansi\\fromhtml1{\\*\\htmltag <p>}Hallo{\\*\\htmltag </p>}}";
    assert_eq!(show(&rtf(within)).1.as_deref(), Some("<p>Hallo</p>"));

    for (other, expected) in [
        ("Content-Type: text/plain\n\nzie bijlage", "zie bijlage"),
        ("Content-Type: text/plain\n\n \n", "Platte tëkst"),
        ("Content-Type: text/html\n\n<p>&nbsp;</p>", "Platte tëkst"),
    ] {
        let winmail = String::from_utf8(mail(&plain).into_vec()).unwrap();
        let mixed =
            format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{other}\n--b\n{winmail}\n--b--\n");
        let mixed = CrlfBytes::normalised(mixed.as_bytes());
        let parts = mime::parts(&mixed);
        assert_eq!(String::from_utf8_lossy(&parts.text.unwrap().data), expected, "{other}");
        assert!(parts.html.is_none() && parts.files.len() == 1, "{other}");
        let mut found = Vec::new();
        mime::texts(&mixed, &mut |text| found.push(text.to_owned()));
        assert!(found.iter().any(|text| text == "Platte tëkst"), "the policy reads both: {found:?}");
    }
}

#[test]
fn pictures_of_its_text_are_in_it() {
    let html = bytes(0x1013, b"<img src=\"cid:logo@1\">");
    let picture =
        properties(&[text(0x3712, "logo@1"), text(0x370e, "image/png"), narrow(LONG_NAME, b"logo")]);
    let mail = mail(&file(&[message_properties(&[html]), start(), data(b"PNG"), picture]));
    let parts = mime::parts(&mail);
    let logo = parts.files.last().unwrap();
    assert_eq!((logo.name.as_str(), logo.media_type.as_str(), logo.inline), ("logo.png", "image/png", true));
}

#[test]
fn a_meeting_says_what_when_and_where() {
    let appointment = [2, 0x20, 6, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    let named = |number: u32, kind: u16, value: &[u8]| {
        property(kind, 0x8000, &[&appointment[..], &[0; 4], &number.to_le_bytes(), value].concat())
    };
    // 2026-12-01T09:30:00Z and an hour later, in tenths of a microsecond since 1601.
    let ticks = |seconds: u64| ((seconds + 11_644_473_600) * 10_000_000).to_le_bytes();
    let all = [
        named(0x820d, 0x40, &ticks(1_796_117_400)),
        named(0x820e, 0x40, &ticks(1_796_121_000)),
        named(0x8208, 0x1f, &several(&[padded(&wide("Kamer 3"))])),
        text(0x0037, "Gesprek"),
    ];
    for (class, kind) in [
        (&b"IPM.Microsoft Schedule.MtgReq\0"[..], MeetingKind::Request),
        (b"IPM.Schedule.Meeting.Request\0", MeetingKind::Request),
        (b"IPM.Schedule.Meeting.Canceled\0", MeetingKind::Cancelled),
        (b"IPM.Schedule.Meeting.Resp.Pos\0", MeetingKind::Accepted),
        (b"IPM.Schedule.Meeting.Resp.Tent\0", MeetingKind::Tentative),
        (b"IPM.Microsoft Schedule.MtgRespN\0", MeetingKind::Declined),
    ] {
        let file = file(&[attribute_at(1, id::MESSAGE_CLASS, class), message_properties(&all)]);
        let mail = mail(&file);
        let notes = mime::parts(&mail).notes;
        let [Note::Meeting(meeting)] = notes.as_slice() else { panic!("{notes:?}") };
        assert_eq!((meeting.kind, meeting.subject.as_deref()), (kind, Some("Gesprek")));
        assert_eq!(meeting.start.unwrap().to_string(), "2026-12-01T09:30:00Z");
        assert_eq!(meeting.end.unwrap().to_string(), "2026-12-01T10:30:00Z");
        assert_eq!((meeting.place.as_deref(), meeting.is_whole_day), (Some("Kamer 3"), false));
    }
    let old = |class: &[u8]| {
        let date = |hour| {
            attribute_at(
                1,
                if hour == 9 { id::DATE_START } else { id::DATE_END },
                &[0xea, 7, 12, 0, 1, 0, hour, 0, 30, 0, 0, 0, 2, 0],
            )
        };
        mail(&file(&[attribute_at(1, id::MESSAGE_CLASS, class), date(9), date(10)]))
    };
    let mail = old(b"IPM.Microsoft Schedule.MtgReq\0");
    let [Note::Meeting(meeting)] = &mime::parts(&mail).notes[..] else { panic!() };
    assert_eq!(meeting.start.unwrap().to_string(), "2026-12-01T09:30:00Z");
    assert_eq!(mime::parts(&old(b"IPM.Note\0")).notes, []);
    assert_eq!(mime::parts(&old(b"IPM.Schedule.Meeting.Requested\0")).notes, []);
}

/// A contact or a list of addresses, which no mail can hold.
#[test]
fn what_says_nothing_stays_what_it_is() {
    let list = file(&[message_properties(&[text(0x001a, "IPM.DistList")])]);
    let outer = file(&[attached_message("Wijkteam", &list)]);
    assert_eq!(files(&outer), one("Wijkteam.dat", &list));
    let html = message_properties(&[bytes(0x1013, b"<p>Lijst")]);
    let (text, html, _) = show(&file(&[html, attached_message("Wijkteam", &list)]));
    assert_eq!((text, html.as_deref()), (None, Some("<p>Lijst")));
    let (text, html, files) = show(&file(&[attribute_at(1, id::MESSAGE_CLASS, b"IPM.Note\0")]));
    assert!(text.is_none() && html.is_none() && files.is_empty());
}

#[test]
fn so_many_attachments_and_no_more() {
    let one = [start(), data(b"x")].concat();
    assert_eq!(files(&file(&vec![one; MAX_ATTACHMENTS + 1])).len(), MAX_ATTACHMENTS);
}

#[test]
fn no_cut_or_changed_octet_breaks_it() {
    let inner = file(&[message_properties(&[text(0x0037, "binnen")]), start(), title(b"a"), data(b"x")]);
    let file = [sample(), attached_message("b", &inner)].concat();
    for at in 0..file.len() {
        entity(&file[..at], Inner::Beside);
        for value in [0, 0xff, 0x80] {
            let mut changed = file.clone();
            changed[at] = value;
            entity(&changed, Inner::Beside);
            fields(&changed);
        }
    }
}

/// H13
#[test]
fn hostile_files_cost_what_they_weigh() {
    let in_time = |what: &str, hostile: Vec<u8>| {
        let begun = Instant::now();
        let (entity, _) = entity(&hostile, Inner::Beside);
        assert!(
            entity.len() <= hostile.len() * 8 + (1 << 20),
            "{what}: {} of {}",
            entity.len(),
            hostile.len()
        );
        fields(&hostile);
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} took {:?}", begun.elapsed());
    };
    let mut nested = file(&[start(), title(b"a"), data(&vec![7; 1 << 20])]);
    for _ in 0..40 {
        nested = file(&[attached_message("m", &nested)]);
    }
    in_time("messages in one another", nested);
    in_time("many attachments", file(&vec![start(); 500_000]));
    in_time("many properties", file(&[message_properties(&vec![property(0x03, 1, &[0; 4]); 500_000])]));
    let huge = property(0x1003, 1, &u32::MAX.to_le_bytes());
    in_time("a huge count", file(&[message_properties(&[huge])]));
    let nothing = property(0x1001, 1, &u32::MAX.to_le_bytes());
    in_time("a huge count of nothing", file(&vec![message_properties(&vec![nothing; 9_000]); 10]));
    in_time("a huge table", file(&[list(id::RECIPIENTS, &vec![vec![0; 4]; 1_000_000])]));
    let long = text(0x0037, &"é".repeat(1_000_000));
    in_time("a long subject", file(&[attached_message("m", &file(&[message_properties(&[long])]))]));
    let meetings = vec![message_properties(&vec![text(0x001a, "x"); 5_000]); 20];
    in_time("many lists", file(&meetings));
}

proptest::proptest! {
    #[test]
    fn no_octets_break_it_either(tail: Vec<u8>, level in 0u8..4) {
        let begin = file(&[start()]);
        let hostile = [begin, vec![level], tail].concat();
        entity(&hostile, Inner::Beside);
        fields(&hostile);
    }
}
