//! Text whose every line ends in CRLF and nothing else: the only form in which mail is taken in, kept
//! and relayed (C07, C08). Code that is given [`CrlfBytes`] need not check again.

use memchr::memchr3;

/// Bytes without a lone CR, a lone LF or a NUL. The last line may lack its end (BDAT allows that).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrlfBytes(Vec<u8>);

/// What is not allowed, wherever it is in header or body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// CR that no LF follows.
    #[error("a carriage return without a line feed")]
    BareCr,
    /// LF that no CR precedes.
    #[error("a line feed without a carriage return")]
    BareLf,
    /// NUL.
    #[error("a NUL character")]
    Nul,
}

impl CrlfBytes {
    /// Checks bytes that are there as a whole.
    pub fn check(bytes: Vec<u8>) -> Result<Self, LineError> {
        let mut state = LineCheck::default();
        state.feed(&bytes)?;
        state.end()?;
        Ok(Self(bytes))
    }

    /// Makes lines of text of our own: every CR, LF and CRLF becomes CRLF, a NUL is left out.
    pub fn normalised(text: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            rest = match (first, after) {
                (b'\r', [b'\n', after @ ..]) => after,
                _ => after,
            };
            match first {
                b'\r' | b'\n' => bytes.extend_from_slice(b"\r\n"),
                0 => {}
                other => bytes.push(other),
            }
        }
        Self(bytes)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Gives up the proof.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }

    /// Puts `first` on top of `self`, which is moved and not copied where it has room: it may be large.
    pub fn prepend(mut self, first: &Self) -> Self {
        self.0.splice(..0, first.0.iter().copied());
        self
    }
}

/// Collects bytes as they come off the wire; the first fault is remembered, and what follows it is
/// thrown away, so that a session can read on to the end of data and then refuse.
#[derive(Debug, Default)]
pub struct CrlfWriter {
    bytes: Vec<u8>,
    check: LineCheck,
    fault: Option<LineError>,
}

impl CrlfWriter {
    /// Adds bytes; they may end between CR and LF.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        match self.check.feed(bytes) {
            Ok(()) => self.bytes.extend_from_slice(bytes),
            Err(fault) => {
                self.fault = Some(fault);
                self.bytes = Vec::new();
            }
        }
    }

    /// Makes room for `size` bytes in all, if it can be had. Memory is used only where bytes come to stand.
    pub fn make_room(&mut self, size: usize) {
        self.bytes.try_reserve_exact(size.saturating_sub(self.len())).ok();
    }

    /// Bytes kept so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The text, or the first fault in it.
    pub fn finish(self) -> Result<CrlfBytes, LineError> {
        match self.fault {
            Some(fault) => Err(fault),
            None => self.check.end().map(|()| CrlfBytes(self.bytes)),
        }
    }
}

/// The check itself, over any split of the bytes: for messages that are larger than memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineCheck {
    after_cr: bool,
}

impl LineCheck {
    /// Looks at the next bytes; they may end between CR and LF.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.after_cr {
                let [b'\n', after @ ..] = rest else { return Err(LineError::BareCr) };
                self.after_cr = false;
                rest = after;
                continue;
            }
            let Some(at) = memchr3(b'\r', b'\n', 0, rest) else { return Ok(()) };
            match rest.split_at_checked(at) {
                Some((_, [b'\r', after @ ..])) => {
                    self.after_cr = true;
                    rest = after;
                }
                Some((_, [b'\n', ..])) => return Err(LineError::BareLf),
                _ => return Err(LineError::Nul),
            }
        }
        Ok(())
    }

    /// There are no more.
    pub fn end(self) -> Result<(), LineError> {
        if self.after_cr { Err(LineError::BareCr) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_lines_of_anything() {
        for (text, lines) in
            [(&b"a\nb\rc\r\nd"[..], &b"a\r\nb\r\nc\r\nd"[..]), (b"\r\r\n\n\0", b"\r\n\r\n\r\n"), (b"", b"")]
        {
            let made = CrlfBytes::normalised(text);
            assert_eq!(made.as_slice(), lines);
            assert_eq!(CrlfBytes::check(lines.to_vec()), Ok(made));
        }
    }

    #[test]
    fn what_is_put_on_top_comes_first() {
        let (first, rest) = (CrlfBytes::normalised(b"a\n"), CrlfBytes::normalised(b"b\nc"));
        assert_eq!(rest.prepend(&first).into_vec(), b"a\r\nb\r\nc");
    }

    #[test]
    fn room_is_made_once_and_what_cannot_be_had_is_no_fault() {
        let mut writer = CrlfWriter::default();
        writer.push(b"a\r\n");
        writer.make_room(1000);
        writer.make_room(usize::MAX);
        let text = writer.finish().unwrap().into_vec();
        assert_eq!((text.as_slice(), text.capacity()), (&b"a\r\n"[..], 1000));
    }

    #[test]
    fn of_what_has_a_fault_nothing_is_kept() {
        let mut writer = CrlfWriter::default();
        assert!(writer.is_empty());
        writer.push(b"a\r\n");
        assert_eq!((writer.len(), writer.is_empty()), (3, false));
        writer.push(b"b\nc");
        assert!(writer.is_empty());
        writer.push(b"d\r\n");
        assert!(writer.is_empty());
    }

    #[test]
    fn finds_every_fault_at_any_split() {
        for (text, expected) in [
            (&b"a\r\nb\r\n"[..], Ok(())),
            (b"", Ok(())),
            (b"no end", Ok(())),
            (b"\r\n\r\n.\r\n", Ok(())),
            (b"a\nb\r\n", Err(LineError::BareLf)),
            (b"a\rb\r\n", Err(LineError::BareCr)),
            (b"a\r\r\n", Err(LineError::BareCr)),
            (b"a\r", Err(LineError::BareCr)),
            (b"a\r\n\n", Err(LineError::BareLf)),
            (b"a\0\r\n", Err(LineError::Nul)),
        ] {
            assert_eq!(CrlfBytes::check(text.to_vec()).map(|_| ()), expected, "{text:?}");
            for split in 0..=text.len() {
                let mut writer = CrlfWriter::default();
                writer.push(&text[..split]);
                writer.push(&text[split..]);
                let kept = writer.finish();
                assert_eq!(kept.as_ref().map(|_| ()).map_err(|e| *e), expected, "{text:?} at {split}");
                if let Ok(kept) = kept {
                    assert_eq!(kept.as_slice(), text);
                }
            }
        }
    }
}
