//! The end of data, and the dots (RFC 5321 4.5.2): one message stays one, and what went in comes out (C07, C08).

use zegel::delivery::smtp_client::stuffing::Stuffing;
use zegel::message::crlf::CrlfBytes;
use zegel::smtp::data::DataDecoder;

use crate::{message, step};

pub fn holds(input: &[u8]) {
    let whole = decode(input, input.len());
    assert_eq!(decode(input, step(input)), whole, "cut elsewhere");
    assert_eq!(decode(input, 1), whole, "octet by octet");
    assert_eq!(whole.1, true_end(input));

    let message = message(input);
    let wire = stuff(message.as_slice(), step(input));
    assert_eq!(stuff(message.as_slice(), input.len()), wire);
    let mut expected = message.into_vec();
    if !expected.is_empty() && !expected.ends_with(b"\r\n") {
        expected.extend_from_slice(b"\r\n");
    }
    assert!(CrlfBytes::check(wire.clone()).is_ok());
    let length = wire.len();
    assert_eq!(decode(&wire, step(input)), (expected, Some(length)), "unstuff(stuff(x)) = x");
}

/// The message, and how many bytes it took if it ended.
fn decode(wire: &[u8], step: usize) -> (Vec<u8>, Option<usize>) {
    let (mut decoder, mut message, mut used) = (DataDecoder::default(), Vec::new(), 0);
    for piece in wire.chunks(step.max(1)) {
        let (taken, ended) = decoder.decode(piece, |octets| message.extend_from_slice(octets));
        used += taken;
        if ended {
            return (message, Some(used));
        }
        assert_eq!(taken, piece.len());
    }
    (message, None)
}

/// Where the bytes first say that the data ends, and nowhere else.
fn true_end(wire: &[u8]) -> Option<usize> {
    if wire.starts_with(b".\r\n") {
        return Some(3);
    }
    wire.windows(5).position(|window| window == b"\r\n.\r\n").map(|at| at + 5)
}

fn stuff(message: &[u8], step: usize) -> Vec<u8> {
    let (mut stuffing, mut wire) = (Stuffing::default(), Vec::new());
    for block in message.chunks(step.max(1)) {
        stuffing.push(block, &mut wire);
    }
    stuffing.finish(&mut wire);
    wire
}
