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
    let mut found = blobs.names().unwrap();
    found.sort();
    names.sort();
    assert_eq!(found, names);
}

pub fn what_is_not_committed_is_not_there(blobs: &dyn Blobs) {
    let mut writer = blobs.create().unwrap();
    writer.write_all(&[1; 200_000]).unwrap();
    writer.flush().unwrap();
    assert!(blobs.names().unwrap().is_empty());
    drop(writer);
    assert!(blobs.names().unwrap().is_empty());
}

pub fn what_is_removed_is_gone(blobs: &dyn Blobs) {
    let (gone, kept) = (write(blobs, b"gone"), write(blobs, b"kept"));
    let mut open = blobs.open(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    blobs.remove(&gone).unwrap();
    assert_eq!(read(blobs, &gone).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(blobs, &kept).unwrap(), b"kept");
    assert_eq!(blobs.names().unwrap(), [kept]);
    // Who reads it already gets it whole, or an error: never a part that looks like all of it.
    let mut rest = Vec::new();
    assert!(open.read_to_end(&mut rest).is_err() || rest == b"gone");
}
