//! Header fields: values that cannot break out of a line, names of threads that are bounded, and fields that do not
//! change because another one stands above them (C06, C13, H13).

use zegel::message::crlf::CrlfBytes;
use zegel::message::header::Header;
use zegel::message::rewrite;

use crate::is_one_line;

pub fn holds(input: &[u8]) {
    let header = Header::parse(input);
    for field in header.fields() {
        let readings = field.readings(|| None);
        assert_eq!(readings.first(), Some(&field.value()));
        assert!(readings.iter().all(|reading| is_one_line(reading)), "{readings:?}");
        let name = field.name();
        assert!(
            header.all(&name).next().is_some() || !name.bytes().all(|c| c.is_ascii_graphic()),
            "{name:?}"
        );
    }
    ids_are_ids(&header);
    let copied = rewrite::copy_fields(&header, &["From", "To", "Subject", "Bcc"]);
    let copy = Header::parse(&copied);
    assert!(copy.fields().count() <= 3 && copy.first("Bcc").is_none());
    assert!(CrlfBytes::check(copied.clone()).is_ok(), "C08");
    assert!(is_one_line(&header.subject()));
    assert!(header.from().name.is_none_or(|name| is_one_line(&name)));
    one_more_is_one_more(input, &header);
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
