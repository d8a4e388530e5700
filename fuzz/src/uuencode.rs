//! Files that uuencode wrote into a text: byte by byte what went in, with the text around them; of a block that was cut, its
//! beginning; and never more than came.

use std::fmt::Write;

use zegel::message::crlf::CrlfBytes;
use zegel::message::mime;

use crate::step;

/// Files that are looked for in one message, and bytes of each that may be blanks which were lost on the way.
const MAX_FILES: usize = 200;
const MAX_LOST: usize = 16 << 10;

pub fn holds(input: &[u8]) {
    let block = encoded(input);
    comes_out_whole(input, &block);
    a_cut_block_is_a_beginning(input, &block);
    nothing_is_added(input);
}

/// As POSIX uuencode writes it, with blanks or with backticks.
fn encoded(data: &[u8]) -> String {
    let zero = if step(data).is_multiple_of(2) { '`' } else { ' ' };
    let letter = |value: u32| match value & 0x3f {
        0 => zero,
        six => char::from_u32(32 + six).unwrap_or(zero),
    };
    let mut block = "begin 644 een naam.bin\r\n".to_owned();
    for line in data.chunks(45) {
        block.push(letter(line.len() as u32));
        for group in line.chunks(3) {
            let octet = |at: usize| group.get(at).map_or(0, |octet| u32::from(*octet));
            let value = octet(0) << 16 | octet(1) << 8 | octet(2);
            block.extend([18, 12, 6, 0].map(|shift| letter(value >> shift)));
        }
        block.push_str("\r\n");
    }
    write!(block, "{zero}\r\nend\r\n").expect("a string takes all");
    block
}

fn message(body: &str) -> CrlfBytes {
    CrlfBytes::normalised(format!("Subject: x\r\n\r\n{body}").as_bytes())
}

fn comes_out_whole(data: &[u8], block: &str) {
    let message = message(&format!("voor\r\n{block}na\r\n"));
    let parts = mime::parts(&message);
    let [file] = &parts.files[..] else { panic!("{} files", parts.files.len()) };
    assert_eq!((file.name.as_str(), file.data.as_ref()), ("een naam.bin", data));
    assert_eq!(parts.text.expect("a text").data.as_ref(), b"voor\r\nna\r\n");
    assert!(!parts.damaged);
}

fn a_cut_block_is_a_beginning(data: &[u8], block: &str) {
    let cut = message(&block[..block.len() * step(data) / 41]);
    for file in mime::parts(&cut).files {
        assert!(data.starts_with(&file.data), "{:?}", file.data);
    }
}

fn nothing_is_added(input: &[u8]) {
    let message = message(&String::from_utf8_lossy(input));
    let parts = mime::parts(&message);
    assert!(parts.files.len() <= MAX_FILES);
    let most = message.as_slice().len() + MAX_LOST * parts.files.len();
    assert!(parts.files.iter().map(|file| file.data.len()).sum::<usize>() <= most);
}
