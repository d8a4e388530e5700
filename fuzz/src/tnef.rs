//! A winmail.dat (MS-OXTNEF), by whatever name: it stays a file as it was, what comes out of it has names that all differ,
//! and it is never many times what went in.

use std::collections::HashSet;

use zegel::message::crlf::CrlfBytes;
use zegel::message::mime;
use zegel::message::rewrite::safe_name;

/// Bytes that come out for each that went in, at most: what is compressed in it becomes eight times as long, and again longer
/// as text in UTF-8, in HTML and in a message within a message.
const GROWTH: usize = 100;

pub fn holds(input: &[u8]) {
    let mail = as_file(input, "application/octet-stream; name=ATT00001.dat");
    let parts = mime::parts(&mail);
    let first = parts.files.first().expect("the file itself");
    assert_eq!((first.name.as_str(), first.data.as_ref()), ("ATT00001.dat", input));
    let mut names = HashSet::new();
    for file in &parts.files {
        assert_eq!(safe_name(&file.name), file.name);
        assert!(names.insert(file.name.to_lowercase()), "two of {:?}", file.name);
    }
    let all = parts.text.iter().chain(&parts.html).chain(&parts.files);
    let most = (64 << 10) + GROWTH * input.len();
    assert!(all.map(|part| part.data.len()).sum::<usize>() <= most);
    let mut length = 0;
    mime::texts(&mail, &mut |text| length += text.len());
    assert!(length <= most, "{length}");
}

/// A mail that is one file of this type.
pub(crate) fn as_file(content: &[u8], content_type: &str) -> CrlfBytes {
    let header = format!("Content-Type: {content_type}\nContent-Transfer-Encoding: quoted-printable\n\n");
    let octets: String = content.iter().map(|octet| format!("={octet:02X}")).collect();
    CrlfBytes::normalised(format!("{header}{octets}").as_bytes())
}

/// A file with this as its only property of the message, bytes under `id`.
pub(crate) fn with_property(id: u16, value: &[u8]) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).expect("a small input").to_le_bytes();
    let mut list = [number(1), [0x02, 0x01, id.to_le_bytes()[0], id.to_le_bytes()[1]], number(1)].concat();
    list.extend(number(value.len()));
    list.extend(value);
    list.resize(list.len().next_multiple_of(4), 0);
    let attribute = [&[1, 3, 0x90, 6, 0][..], &number(list.len()), &list, &[0, 0]].concat();
    [&[0x78, 0x9f, 0x3e, 0x22, 1, 0][..], &attribute].concat()
}
