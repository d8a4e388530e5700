//! Logos and icons: which formats browsers and mail programs show, and how large a picture is. A file is looked at before
//! it is shown to anybody; what is cut off or claims too much is refused.

use bytes::Bytes;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The most pixels of a side.
const MAX_SIDE: u32 = 4096;
/// The most bytes of a picture in a mail: each notification carries it.
pub const MAX_IN_MAIL: usize = 64 << 10;
/// The most room that a logo has on top of a mail, in the pixels of CSS.
const MAIL_WIDTH: u32 = 260;
const MAIL_HEIGHT: u32 = 56;

/// A picture in a format that every browser shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Its format.
    pub format: Format,
    /// The content of the file.
    pub octets: Bytes,
}

/// How a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A drawing
    Svg,
    /// With as many pixels
    Png { width: u32, height: u32 },
    /// Icons of several sizes
    Ico,
}

impl Format {
    /// As HTTP and MIME name it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png { .. } => "image/png",
            Self::Ico => "image/x-icon",
        }
    }
}

impl Picture {
    /// A logo: browsers show SVG and PNG alike.
    pub fn logo(octets: Vec<u8>) -> Result<Self, String> {
        match Self::read(octets)? {
            Self { format: Format::Ico, .. } => Err("a logo must be an SVG or a PNG picture".into()),
            picture => Ok(picture),
        }
    }

    /// The icon of a tab.
    pub fn favicon(octets: Vec<u8>) -> Result<Self, String> {
        Self::read(octets)
    }

    /// A logo for mails: no mail program is sure to show an SVG.
    pub fn mail_logo(octets: Vec<u8>) -> Result<Self, String> {
        let picture = Self::read(octets)?;
        match picture.mail_size() {
            Some(_) => Ok(picture),
            None => Err(format!("a logo in mails must be a PNG picture of at most {MAX_IN_MAIL} bytes")),
        }
    }

    /// How wide and high it is shown in a mail; `None` if it cannot be in one.
    pub fn mail_size(&self) -> Option<(u32, u32)> {
        match self.format {
            Format::Png { width, height } if self.octets.len() <= MAX_IN_MAIL => Some(fitted(width, height)),
            _ => None,
        }
    }

    fn read(octets: Vec<u8>) -> Result<Self, String> {
        let is_svg = || std::str::from_utf8(&octets).is_ok_and(|text| text.contains("<svg"));
        let format = if octets.starts_with(PNG) {
            png(&octets)?
        } else if octets.starts_with(b"\0\0\x01\0") {
            ico(&octets).ok_or("this is no whole ICO picture")?
        } else if is_svg() {
            Format::Svg
        } else {
            return Err("the picture must be an SVG or a PNG, or an ICO for organisation.favicon".into());
        };
        Ok(Self { format, octets: octets.into() })
    }
}

/// As large as there is room, and never larger than the picture.
fn fitted(width: u32, height: u32) -> (u32, u32) {
    let (wide, high) = (u64::from(width), u64::from(height));
    let scaled = |side: u64, room: u32, by: u64| {
        u32::try_from((side * u64::from(room) / by.max(1)).max(1)).unwrap_or(room)
    };
    if width <= MAIL_WIDTH && height <= MAIL_HEIGHT {
        (width, height)
    } else if wide * u64::from(MAIL_HEIGHT) > high * u64::from(MAIL_WIDTH) {
        (MAIL_WIDTH, scaled(high, MAIL_WIDTH, wide))
    } else {
        (scaled(wide, MAIL_HEIGHT, high), MAIL_HEIGHT)
    }
}

/// Walks over the chunks, from IHDR to IEND (PNG, third edition, 5.3 to 5.6). What is in them is the browser's business.
fn png(octets: &[u8]) -> Result<Format, String> {
    let not_whole = || "this is no whole PNG picture".to_owned();
    let mut rest = octets.get(PNG.len()..).ok_or_else(not_whole)?;
    let (kind, header) = chunk(&mut rest).ok_or_else(not_whole)?;
    let number =
        |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let size = number(0).zip(number(4)).filter(|_| kind == b"IHDR" && header.len() == 13);
    let (width, height) = size.ok_or_else(not_whole)?;
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(format!(
            "the picture says that it is {width} by {height} pixels; 1 to {MAX_SIDE} are allowed"
        ));
    }
    let mut has_data = false;
    loop {
        match chunk(&mut rest) {
            Some((b"IEND", _)) if has_data && rest.is_empty() => return Ok(Format::Png { width, height }),
            Some((b"IDAT", _)) => has_data = true,
            Some((b"IEND" | b"IHDR", _)) | None => return Err(not_whole()),
            Some(_) => {}
        }
    }
}

/// The name and the content of the next chunk: length, name, content, checksum.
fn chunk<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (kind, behind) = behind.split_first_chunk::<4>()?;
    let (content, behind) = behind.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (_, *rest) = behind.split_first_chunk::<4>()?;
    Some((kind, content))
}

/// A list of icons, each of which is within the file.
fn ico(octets: &[u8]) -> Option<Format> {
    let (header, entries) = octets.split_first_chunk::<6>()?;
    let count = usize::from(u16::from_le_bytes([header[4], header[5]]));
    let entries = entries.get(..count * 16)?;
    let is_within = |entry: &[u8]| {
        let number = |at: usize| Some(u32::from_le_bytes(entry.get(at..at + 4)?.try_into().ok()?));
        let end = number(8).zip(number(12)).map(|(size, start)| u64::from(size) + u64::from(start));
        end.is_some_and(|end| end <= octets.len() as u64)
    };
    (count > 0 && entries.chunks(16).all(is_within)).then_some(Format::Ico)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn chunk_of(kind: &[u8], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, b"crc."].concat()
    }

    /// A PNG in all that is looked at.
    pub fn png_of(width: u32, height: u32, more: usize) -> Vec<u8> {
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
        let parts = [chunk_of(b"IHDR", &header), chunk_of(b"IDAT", &vec![0; more]), chunk_of(b"IEND", b"")];
        [PNG.to_vec(), parts.concat()].concat()
    }

    #[test]
    fn what_browsers_and_mails_show_is_taken() {
        let svg = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec();
        let ico =
            [&[0, 0, 1, 0, 1, 0, 16, 16, 0, 0, 1, 0, 32, 0, 2, 0, 0, 0, 22, 0, 0, 0][..], b"xy"].concat();
        assert_eq!(Picture::logo(svg.clone()).unwrap().format.media_type(), "image/svg+xml");
        assert_eq!(Picture::logo(png_of(3, 2, 1)).unwrap().format, Format::Png { width: 3, height: 2 });
        assert_eq!(Picture::favicon(ico.clone()).unwrap().format.media_type(), "image/x-icon");
        assert!(Picture::favicon(svg.clone()).is_ok() && Picture::favicon(png_of(32, 32, 9)).is_ok());
        assert!(Picture::mail_logo(png_of(300, 100, 60_000)).is_ok());

        assert!(Picture::logo(ico.clone()).unwrap_err().contains("SVG or a PNG"));
        assert!(Picture::favicon(ico[..ico.len() - 1].to_vec()).is_err());
        assert!(Picture::mail_logo(svg).unwrap_err().contains("must be a PNG"));
        assert!(Picture::mail_logo(png_of(300, 100, MAX_IN_MAIL)).unwrap_err().contains("65536 bytes"));
        for other in [&b""[..], b"GIF89a", b"\xff\xd8\xff", b"\0\0\x01\0", b"\0\0\x01\0\0\0", b"\xff<svg"] {
            assert!(Picture::favicon(other.to_vec()).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_png_that_is_not_whole_or_claims_too_much_is_refused() {
        let whole = png_of(300, 100, 20);
        for end in 0..whole.len() {
            assert!(Picture::logo(whole[..end].to_vec()).is_err(), "cut at {end}");
        }
        assert!(Picture::logo([whole.clone(), b"<svg".to_vec()].concat()).is_err(), "something behind it");
        for (width, height) in [(0, 1), (1, 0), (4097, 1), (1, u32::MAX)] {
            let reason = Picture::logo(png_of(width, height, 1)).unwrap_err();
            assert!(reason.contains(&format!("{width} by {height}")), "{reason}");
        }
        let mut length = whole;
        length[PNG.len()..PNG.len() + 4].fill(0xff);
        assert!(Picture::logo(length).is_err());
        let no_data = [PNG, &png_of(1, 1, 0)[8..33], &chunk_of(b"IEND", b"")].concat();
        assert!(Picture::logo(no_data).is_err());
    }

    #[test]
    fn a_logo_fits_on_top_of_a_mail() {
        for (size, shown) in [
            ((100, 40), (100, 40)),
            ((520, 112), (260, 56)),
            ((4096, 1), (260, 1)),
            ((1, 4096), (1, 56)),
            ((500, 500), (56, 56)),
            ((1000, 100), (260, 26)),
        ] {
            assert_eq!(fitted(size.0, size.1), shown);
        }
    }
}
