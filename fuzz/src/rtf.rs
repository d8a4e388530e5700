//! RTF as the text of a message (MS-OXRTFCP, MS-OXRTFEX), as it is and as what was compressed: it ends, and what comes out is
//! never many times what went in.

use zegel::message::mime;

use crate::tnef::{as_file, with_property};

const RTF: u16 = 0x1009;

/// One byte of RTF becomes three of UTF-8 at most, HTML is shown as text as well, and eight come out of one that is compressed.
const GROWTH: usize = 64;

pub fn holds(input: &[u8]) {
    for rtf in [file(b"MELA", 0, input), file(b"LZFu", crc(input), input)] {
        let mail = as_file(&with_property(RTF, &rtf), "application/ms-tnef");
        let parts = mime::parts(&mail);
        let shown = parts.text.iter().chain(&parts.html).map(|part| part.data.len()).sum::<usize>();
        assert!(shown <= 1024 + GROWTH * input.len(), "{shown}");
        assert!(!parts.files.is_empty(), "the file itself is always there");
    }
}

fn file(kind: &[u8; 4], checksum: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small input");
    let header = [(length + 12).to_le_bytes(), length.to_le_bytes(), *kind, checksum.to_le_bytes()];
    [&header.concat(), content].concat()
}

/// CRC-32 that begins with nothing and is not inverted.
fn crc(content: &[u8]) -> u32 {
    content.iter().fold(0, |crc: u32, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}
