//! Header fields: values that cannot break out of a line, names of threads that are bounded, and fields that do not
//! change because another one stands above them (C06, C13, H13).

use zegel::message::crlf::CrlfBytes;
use zegel::message::date;
use zegel::message::header::Header;
use zegel::outbox::compose::Fields;

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let header = Header::parse(input);
    for field in header.fields() {
        let readings = field.readings(|| None);
        assert_eq!(readings.first(), Some(&field.value()));
        assert!(readings.iter().all(|reading| is_one_line(reading)), "{readings:?}");
        if let Some(date) = date::canonical(&field.value()) {
            assert_eq!(date::canonical(&date).as_ref(), Some(&date), "a date stays what it is");
        }
        let name = field.name();
        assert!(
            header.all(&name).next().is_some() || !name.bytes().all(|c| c.is_ascii_graphic()),
            "{name:?}"
        );
    }
    ids_are_ids(&header);
    addresses_are_written_anew(&header);
    assert!(is_one_line(&header.subject()));
    assert!(header.from().name.is_none_or(|name| is_one_line(&name)));
    one_more_is_one_more(input, &header);
}

fn addresses_are_written_anew(header: &Header) {
    let written = Fields::default().mailboxes("To", header.mailboxes("From"), false).into_bytes();
    let again = Header::parse(&written);
    assert!(again.fields().count() <= 1 && written.is_ascii() && written.len() <= 102_400);
    assert!(written.split(|c| *c == b'\n').all(|line| line.len() <= 999), "RFC 5322 2.1.1");
    assert!(CrlfBytes::check(written.clone()).is_ok(), "C08");
    let addresses = |header: &Header, name| -> Vec<String> {
        let all = header.mailboxes(name).filter_map(|one| one.address);
        all.filter(|address| !address.with_ascii_domain().needs_smtputf8()).map(|one| one.mailbox()).collect()
    };
    let (before, after) = (addresses(header, "From"), addresses(&again, "To"));
    assert!(before.starts_with(&after), "{before:?} {after:?}");
    assert!(before.len() == after.len() || written.len() > 90_000, "{before:?} {after:?}");
}

fn ids_are_ids(header: &Header) {
    let ids = [header.thread_ids(), header.references_of_answer()].concat();
    assert!(ids.len() <= 4500);
    for id in ids.iter().filter(|id| !id.starts_with("thread-index ")) {
        assert!(id.starts_with('<') && id.ends_with('>') && !id.contains(char::is_whitespace), "{id:?}");
    }
}

fn one_more_is_one_more(input: &[u8], header: &Header) {
    // A first line that starts with a blank would become part of the field above it.
    if input.starts_with(b" ") || input.starts_with(b"\t") {
        return;
    }
    let longer = [b"Received: from a by b; now\r\n", input].concat();
    let longer = Header::parse(&longer);
    assert_eq!(longer.received_count(), header.received_count() + 1, "H07");
    let raw = |header: &Header| header.fields().map(|field| field.raw().to_vec()).collect::<Vec<_>>();
    assert_eq!(raw(&longer).get(1..), Some(raw(header).as_slice()));
}
