//! A winmail.dat beside the program `tnef`: the same files, byte by byte (feature `system-tests`). It is tried on files of our
//! own, and on the samples of tnefparse where `./run test` could fetch them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zegel::message::crlf::CrlfBytes;
use zegel::message::mime;

/// What `tnef` calls the text of the message, which is no file of ours.
const BODIES: [&str; 3] = ["message.rtf", "message.html", "message.txt"];

/// The files in a winmail.dat by their names, with a sound checksum for each attribute, as `tnef` demands it.
fn winmail(files: &[(&str, &[u8])], code_page: u32) -> Vec<u8> {
    let mut file = vec![0x78, 0x9f, 0x3e, 0x22, 1, 0];
    let mut attribute = |level: u8, id: u32, data: &[u8]| {
        let sum = data.iter().fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        file.push(level);
        file.extend(id.to_le_bytes());
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(data);
        file.extend(sum.to_le_bytes());
    };
    attribute(1, 0x0008_9006, &0x0001_0000u32.to_le_bytes());
    attribute(1, 0x0006_9007, &[code_page.to_le_bytes(), [0; 4]].concat());
    attribute(1, 0x0007_8008, b"IPM.Microsoft Mail.Note\0");
    attribute(1, 0x0001_8004, b"Onderwerp\0");
    for (name, content) in files {
        attribute(2, 0x0006_9002, &[1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
        attribute(2, 0x0001_8010, format!("{name}\0").as_bytes());
        attribute(2, 0x0006_800f, content);
    }
    file
}

/// What `tnef` makes of a file; none where it refuses it, as it does every wrong checksum.
fn by_tnef(file: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let folder = tempfile::tempdir().unwrap();
    let status =
        Command::new("tnef").arg("--overwrite").arg("-C").arg(folder.path()).arg(file).status().unwrap();
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
    };
    status.success().then(|| files.map(read).filter(|(name, _)| !BODIES.contains(&name.as_str())).collect())
}

/// What we make of it.
fn by_us(file: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let lines = STANDARD.encode(file);
    let header = "Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n";
    let mail = CrlfBytes::normalised(format!("{header}\n{lines}\n").as_bytes());
    let files = mime::parts(&mail).files;
    assert_eq!((files[0].name.as_str(), files[0].data.as_ref()), ("winmail.dat", file));
    files.into_iter().skip(1).map(|file| (file.name, file.data.into_owned())).collect()
}

#[test]
fn our_own_files_come_out_as_tnef_gives_them() {
    let binary: Vec<u8> = (0..100_000u32).map(|at| (at.wrapping_mul(at) >> 5) as u8).collect();
    let folder = tempfile::tempdir().unwrap();
    for files in [
        &[("besluit.pdf", &b"%PDF-1.4\r\n\0\xff"[..])][..],
        &[("leeg.txt", b""), ("vol.bin", &binary)],
        &[("een twee.txt", b"--=_1_\r\n"), ("b.eml", b"Subject: x\r\n\r\ny"), ("c.csv", b"a;b\n")],
    ] {
        let path = folder.path().join("winmail.dat");
        let file = winmail(files, 1252);
        fs::write(&path, &file).unwrap();
        let ours = by_us(&file);
        assert_eq!(ours.len(), files.len());
        assert_eq!(ours, by_tnef(&path).unwrap());
    }
}

#[test]
fn samples_come_out_as_tnef_gives_them() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tnef-samples");
    let Ok(files) = fs::read_dir(&samples) else {
        println!("there are no samples in {}: ./run test fetches them", samples.display());
        return;
    };
    let is_sample = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "tnef");
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).filter(is_sample).collect();
    assert!(files.len() > 10, "{files:?}");
    let mut compared = 0;
    for path in files {
        let ours = by_us(&fs::read(&path).unwrap());
        let Some(theirs) = by_tnef(&path) else { continue };
        for (name, content) in theirs {
            // Of an object `tnef` gives the 16 bytes that say what it is as well.
            let is_there =
                ours.values().any(|file| *file == content || content.get(16..) == Some(file.as_slice()));
            assert!(is_there, "{name} of {}: {:?}", path.display(), ours.keys());
            compared += 1;
        }
    }
    assert!(compared > 10, "only {compared} files");
}
