//! A winmail.dat beside the programs `tnef` and `tnefparse`: the same files, byte by byte (feature `system-tests`). It is tried
//! on files of our own and on the samples of tnefparse, which `./run test` fetches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail so"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
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

/// A file by its name.
type Named = (String, Vec<u8>);

/// What `tnef` makes of a file; none where it refuses it, as it does every wrong checksum.
fn by_tnef(file: &Path) -> Option<Vec<Named>> {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("tnef").args(["--overwrite", "-C"]).arg(folder.path()).arg(file).status();
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| (name_of(entry.file_name().as_bytes()), fs::read(entry.path()).unwrap());
    let status = status.expect("the program tnef (Debian: tnef)");
    status.success().then(|| files.map(read).filter(|(name, _)| !BODIES.contains(&name.as_str())).collect())
}

/// `tnef` writes a name in the code page in which it stood.
fn name_of(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), Into::into)
}

/// What tnefparse makes of these, by the names of the samples.
fn by_tnefparse(folder: &Path, samples: &[PathBuf]) -> BTreeMap<PathBuf, Vec<Named>> {
    let program = "import base64, json, sys, tnefparse
for sample in sys.argv[1:]:
    files = tnefparse.TNEF(open(sample, 'rb').read(), do_checksum=False).attachments
    print(json.dumps([sample, [[file.long_filename(), base64.b64encode(bytes(file.data)).decode()] for file in files]]))";
    let output = Command::new("python3")
        .args(["-c", program])
        .args(samples)
        .env("PYTHONPATH", folder)
        .output()
        .expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = |line: &str| -> (PathBuf, Vec<Named>) {
        let (sample, files): (PathBuf, Vec<(String, String)>) = serde_json::from_str(line).unwrap();
        (sample, files.into_iter().map(|(name, data)| (name, STANDARD.decode(data).unwrap())).collect())
    };
    std::str::from_utf8(&output.stdout).unwrap().lines().map(line).collect()
}

/// What we make of it.
fn by_us(file: &[u8]) -> Vec<Named> {
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
        assert_eq!(
            ours.into_iter().collect::<BTreeMap<_, _>>(),
            by_tnef(&path).unwrap().into_iter().collect()
        );
    }
}

/// Whatever others have in their tests: the same files with the same bytes, by two programs.
#[test]
fn samples_come_out_as_others_give_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tnefparse");
    let samples = folder.join("tests/examples");
    let files = fs::read_dir(&samples).unwrap_or_else(|error| {
        panic!("{}: {error}: `./run test` fetches tnefparse and its samples", samples.display())
    });
    let is_sample = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "tnef");
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).filter(is_sample).collect();
    assert_eq!(files.len(), 19, "{files:?}");
    let by_tnefparse = by_tnefparse(&folder, &files);
    let mut refused = Vec::new();
    for path in &files {
        let ours = by_us(&fs::read(path).unwrap());
        assert_same("tnefparse", path, &ours, &by_tnefparse[path]);
        match by_tnef(path) {
            Some(theirs) => assert_same("tnef", path, &ours, &theirs),
            None => refused.push(path.file_stem().unwrap().to_str().unwrap()),
        }
    }
    refused.sort_unstable();
    assert_eq!(refused, ["IPM-DistList", "bad_checksum", "duplicate_filename"], "a wrong checksum");
}

/// As many files, and for each of theirs one of ours with its name and its bytes.
fn assert_same(program: &str, sample: &Path, ours: &[Named], theirs: &[Named]) {
    let names = |files: &[Named]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (mut left, what) = (ours.to_vec(), format!("{} by {program}", sample.display()));
    for (name, content) in theirs {
        let is_same = |(our_name, our_content): &Named| {
            (our_name == name || RENAMED.contains(&(name, our_name))) && has_bytes(our_content, content)
        };
        let at = left.iter().position(is_same);
        left.remove(at.unwrap_or_else(|| panic!("{name} is not among {:?} in {what}", names(ours))));
    }
    assert!(left.is_empty(), "{:?} are not in {what}", names(&left));
}

/// The names that others give, and ours: two files never have one name, an object has an ending, and where a file has a name in
/// its place for names of old, it is not untitled.
const RENAMED: [(&str, &str); 3] = [
    ("file_abcdefgh.txt", "file_abcdefgh (2).txt"),
    ("Untitled_Attachment", "Untitled_Attachment.ole"),
    ("Untitled Attachment", "XXXXnews.dat"),
];

/// Both programs give the 16 bytes that say what an object is as well, and tnefparse takes off the zeros at the end of a value.
fn has_bytes(ours: &[u8], theirs: &[u8]) -> bool {
    let end = ours.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let is = |theirs: &[u8]| ours == theirs || ours[..end] == *theirs;
    is(theirs) || theirs.get(16..).is_some_and(is)
}
