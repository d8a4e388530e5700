//! What a thief of the data folder can read of queued bodies: everything that looks like one, wherever in a file it lies,
//! is tried with `master.key` and every key that is left. Pages of the database and its log are put together again, as
//! somebody would who knows the format.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::thread;

use zegel::seal::chunks::{ChunkReader, sealed_size};
use zegel::secret::derive;

use super::gateway::all_bytes;

/// Salt, traits, size: what stands before the chunks of a body.
const HEADER: usize = 25;
const SALT: usize = 16;
const PAGE: usize = 4096;
/// Bytes before each page in the log.
const FRAME: usize = 24;
const LOG_HEADER: usize = 32;

/// The text of every queued body that can be opened.
pub fn readable(data: &Path) -> Vec<String> {
    let master: [u8; 32] = fs::read(data.join("master.key")).unwrap().try_into().unwrap();
    let master = derive(&master, b"", "zegel queue body");
    let mut bodies = BTreeMap::new();
    let mut short = Vec::new();
    let mut pages = Vec::new();
    for (path, octets) in all_bytes(data) {
        let name = path.strip_prefix(data).unwrap().to_string_lossy().into_owned();
        if name.starts_with("keys/") {
            short.extend(octets.chunks_exact(32).map(|key| <[u8; 32]>::try_from(key).unwrap()));
        }
        match name.as_str() {
            "zegel.db" => pages.extend(pages_of_database(&octets)),
            "zegel.db-wal" => pages.extend(pages_of_log(&octets)),
            _ => {}
        }
        for at in 0..octets.len().saturating_sub(HEADER) {
            if let Some(length) = length_of_body(&octets[at..])
                && let Some(body) = octets.get(at..at + length)
            {
                bodies.insert(body.to_vec(), ());
            }
        }
    }
    for place in 0..pages.len() {
        bodies.extend(bodies_in_page(&pages, place).into_iter().map(|body| (body, ())));
    }
    let bodies: Vec<Vec<u8>> = bodies.into_keys().collect();
    open_all(&bodies, &master, &short)
}

/// Tries every key on every body.
fn open_all(bodies: &[Vec<u8>], master: &[u8; 32], short: &[[u8; 32]]) -> Vec<String> {
    let share = bodies.len().div_ceil(2).max(1);
    thread::scope(|threads| {
        let tries: Vec<_> = bodies
            .chunks(share)
            .map(|share| {
                threads.spawn(|| share.iter().filter_map(|body| open(body, master, short)).collect())
            })
            .collect();
        tries.into_iter().flat_map(|tried| -> Vec<String> { tried.join().unwrap() }).collect()
    })
}

fn open(body: &[u8], master: &[u8; 32], short: &[[u8; 32]]) -> Option<String> {
    let salt = &body[..SALT];
    let both = [&master[..], salt].concat();
    let short = short.iter().map(|key| derive(key, &both, "zegel body of short life"));
    let mut keys = std::iter::once(derive(master, salt, "body")).chain(short);
    keys.find_map(|key| {
        let chunks = ChunkReader::new(&key, &body[..HEADER], Cursor::new(&body[HEADER..])).ok()?;
        let chunks: Result<Vec<_>, _> = chunks.collect();
        Some(String::from_utf8_lossy(&chunks.ok()?.concat()).into_owned())
    })
}

/// Of header and chunks, where the bytes may be the header of a body.
fn length_of_body(octets: &[u8]) -> Option<usize> {
    let (header, _) = octets.split_at_checked(HEADER)?;
    let size = u64::from_be_bytes(header[SALT + 1..].try_into().unwrap());
    let is_header =
        header[SALT] <= 3 && (1..1 << 26).contains(&size) && header[..SALT].iter().any(|o| *o > 9);
    is_header.then(|| HEADER + sealed_size(size as usize))
}

/// A page: its number, and where in its file it lies.
struct Page {
    number: u32,
    place: i64,
    octets: Vec<u8>,
}

fn pages_of_database(octets: &[u8]) -> Vec<Page> {
    let pages = (1..).zip(octets.chunks_exact(PAGE));
    // Far from every frame of the log.
    pages.map(|(number, octets)| Page { number, place: i64::MIN / 2, octets: octets.to_vec() }).collect()
}

fn pages_of_log(octets: &[u8]) -> Vec<Page> {
    let frames = octets.get(LOG_HEADER..).unwrap_or_default().chunks_exact(FRAME + PAGE);
    (0..)
        .zip(frames)
        .map(|(place, frame)| Page {
            number: u32::from_be_bytes(frame[..4].try_into().unwrap()),
            place,
            octets: frame[FRAME..].to_vec(),
        })
        .collect()
}

/// Bodies that begin in this page and go on in others: the rest of a long row is in a chain of pages, each with the number
/// of the next in front.
fn bodies_in_page(pages: &[Page], place: usize) -> Vec<Vec<u8>> {
    let page = &pages[place];
    let mut found = Vec::new();
    for at in 0..PAGE - HEADER {
        let Some(length) = length_of_body(&page.octets[at..]) else { continue };
        let Some(here) = octets_in_leaf(length) else { continue };
        let (Some(start), Some(next)) =
            (page.octets.get(at..at + here), page.octets.get(at + here..at + here + 4))
        else {
            continue;
        };
        let mut body = start.to_vec();
        let mut next = u32::from_be_bytes(next.try_into().unwrap());
        while body.len() < length {
            let of_number = pages.iter().filter(|other| other.number == next);
            let Some(nearest) = of_number.min_by_key(|other| (other.place - page.place).abs()) else { break };
            next = u32::from_be_bytes(nearest.octets[..4].try_into().unwrap());
            body.extend(&nearest.octets[4..]);
        }
        body.truncate(length);
        found.push(body);
    }
    found
}

/// How much of a body is in the leaf of the tree (SQLite's file format, 1.6); `None` where that is all of it.
fn octets_in_leaf(length: usize) -> Option<usize> {
    let of_type = if 2 * length + 12 < 1 << 14 { 2 } else { 3 };
    let header = 1 + 1 + of_type;
    let payload = header + length;
    let (most, least) = (PAGE - 35, (PAGE - 12) * 32 / 255 - 23);
    if payload <= most {
        return None;
    }
    let kept = least + (payload - least) % (PAGE - 4);
    Some(if kept <= most { kept } else { least } - header)
}
