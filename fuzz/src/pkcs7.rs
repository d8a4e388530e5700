//! S/MIME that is signed with its content in it (RFC 8551 3.5.2): the file stays as it was, whatever it is; and what was
//! signed and is no message comes out of it byte by byte.

use zegel::message::mime;
use zegel::message::note::Note;

use crate::tnef::as_file;

/// What comes out may be a message of its own, with text in two forms.
const GROWTH: usize = 64;

pub fn holds(input: &[u8]) {
    let mail = as_file(input, "application/pkcs7-mime; name=smime.p7m");
    let parts = mime::parts(&mail);
    assert_eq!(parts.files.first().expect("the file itself").data.as_ref(), input);
    for note in &parts.notes {
        let Note::Signed { by } = note else { continue };
        assert!(by.iter().all(|name| crate::is_one_line(name) && name.chars().count() <= 500), "{by:?}");
    }
    let all = parts.text.iter().chain(&parts.html).chain(&parts.files);
    assert!(all.map(|part| part.data.len()).sum::<usize>() <= 4096 + GROWTH * input.len());
    comes_out_whole(input);
}

fn comes_out_whole(content: &[u8]) {
    let mail = as_file(&signed(content), "application/pkcs7-mime; name=besluit.pdf.p7m");
    let parts = mime::parts(&mail);
    // Fields of MIME make a message of it, also with controls in their names.
    let mut text = String::from_utf8_lossy(content).to_lowercase();
    text.retain(|c| c.is_ascii_alphanumeric() || c == '-');
    if text.contains("content-type") || text.contains("mime-version") {
        return;
    }
    let file = parts.files.get(1).expect("what was signed");
    assert_eq!((file.name.as_str(), file.data.as_ref()), ("besluit.pdf", content));
}

/// Signed by nobody.
fn signed(content: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).expect("a small input").to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    };
    let kind = |last: u8| vec![0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last];
    let content = element(0x30, &[kind(1), element(0xa0, &element(0x04, content))].concat());
    let fields = element(0x30, &[vec![0x02, 1, 1, 0x31, 0], content, vec![0x31, 0]].concat());
    element(0x30, &[kind(2), element(0xa0, &fields)].concat())
}
