//! The pictures of a message, found by the names that its HTML has for them: Content-ID (RFC 2392), Content-Location
//! (RFC 2557), a plain file name, or the picture itself (`data:`). They are put in as data, because a sandboxed
//! document sends no cookie (C18); a picture of elsewhere is never fetched.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::message::kind::picture_type;
use crate::message::references::{file_of, unescaped, without_scheme};
use crate::transfer::index::IndexFile;

/// All pictures of one message together, as files and on the page.
pub const MAX_PICTURES: u64 = 16 * 1024 * 1024;
const MAX_SHOWN: usize = 2 * MAX_PICTURES as usize;
/// Files of one name that are looked at.
const MAX_CANDIDATES: usize = 16;
/// Characters in front of the data of a picture: `<img ... src="data:image/png;base64,`.
const MAX_TAG: usize = 1000;
const MAX_TYPE: usize = 100;

/// As forgiving as a browser about padding and bits that are left over.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// What stands for a picture in HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A `data:` URL of a picture that was looked at; shared, for a mail may call it by thousands of names.
    Picture(Arc<str>),
    /// On a server of somebody.
    Remote,
    /// Nowhere, or nothing that is shown.
    Missing,
}

/// Files by the names that HTML may have for them.
pub struct Names<'a> {
    by_id: HashMap<String, &'a IndexFile>,
    by_file_name: HashMap<String, Vec<&'a IndexFile>>,
}

impl<'a> Names<'a> {
    pub fn of(files: &'a [IndexFile]) -> Self {
        let (mut by_id, mut by_file_name) = (HashMap::new(), HashMap::<String, Vec<&IndexFile>>::new());
        for file in files {
            if let Some(id) = file.content_id.as_deref() {
                let id = id.trim_matches(['<', '>', ' ']);
                by_id.entry(id.to_owned()).or_insert(file);
                by_id.entry(unescaped(id.as_bytes())).or_insert(file);
            }
            let location = file.content_location.as_deref().map(|location| unescaped(location.as_bytes()));
            for name in [location.as_deref(), Some(file.name.as_str())].into_iter().flatten() {
                let same = by_file_name.entry(file_of(name).to_lowercase()).or_default();
                if same.len() < MAX_CANDIDATES {
                    same.push(file);
                }
            }
        }
        Self { by_id, by_file_name }
    }

    /// The file that `source` means.
    pub fn find(&self, source: &str) -> Option<&'a IndexFile> {
        let source = source.trim();
        if let Some(id) = without_scheme(source, "cid:") {
            let known = self.by_id.get(id).or_else(|| self.by_id.get(&unescaped(id.as_bytes())));
            return known.copied().or_else(|| self.find_file(id));
        }
        self.find_file(source)
    }

    /// Of several the one that agrees furthest.
    fn find_file(&self, source: &str) -> Option<&'a IndexFile> {
        let source = unescaped(source.as_bytes());
        let candidates = self.by_file_name.get(&file_of(&source).to_lowercase())?;
        let suits = |file: &&'a IndexFile| {
            let location = file.content_location.as_deref().map(|location| unescaped(location.as_bytes()));
            let by_location = location.and_then(|location| agreement(&source, &location));
            let by_name =
                || (!is_remote(&source) && file_of(&source).eq_ignore_ascii_case(&file.name)).then_some(0);
            by_location.or_else(by_name).map(|agreement| (agreement, *file))
        };
        // The first of those that agree alike.
        let best = candidates.iter().filter_map(suits).rev().max_by_key(|(agreement, _)| *agreement)?;
        Some(best.1)
    }
}

/// How many steps of a path two addresses have in common from their end, where one can be the other as it is seen
/// from the place of the message.
fn agreement(one: &str, other: &str) -> Option<usize> {
    if is_remote(one) && is_remote(other) {
        return one.eq_ignore_ascii_case(other).then_some(usize::MAX);
    }
    let steps = |address: &str| -> Vec<String> {
        let is_step = |step: &&str| !["", ".", ".."].contains(step);
        address.rsplit(['/', '\\']).filter(is_step).take(32).map(str::to_lowercase).collect()
    };
    let (one_steps, other_steps) = (steps(one), steps(other));
    let alike = one_steps.iter().zip(&other_steps).take_while(|(one, other)| one == other).count();
    let shorter = one_steps.len().min(other_steps.len());
    (alike > 0 && alike == shorter).then_some(alike)
}

/// Whether it is on a server.
pub fn is_remote(source: &str) -> bool {
    let source = source.trim_start();
    ["http:", "https:", "ftp:", "//"].iter().any(|scheme| without_scheme(source, scheme).is_some())
}

/// The pictures that were read for a page, by what the HTML calls them.
#[derive(Default)]
pub struct Pictures {
    by_source: HashMap<String, Source>,
}

impl Pictures {
    /// Those of `sources`: the pictures in the HTML itself, and files, of which `read` gives the bytes. Each file is
    /// read once.
    pub fn find(
        sources: &[String],
        embedded: Embedded,
        names: &Names<'_>,
        mut read: impl FnMut(&IndexFile) -> io::Result<Vec<u8>>,
    ) -> io::Result<Self> {
        let mut room = MAX_PICTURES.saturating_sub(embedded.length);
        let mut by_part: HashMap<u32, Source> = HashMap::new();
        let mut by_source: HashMap<String, Source> = embedded.pictures;
        for source in sources {
            if by_source.contains_key(source) {
                continue;
            }
            let found = match names.find(source) {
                Some(file) => match by_part.entry(file.part) {
                    Entry::Occupied(known) => known.get().clone(),
                    Entry::Vacant(free) if file.size <= room => {
                        room = room.saturating_sub(file.size);
                        free.insert(data_url(&read(file)?)).clone()
                    }
                    Entry::Vacant(_) => Source::Missing,
                },
                None if is_remote(source) => Source::Remote,
                None => Source::Missing,
            };
            by_source.insert(source.clone(), found);
        }
        Ok(Self { by_source })
    }

    pub fn get(&self, source: &str) -> &Source {
        self.by_source.get(source).unwrap_or(&Source::Missing)
    }
}

/// How much may still be written of pictures that stand in a text more than once.
pub struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(MAX_SHOWN)
    }
}

impl Room {
    /// Whether so many bytes more may be written.
    pub fn take(&mut self, length: usize) -> bool {
        let left = self.0.checked_sub(length);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

fn data_url(bytes: &[u8]) -> Source {
    match picture_type(bytes) {
        Some(media_type) => {
            Source::Picture(format!("data:{media_type};base64,{}", STANDARD.encode(bytes)).into())
        }
        None => Source::Missing,
    }
}

/// Pictures that stand in the HTML itself, by what was put in their place.
#[derive(Debug, Default)]
pub struct Embedded {
    pictures: HashMap<String, Source>,
    /// Bytes of all together.
    length: u64,
}

impl Embedded {
    /// Takes them out of `html`, which is parsed without them: they may be larger than HTML may be. `mark` is in no
    /// mail.
    pub fn take(html: &str, mark: &str) -> (String, Self) {
        let mut taken = Self::default();
        let mut without = String::with_capacity(html.len().min(1 << 20));
        let mut copied = 0;
        // "data:" in whatever case, as everything of it may be.
        for at in memchr::memchr2_iter(b'd', b'D', html.as_bytes()) {
            let Some(rest) = html.get(at..).filter(|_| at >= copied) else { continue };
            let before = html.get(copied..at).unwrap_or("");
            if !is_picture_source(before) {
                continue;
            }
            let is_quoted = before.ends_with(['"', '\'']);
            let Some((length, data)) = picture_data(rest, is_quoted) else { continue };
            let name = format!("cid:{mark}{}", taken.pictures.len());
            without.push_str(before);
            without.push_str(&name);
            copied = at + length;
            let is_small = taken.length + data.len() as u64 <= MAX_PICTURES;
            let picture = if is_small { data_url(&data) } else { Source::Missing };
            taken.length += if is_small { data.len() as u64 } else { 0 };
            taken.pictures.insert(name, picture);
        }
        without.push_str(html.get(copied..).unwrap_or(""));
        (without, taken)
    }
}

/// Whether what comes next is the source of an `<img>`. Elsewhere it may be text, which is not touched.
fn is_picture_source(before: &str) -> bool {
    let behind = before.trim_end_matches(['"', '\'']).trim_end();
    let Some(name) = behind.strip_suffix('=').map(str::trim_end) else { return false };
    let ends = |end: &str| name.len().checked_sub(end.len()).and_then(|start| name.get(start..));
    if !ends("src").is_some_and(|end| end.eq_ignore_ascii_case("src")) {
        return false;
    }
    let near = name.as_bytes().get(name.len().saturating_sub(MAX_TAG)..).unwrap_or_default();
    let tag =
        near.iter().rposition(|c| *c == b'<').and_then(|start| near.get(start + 1..)).unwrap_or_default();
    tag.get(..3).is_some_and(|name| name.eq_ignore_ascii_case(b"img")) && !tag.contains(&b'>')
}

/// The length of a `data:image/...;base64,...` at the start of `rest`, and the bytes that it holds. Between quotes it may
/// be broken over lines.
fn picture_data(rest: &str, is_quoted: bool) -> Option<(usize, Vec<u8>)> {
    without_scheme(rest, "data:image/")?;
    let comma = rest.bytes().take(MAX_TYPE).position(|c| c == b',')?;
    let head = rest.get(..comma)?;
    let encoding = head.len().checked_sub(";base64".len()).and_then(|start| head.get(start..))?;
    if !encoding.eq_ignore_ascii_case(";base64") || head.contains(['"', '\'', '<', '>']) {
        return None;
    }
    let is_data =
        |c: &u8| c.is_ascii_alphanumeric() || b"+/=%".contains(c) || is_quoted && c.is_ascii_whitespace();
    let data = rest.as_bytes().get(comma + 1..)?;
    let length = data.iter().take_while(|c| is_data(c)).count();
    let data = data.get(..length)?.trim_ascii_end();
    let letters: Vec<u8> =
        percent_encoding::percent_decode(data).filter(|c| !c.is_ascii_whitespace()).collect();
    Some((comma + 1 + data.len(), FORGIVING.decode(letters).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

    fn file(part: u32, id: &str, location: &str, name: &str) -> IndexFile {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        IndexFile {
            part,
            name: name.to_owned(),
            media_type: "image/png".to_owned(),
            size: PNG.len() as u64,
            inline: true,
            content_id: some(id),
            content_location: some(location),
        }
    }

    #[test]
    fn every_name_finds_its_file() {
        let files = [
            file(1, "image001.png@01DC", "", "image001.png"),
            file(2, "een%40x", "", "twee.png"),
            file(3, "", "http://intranet.voorbeeld.nl/a/logo.png", "bijlage-3.png"),
            file(4, "", "b/logo.png", "bijlage-4.png"),
            file(5, "", "", "Plattegrond nieuw.PNG"),
        ];
        let names = Names::of(&files);
        for (source, part) in [
            ("cid:image001.png%4001DC", Some(1)),
            ("CID:image001.png@01DC", Some(1)),
            ("Cid:een@x", Some(2)),
            ("cid:een%40x", Some(2)),
            ("cid:twee.png", Some(2)),
            ("http://INTRANET.voorbeeld.nl/a/logo.png", Some(3)),
            ("a/logo.png", Some(3)),
            ("./b/logo.png", Some(4)),
            ("logo.png", Some(3)),
            ("http://elders.nl/c/b/logo.png", Some(4)),
            ("https://elders.nl/a/logo.png", None),
            ("file:///C:/Temp/plattegrond%20nieuw.png", Some(5)),
            ("C:\\Temp\\Plattegrond nieuw.png", Some(5)),
            ("https://elders.nl/image001.png", None),
            ("cid:", None),
            ("", None),
            ("x.png", None),
        ] {
            assert_eq!(names.find(source).map(|file| file.part), part, "{source}");
        }
    }

    #[test]
    fn a_file_is_read_once_and_must_be_a_picture() {
        let files = [file(1, "a", "", "a.png"), file(2, "b", "", "b.png")];
        let sources = ["cid:a", "cid:A", "CID:a", "cid:b", "https://x.nl/a"].map(str::to_owned);
        let mut read = Vec::new();
        let pictures = Pictures::find(&sources, Embedded::default(), &Names::of(&files), |file| {
            read.push(file.part);
            Ok(if file.part == 1 { PNG.to_vec() } else { b"<svg onload=alert(1)>".to_vec() })
        });
        let pictures = pictures.unwrap();
        assert_eq!(read, [1, 2]);
        assert!(
            matches!(pictures.get("CID:a"), Source::Picture(url) if url.starts_with("data:image/png;base64,"))
        );
        assert_eq!(pictures.get("cid:b"), &Source::Missing);
        assert_eq!(pictures.get("https://x.nl/a"), &Source::Remote);
        assert_eq!(pictures.get("cid:never"), &Source::Missing);
    }

    #[test]
    fn embedded_pictures_are_taken_out_and_text_is_not() {
        let data = STANDARD.encode(PNG);
        let html = format!(
            "<p>data:image/png;base64,{data} src=\"data:image/png;base64,{data}\"</p><IMG alt=x SRC = \"DATA:image/png;\
             charset=x;base64,{}\r\n {}\"><img src=data:image/png;base64,{data} alt=y><img src='data:image/svg+xml;\
             base64,{}'><img src=\"data:image/png,x\">",
            &data[..8],
            &data[8..],
            STANDARD.encode("<svg onload=alert(1)>")
        );
        let (without, embedded) = Embedded::take(&html, "merk-");
        let expected = format!(
            "<p>data:image/png;base64,{data} src=\"data:image/png;base64,{data}\"</p><IMG alt=x SRC = \"cid:merk-0\">\
             <img src=cid:merk-1 alt=y><img src='cid:merk-2'><img src=\"data:image/png,x\">"
        );
        assert_eq!(without, expected);
        let url = format!("data:image/png;base64,{data}");
        assert_eq!(embedded.pictures["cid:merk-0"], Source::Picture(url.clone().into()));
        assert_eq!(embedded.pictures["cid:merk-1"], Source::Picture(url.into()));
        assert_eq!(embedded.pictures["cid:merk-2"], Source::Missing);
    }

    #[test]
    fn a_picture_that_is_repeated_has_its_bounds() {
        let mut room = Room::default();
        assert!(room.take(MAX_SHOWN) && !room.take(1));
    }
}
