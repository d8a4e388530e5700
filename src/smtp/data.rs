//! A message on its way in: the end of data, the dots, and what may be in it. Driven by `session`.
//!
//! Data ends at `<CRLF>.<CRLF>` and at nothing that resembles it (RFC 5321 4.1.1.4, C07). A message that
//! holds a lone CR, a lone LF or NUL, or is too large, is read to its true end, so that the session
//! stays in step, and is then refused; of such a message nothing is kept meanwhile.

use memchr::memmem;

use super::budget::{Account, NoMemory, Share};
use crate::message::crlf::{CrlfBytes, CrlfWriter, LineError};

/// Finds the end of data and takes out the dots that the client stuffed (RFC 5321 4.5.2), over any
/// split of the input.
#[derive(Debug, Default)]
pub struct DataDecoder {
    place: Position,
}

/// Where in the data we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Position {
    /// After CRLF, or directly after the 354.
    #[default]
    LineStart,
    /// After a dot at the start of a line; the dot is not part of the message.
    Dot,
    /// After a dot and CR at the start of a line; the CR is not passed on yet.
    DotCr,
    /// Within a line.
    Text,
    /// Within a line, after CR.
    Cr,
    /// After the end of data.
    End,
}

impl DataDecoder {
    /// Passes the message's bytes from `input` to `message`. Gives how many bytes of `input` belong to the data,
    /// and whether they end it; what follows the end is not touched.
    pub fn decode(&mut self, input: &[u8], mut message: impl FnMut(&[u8])) -> (usize, bool) {
        let mut rest = input;
        while let Some(&octet) = rest.first()
            && self.place != Position::End
        {
            let (place, taken) = match (self.place, octet) {
                (Position::LineStart, b'.') => (Position::Dot, 1),
                (Position::Dot, b'\r') => (Position::DotCr, 1),
                (Position::DotCr, b'\n') => (Position::End, 1),
                (Position::DotCr, _) => {
                    message(b"\r");
                    (Position::Cr, 0)
                }
                (Position::Cr, b'\n') => {
                    message(b"\n");
                    (Position::LineStart, 1)
                }
                _ => text(rest, &mut message),
            };
            self.place = place;
            rest = rest.get(taken..).unwrap_or_default();
        }
        (input.len() - rest.len(), self.place == Position::End)
    }
}

/// Passes on everything up to a line that starts with a dot: the one thing worth looking for.
fn text(rest: &[u8], message: &mut impl FnMut(&[u8])) -> (Position, usize) {
    if let Some(at) = memmem::find(rest, b"\r\n.") {
        let line_end = at + 2;
        message(rest.get(..line_end).unwrap_or_default());
        return (Position::LineStart, line_end);
    }
    message(rest);
    let place = match rest {
        [.., b'\r', b'\n'] => Position::LineStart,
        [.., b'\r'] => Position::Cr,
        _ => Position::Text,
    };
    (place, rest.len())
}

/// Why a message cannot be taken, as far as its bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Over `smtp.max_message_size`.
    #[error("the message is too large")]
    TooLarge,
    /// Over `smtp.memory_budget`, with all the other messages that come in now.
    #[error("too much mail at once")]
    NoMemory,
    /// Over the share of it that this client may hold.
    #[error("too much mail at once from this client")]
    ClientMemory,
    /// Over the share of it that the sender's organisation may hold.
    #[error("too much mail at once from this organisation")]
    OrganisationMemory,
    /// A character that mail must not hold.
    #[error("the message holds {0}")]
    Line(LineError),
}

/// A message over this gets room for the largest at once: to grow step by step would copy it again and again.
const LARGE: usize = 1 << 20;

impl From<NoMemory> for Fault {
    fn from(refused: NoMemory) -> Self {
        match refused {
            NoMemory::InAll => Self::NoMemory,
            NoMemory::OfClient => Self::ClientMemory,
            NoMemory::OfOrganisation => Self::OrganisationMemory,
        }
    }
}

/// A message that is being received.
#[derive(Debug)]
pub struct Incoming {
    writer: CrlfWriter,
    size: u64,
    max_size: u64,
    share: Share,
    fault: Option<Fault>,
}

/// A whole message.
#[derive(Debug)]
pub struct Received {
    /// The message, without stuffed dots.
    pub message: CrlfBytes,
    /// Its share of the memory budget, to be held for as long as the message is in memory.
    pub share: Share,
}

impl Incoming {
    /// An empty message that may become `max_size` bytes.
    pub fn new(max_size: u64, account: &Account) -> Self {
        Self { writer: CrlfWriter::default(), size: 0, max_size, share: account.share(), fault: None }
    }

    /// Adds bytes, or only counts them once there is a fault.
    pub fn push(&mut self, octets: &[u8]) {
        self.size = self.size.saturating_add(octets.len() as u64);
        if self.size > self.max_size {
            self.give_up(Fault::TooLarge);
        } else if self.fault.is_none() {
            let len = self.writer.len() + octets.len();
            if let Err(refused) = self.share.grow(len as u64) {
                return self.give_up(refused.into());
            }
            if len > LARGE {
                self.writer.make_room(usize::try_from(self.max_size).unwrap_or(usize::MAX));
            }
            self.writer.push(octets);
        }
    }

    /// Bytes received so far, kept or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The fault that is known so far; forbidden characters show only at the end.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The message, or why there is none.
    pub fn finish(self) -> Result<Received, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let message = self.writer.finish().map_err(Fault::Line)?;
        Ok(Received { message, share: self.share })
    }

    fn give_up(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.writer = CrlfWriter::default();
        self.share.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::budget::{Budget, STEP};
    use crate::smtp::fixture;
    use proptest::prelude::*;

    fn account(budget: &Budget) -> Account {
        budget.account([127, 0, 0, 1].into(), &fixture::settings())
    }

    /// What the client does (RFC 5321 4.5.2): a dot before every line that starts with one, and the end of data.
    fn stuff(text: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut line_start = true;
        for &octet in text {
            if line_start && octet == b'.' {
                wire.push(b'.');
            }
            wire.push(octet);
            line_start = wire.ends_with(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    /// Decodes `wire` in pieces of `step` bytes: the message, and how many bytes it took if it ended.
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

    #[test]
    fn ends_only_at_the_end_of_data() {
        for (wire, message) in [
            (&b".\r\n"[..], &b""[..]),
            (b"\r\n.\r\n", b"\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"a\r\n..b\r\n.\r\n", b"a\r\n.b\r\n"),
            (b"a\r\n.b\r\n.\r\n", b"a\r\nb\r\n"),
            (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),
            (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
            (b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n"),
            (b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n"),
            (b"a\r\n.\r\r\nb\r\n.\r\n", b"a\r\n\r\r\nb\r\n"),
            (b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n"),
            (b"a\r.\r\nb\r\n.\r\n", b"a\r.\r\nb\r\n"),
            (b"a\r\n\0.\r\nb\r\n.\r\n", b"a\r\n\0.\r\nb\r\n"),
            (b"a\r\n.\0\r\nb\r\n.\r\n", b"a\r\n\0\r\nb\r\n"),
            (b"a\r\r\n.\r\n", b"a\r\r\n"),
        ] {
            for step in 1..=wire.len() {
                let (decoded, ended) = decode(wire, step);
                assert_eq!(decoded, message, "{:?} by {step}", String::from_utf8_lossy(wire));
                assert_eq!(ended, Some(wire.len()), "{:?} by {step}", String::from_utf8_lossy(wire));
            }
        }
    }

    #[test]
    fn a_large_message_alone_gets_room_for_the_largest() {
        let max = 4 << 20;
        for (len, has_room) in [(1 << 20, false), ((1 << 20) + 1, true)] {
            let mut incoming = Incoming::new(max, &account(&Budget::new(2 * max)));
            incoming.push(&vec![b'a'; len]);
            let room = incoming.finish().unwrap().message.into_vec().capacity();
            assert_eq!(room as u64 >= max, has_room, "{len}");
        }
    }

    #[test]
    fn leaves_what_follows_alone() {
        let mut decoder = DataDecoder::default();
        assert_eq!(decoder.decode(b"a\r\n.\r\nQUIT\r\n", |_| ()), (6, true));
        assert_eq!(decoder.decode(b"QUIT\r\n", |_| ()), (0, true));
    }

    #[test]
    fn size_and_memory_are_bounded() {
        let budget = Budget::new(4 * STEP);
        let account = account(&budget);
        let mut first = Incoming::new(1 << 30, &account);
        first.push(&vec![b'a'; STEP as usize + 1]);
        assert_eq!(first.fault(), None);
        let mut second = Incoming::new(1 << 30, &account);
        second.push(b"a");
        assert_eq!(second.fault(), Some(Fault::ClientMemory));
        let first = first.finish().unwrap();
        assert_eq!(budget.free(), 2 * STEP, "held until the message is gone");
        drop(first);
        assert_eq!(budget.free(), 4 * STEP);

        let mut large = Incoming::new(10, &account);
        large.push(b"0123456789");
        assert_eq!(large.fault(), None);
        large.push(b"0");
        assert_eq!(large.fault(), Some(Fault::TooLarge));
        assert_eq!(budget.free(), 4 * STEP, "given back at once");
        assert_eq!(large.size(), 11);
    }

    /// Text of lines that end in CRLF, with many dots and look-alikes.
    fn crlf_text() -> impl Strategy<Value = Vec<u8>> {
        let line = prop::collection::vec(prop_oneof![Just(b'.'), Just(b'a'), Just(b' '), 1u8..=255], 0..6);
        prop::collection::vec(line, 0..12).prop_map(|lines| {
            let clean = |line: Vec<u8>| line.into_iter().filter(|c| !b"\r\n".contains(c)).collect::<Vec<_>>();
            lines.into_iter().flat_map(|line| [clean(line), b"\r\n".to_vec()].concat()).collect()
        })
    }

    proptest! {
        #[test]
        fn unstuff_undoes_stuff_at_any_split(text in crlf_text(), step in 1usize..20) {
            let wire = stuff(&text);
            let (message, ended) = decode(&wire, step);
            prop_assert_eq!(message, text);
            prop_assert_eq!(ended, Some(wire.len()));
        }

        #[test]
        fn any_octets_end_alike_at_any_split(
            wire in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..80),
            step in 1usize..20,
        ) {
            let (message, ended) = decode(&wire, wire.len());
            prop_assert_eq!(decode(&wire, step), (message, ended));
            // The end is where the bytes first say so, and nowhere else (C07).
            let true_end = if wire.starts_with(b".\r\n") {
                Some(3)
            } else {
                memmem::find(&wire, b"\r\n.\r\n").map(|at| at + 5)
            };
            prop_assert_eq!(ended, true_end);
        }
    }
}
