//! What `zegel check` says of configurations that an administrator gets wrong: each is a case with its whole output in
//! `tests/golden/check`. `UPDATE_GOLDEN=1 cargo test --test check` writes them anew.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail so")]

#[path = "check/certificates.rs"]
mod certificates;
#[path = "check/configuration.rs"]
mod configuration;
#[path = "check/files.rs"]
mod files;
#[path = "check/machine.rs"]
mod machine;
#[path = "check/policy.rs"]
mod policy;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::gateway::zegel;

/// A configuration that `check` has nothing to say about.
pub const FINE: &str = r#"hostname = "veilig.voorbeeld.nl"
data_dir = "data"

[organisation]
name = "Gemeente Voorbeeld"
domains = ["voorbeeld.nl"]
phone = "14 0511"

[smtp]
listen = ["127.0.0.1:0"]

[relay]
smarthost = "smarthost.voorbeeld.nl:25"
tls = "required"

[web]
listen = ["127.0.0.1:0"]
public_url = "https://veilig.voorbeeld.nl"

[admin]
listen = ["127.0.0.1:0"]
"#;

/// Makes the folder as the case needs it; gives variables of the environment.
type Prepare = fn(&Path) -> Vec<(String, String)>;

/// One configuration that somebody got wrong.
#[derive(Default)]
pub struct Case {
    pub name: &'static str,
    /// What is written in place of what.
    pub edits: &'static [(&'static str, &'static str)],
    pub environment: &'static [(&'static str, &'static str)],
    pub arguments: &'static [&'static str],
    /// Puts files beside the configuration. Gives what differs from run to run, and what stands for it in the golden file.
    pub prepare: Option<Prepare>,
    /// What the finding must have: its severity, and a part of its reason.
    pub expected: (&'static str, &'static str),
}

/// A folder with a configuration.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new(text: &str) -> Self {
        // Not in memory: `check` says that mail must not be kept there.
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("zegel.toml"), text).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Exit status, standard output, standard error.
    pub fn check(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = zegel();
        command.args(["check", "--config"]).arg(self.path().join("zegel.toml")).args(arguments);
        if !arguments.contains(&"--user") {
            command.args(["--user", &rustix::process::geteuid().as_raw().to_string()]);
        }
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }
}

impl Case {
    fn run(&self) {
        let text = self.edits.iter().fold(FINE.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{}: {from:?} in {text}", self.name);
            text.replacen(from, to, 1)
        });
        let place = Place::new(&text);
        let mut replaced = self.prepare.map(|prepare| prepare(&place.path())).unwrap_or_default();
        let (status, out, error) = place.check(self.arguments, self.environment);
        replaced.push((place.path().display().to_string(), "DIR".to_owned()));
        let shown = format!("exit {status}\n{}{}", without_disk(&out), without_disk(&error));
        let shown = replaced.iter().fold(shown, |shown, (from, to)| shown.replace(from.as_str(), to));
        assert!(!shown.contains("geheim"), "{}: a secret is told: {shown}", self.name);
        assert_golden(self.name, &shown);
        self.assert_json(&place, status);
    }

    /// The same in JSON; and that the golden file says what the case is about.
    fn assert_json(&self, place: &Place, status: i32) {
        let (again, out, _) = place.check(&[self.arguments, &["--json"]].concat(), self.environment);
        assert_eq!(again, status, "{}", self.name);
        let report: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{}: {error}: {out}", self.name));
        let (severity, part) = self.expected;
        assert_eq!(report["status"] == "error", status == 2, "{}: {out}", self.name);
        let findings = report["findings"].as_array().unwrap();
        let is_it = |finding: &&Value| {
            finding["severity"] == severity && finding["reason"].as_str().unwrap().contains(part)
        };
        let found = findings
            .iter()
            .find(is_it)
            .unwrap_or_else(|| panic!("{}: no {severity} with {part:?} in {out}", self.name));
        for member in ["file", "line", "key", "variable", "reason", "remedy"] {
            assert!(found.get(member).is_some(), "{}: {member} is missing in {found}", self.name);
        }
        assert_ne!(found["remedy"], "", "{}", self.name);
    }
}

/// What the disk of the tests is like says nothing about the case.
fn without_disk(text: &str) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in text.lines() {
        let is_detail = line.trim_start().starts_with("at ") || line.trim_start().starts_with("remedy: ");
        skipping = match is_detail {
            true => skipping,
            false => {
                // How many rules zegel brings along is none of these tests' business.
                line.contains(" rules, ")
                    || line.contains("bytes are free at")
                    || [" is on tmpfs:", " is on overlay:", " is on NFS:"]
                        .iter()
                        .any(|part| line.contains(part))
            }
        };
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn assert_golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, shown).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shown == golden,
        "{} differs; look at the change, then run with UPDATE_GOLDEN=1\n{shown}",
        path.display()
    );
}

fn run(cases: &[Case]) {
    cases.iter().for_each(Case::run);
}

#[test]
fn what_is_written_wrong() {
    run(configuration::CASES);
}

#[test]
fn certificates_that_others_would_refuse() {
    run(certificates::CASES);
}

#[test]
fn files_that_the_service_cannot_use() {
    run(files::CASES);
}

#[test]
fn what_this_machine_does_not_give() {
    run(machine::CASES);
}

#[test]
fn rules_that_say_something_else() {
    run(policy::CASES);
}

/// Nothing is said of a configuration that is right, and every golden file belongs to a case.
#[test]
fn a_right_configuration_is_fine() {
    let (status, out, error) = Place::new(FINE).check(&[], &[]);
    let out = without_disk(&out);
    assert!(status == 0 && out.contains(": fine\n") && error.is_empty(), "{out}{error}");
    for word in ["warning", "note", "error"] {
        assert!(!out.contains(word), "{out}");
    }
    let all = [configuration::CASES, certificates::CASES, files::CASES, machine::CASES, policy::CASES]
        .concat_names();
    assert!(all.len() >= 60, "{} cases", all.len());
    let golden = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/check")).unwrap();
    let golden: BTreeSet<String> =
        golden.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(golden, all);
}

trait Names {
    fn concat_names(&self) -> BTreeSet<String>;
}

impl Names for [&'static [Case]; 5] {
    fn concat_names(&self) -> BTreeSet<String> {
        let names: Vec<String> =
            self.iter().flat_map(|cases| cases.iter()).map(|case| case.name.to_owned()).collect();
        let all: BTreeSet<String> = names.iter().cloned().collect();
        assert_eq!(all.len(), names.len(), "a name is used twice");
        all
    }
}

/// `--user` names the service's user where no data folder shows it; a wrong name is wrong usage.
#[test]
fn the_user_of_the_service_must_exist() {
    let (status, _, error) = Place::new(FINE).check(&["--user", "nobody-at-all"], &[]);
    assert!(status == 2 && error.contains("nobody-at-all"), "{error}");
}

/// Whatever becomes of the database, its password is in no finding.
#[test]
fn a_password_in_a_url_is_warned_of_and_not_shown() {
    let store = "[store]\ndatabase = \"postgresql://zegel:geheim@127.0.0.1:1/zegel\"\nblobs = \"s3://zegel\"\n\
                 endpoint = \"http://127.0.0.1:1\"\n";
    let (status, out, error) = Place::new(&format!("{FINE}{store}")).check(&[], &[]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert!(error.contains("warning: store.database holds a password"), "{error}");
    assert!(!error.contains("geheim"), "{error}");
}
