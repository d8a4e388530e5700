//! What every [`Blobs`] must do.

use std::io::{ErrorKind, Read, Write};

use super::sample::*;
use crate::id::BlobName;
use crate::store::*;

fn write(blobs: &dyn Blobs, bytes: &[u8]) -> BlobName {
    let mut writer = blobs.create().unwrap();
    writer.write_all(bytes).unwrap();
    writer.commit().unwrap()
}

pub fn bytes_come_back(blobs: &dyn Blobs) {
    let large: Vec<u8> = (0..1_000_003u32).map(|n| (n % 251) as u8).collect();
    let contents: [&[u8]; 3] = [b"", b"sealed", &large];
    let mut names = contents.map(|bytes| write(blobs, bytes)).to_vec();
    for (name, bytes) in names.iter().zip(contents) {
        assert!(read(blobs, name).unwrap() == bytes);
    }
    names.sort();
    assert_eq!(all_names(blobs).unwrap(), names);
    let mut paged = Vec::new();
    for after in [None, Some(&names[0]), Some(&names[1]), Some(&names[2])] {
        paged.extend(blobs.names(after, 1).unwrap());
    }
    assert_eq!(paged, names, "page after page");
}

pub fn what_is_not_committed_is_not_there(blobs: &dyn Blobs) {
    let mut writer = blobs.create().unwrap();
    writer.write_all(&[1; 200_000]).unwrap();
    writer.flush().unwrap();
    assert!(all_names(blobs).unwrap().is_empty());
    drop(writer);
    assert!(all_names(blobs).unwrap().is_empty());
}

pub fn many_blobs_are_settled_together(blobs: &dyn Blobs) {
    let close = |number: u8| {
        let mut writer = blobs.create().unwrap();
        writer.write_all(&[number; 100]).unwrap();
        writer.close().unwrap()
    };
    let names: Vec<BlobName> = (0..100).map(close).collect();
    blobs.settle(&names).unwrap();
    for (number, name) in (0..).zip(&names) {
        assert_eq!(read(blobs, name).unwrap(), [number; 100]);
    }
    let mut sorted = names;
    sorted.sort();
    assert_eq!(all_names(blobs).unwrap(), sorted);
}

pub fn what_is_removed_is_gone(blobs: &dyn Blobs) {
    let (gone, kept) = (write(blobs, b"gone"), write(blobs, b"kept"));
    let mut open = blobs.open(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    assert_eq!(read(blobs, &gone).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(blobs, &kept).unwrap(), b"kept");
    assert_eq!(all_names(blobs).unwrap(), [kept]);
    // A reader that has begun gets all of it, or an error: never a part that looks like all of it.
    let mut rest = Vec::new();
    assert!(open.read_to_end(&mut rest).is_err() || rest == b"gone");
}

pub fn a_blob_can_be_read_from_anywhere(blobs: &dyn Blobs) {
    let large: Vec<u8> = (0..200_003u32).map(|n| (n % 251) as u8).collect();
    let name = write(blobs, &large);
    for offset in [0, 1, 65_536, 200_002, 200_003, 300_000] {
        let mut rest = Vec::new();
        blobs.open_at(&name, offset).unwrap().read_to_end(&mut rest).unwrap();
        assert!(rest == large[large.len().min(offset as usize)..], "from {offset}");
    }
}
