//! Every seed through its law: what once broke one is a seed from then on.

#![allow(clippy::unwrap_used, reason = "a test may fail so")]

use std::fs;
use std::path::{Path, PathBuf};

use zegel_fuzz::{TARGETS, openpgp, token};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

#[test]
fn every_law_holds_for_every_seed() {
    for (target, holds) in TARGETS {
        let files = files(&seeds().join(target));
        assert!(!files.is_empty(), "no seed for {target}");
        for file in files {
            eprintln!("{}", file.display());
            holds(&fs::read(file).unwrap());
        }
    }
}

#[test]
fn every_law_has_a_target_and_every_folder_a_law() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let stems = |folder: &Path| -> Vec<String> {
        let stem = |file: PathBuf| file.file_stem().unwrap().to_str().unwrap().to_owned();
        files(folder).into_iter().map(stem).collect()
    };
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(stems(&targets), names);
    assert_eq!(stems(&seeds()), names);
}

/// Ordinary mail from the tests of the policy, which needs no second home.
#[test]
fn the_cases_of_the_policy_are_seeds_too() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/cases");
    let mails = files(&cases).into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "eml"));
    for file in mails {
        eprintln!("{}", file.display());
        let mail = fs::read(file).unwrap();
        for name in ["decision", "header", "mime", "rewrite"] {
            let (_, holds) = TARGETS.iter().find(|(target, _)| *target == name).unwrap();
            holds(&mail);
        }
    }
}

/// Seeds that need a key cannot be typed: `UPDATE_SEEDS=1 cargo test -p zegel-fuzz` writes them anew.
#[test]
fn seeds_with_a_key_are_there() {
    let write = std::env::var_os("UPDATE_SEEDS").is_some();
    let keep = |folder: &str, name: &str, octets: &[u8]| {
        let file = seeds().join(folder).join(name);
        if write {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, octets).unwrap();
        }
        assert!(file.exists(), "{}", file.display());
    };
    for length in openpgp::LENGTHS {
        let [part, stream] = openpgp::seeds(*length).unwrap();
        keep("openpgp", &format!("part-{length}.pgp"), &part);
        keep("openpgp", &format!("stream-{length}"), &stream);
    }
    for (number, text) in token::seeds().iter().enumerate() {
        keep("token", &format!("{number}.txt"), text.as_bytes());
    }
}
