//! Passwords, keys, the staff list and the data folder. "nobody" (65534) stands for the service where it must not be whoever
//! runs the tests.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::Case;

const PASSWORD: &[(&str, &str)] =
    &[("tls = \"required\"", "tls = \"required\"\nusername = \"zegel\"\npassword_file = \"password\"")];
const STAFF: &[(&str, &str)] = &[("phone = ", "staff = \"staff.csv\"\nphone = ")];

pub const CASES: &[Case] = &[
    Case { name: "password-file-missing", edits: PASSWORD, expected: ("error", "No such file"), ..CASE },
    Case {
        name: "password-file-empty",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"\nsecret\n", 0o600)),
        expected: ("error", "is empty"),
        ..CASE
    },
    Case {
        name: "password-file-with-a-byte-order-mark",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"\xef\xbb\xbfgeheim", 0o600)),
        expected: ("error", "byte order mark"),
        ..CASE
    },
    Case {
        name: "password-file-in-another-encoding",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"gehe\xefm", 0o600)),
        expected: ("error", "not UTF-8"),
        ..CASE
    },
    Case {
        name: "password-with-a-blank",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"geheim \n", 0o600)),
        expected: ("warning", "a blank"),
        ..CASE
    },
    Case {
        name: "password-file-with-more-lines",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"geheim\nuser=zegel\n", 0o600)),
        expected: ("note", "more than one line"),
        ..CASE
    },
    Case {
        name: "password-file-for-everybody",
        edits: PASSWORD,
        prepare: Some(|folder| password(folder, b"geheim\n", 0o644)),
        expected: ("warning", "everybody on this machine"),
        ..CASE
    },
    Case {
        name: "password-file-closed-to-the-service",
        edits: PASSWORD,
        arguments: &["--user", "65534"],
        prepare: Some(|folder| {
            open_to_all(folder);
            password(folder, b"geheim\n", 0o600)
        }),
        expected: ("error", "cannot read it"),
        ..CASE
    },
    Case {
        name: "folder-closed-to-the-service",
        edits: &[(
            "tls = \"required\"",
            "tls = \"required\"\nusername = \"zegel\"\npassword_file = \"secrets/password\"",
        )],
        arguments: &["--user", "65534"],
        prepare: Some(|folder| {
            open_to_all(folder);
            fs::create_dir(folder.join("secrets")).unwrap();
            fs::write(folder.join("secrets/password"), "geheim\n").unwrap();
            fs::set_permissions(folder.join("secrets"), Permissions::from_mode(0o700)).unwrap();
            us()
        }),
        expected: ("error", "/secrets has mode 0700"),
        ..CASE
    },
    Case {
        name: "password-file-that-is-a-folder",
        edits: PASSWORD,
        prepare: Some(|folder| {
            fs::create_dir(folder.join("password")).unwrap();
            Vec::new()
        }),
        expected: ("error", "is a folder"),
        ..CASE
    },
    Case {
        name: "user-without-a-password",
        edits: &[("tls = \"required\"", "tls = \"required\"\nusername = \"zegel\"")],
        expected: ("error", "nothing can be delivered"),
        ..CASE
    },
    Case {
        name: "password-without-a-user",
        edits: &[("tls = \"required\"", "tls = \"required\"\npassword_file = \"password\"")],
        prepare: Some(|folder| password(folder, b"geheim\n", 0o600)),
        expected: ("warning", "never used"),
        ..CASE
    },
    Case { name: "staff-missing", edits: STAFF, expected: ("error", "No such file"), ..CASE },
    Case {
        name: "staff-of-nobody",
        edits: STAFF,
        prepare: Some(|folder| staff(folder, b"email,name\n")),
        expected: ("warning", "nobody is in"),
        ..CASE
    },
    Case {
        name: "staff-elsewhere",
        edits: STAFF,
        prepare: Some(|folder| staff(folder, b"email,name\njan@voorbeeld.nl,Jan\npiet@voorbeelt.nl,Piet\n")),
        expected: ("warning", "piet@voorbeelt.nl"),
        ..CASE
    },
    Case {
        name: "staff-with-a-broken-line",
        edits: STAFF,
        prepare: Some(|folder| staff(folder, b"email;naam\njan@voorbeeld.nl;Jan\n")),
        expected: ("error", "unknown column"),
        ..CASE
    },
    Case {
        name: "staff-twice",
        edits: STAFF,
        prepare: Some(|folder| staff(folder, b"email\njan@voorbeeld.nl\nJan@Voorbeeld.NL\n")),
        expected: ("error", "twice"),
        ..CASE
    },
    Case {
        name: "staff-in-another-encoding",
        edits: STAFF,
        prepare: Some(|folder| staff(folder, b"email,name\njan@voorbeeld.nl,Ren\xe9\n")),
        expected: ("error", "CSV UTF-8"),
        ..CASE
    },
    Case {
        name: "theme-and-logo",
        edits: &[("phone = ", "theme = \"theme.css\"\nlogo = \"logo.jpg\"\nphone = ")],
        prepare: Some(|folder| {
            fs::write(folder.join("theme.css"), b"\xff").unwrap();
            fs::write(folder.join("logo.jpg"), b"\xff\xd8\xff").unwrap();
            Vec::new()
        }),
        expected: ("error", "organisation.logo"),
        ..CASE
    },
    Case {
        name: "theme-without-contrast",
        edits: &[("phone = ", "theme = \"theme.css\"\nphone = ")],
        prepare: Some(|folder| {
            fs::write(folder.join("theme.css"), b":root {\n  --utrecht-page-footer-color: #0c4b52;\n}")
                .unwrap();
            Vec::new()
        }),
        expected: (
            "error",
            "theme.css: line 2: in the light scheme --utrecht-page-footer-color (#0c4b52) on \
             --utrecht-page-footer-background-color (#0c3b52) has a contrast of 1.21",
        ),
        ..CASE
    },
    Case {
        name: "data-folder-that-is-a-file",
        prepare: Some(|folder| {
            fs::write(folder.join("data"), "").unwrap();
            Vec::new()
        }),
        expected: ("error", "this is not a folder"),
        ..CASE
    },
    Case {
        name: "data-folder-of-somebody-else",
        arguments: &["--user", "65534"],
        prepare: Some(|folder| {
            open_to_all(folder);
            data(folder, 0o700)
        }),
        expected: ("error", "the service runs as nobody: it cannot write there"),
        ..CASE
    },
    Case {
        name: "data-folder-open-to-others",
        prepare: Some(|folder| data(folder, 0o755)),
        expected: ("warning", "may look into"),
        ..CASE
    },
    Case {
        name: "data-folder-that-cannot-be-made",
        arguments: &["--user", "65534"],
        prepare: Some(|folder| {
            open_to_all(folder);
            us()
        }),
        expected: ("warning", "nobody cannot make it"),
        ..CASE
    },
    Case {
        name: "blobs-on-a-link",
        prepare: Some(|folder| {
            let replaced = data(folder, 0o700);
            fs::create_dir(folder.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(folder.join("elsewhere"), folder.join("data/keys")).unwrap();
            replaced
        }),
        expected: ("error", "leads out of the data folder"),
        ..CASE
    },
];

const CASE: Case =
    Case { name: "", edits: &[], environment: &[], arguments: &[], prepare: None, expected: ("", "") };

fn password(folder: &Path, content: &[u8], mode: u32) -> Vec<(String, String)> {
    let file = folder.join("password");
    fs::write(&file, content).unwrap();
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
    us()
}

fn staff(folder: &Path, content: &[u8]) -> Vec<(String, String)> {
    fs::write(folder.join("staff.csv"), content).unwrap();
    Vec::new()
}

fn data(folder: &Path, mode: u32) -> Vec<(String, String)> {
    fs::create_dir(folder.join("data")).unwrap();
    fs::set_permissions(folder.join("data"), Permissions::from_mode(mode)).unwrap();
    us()
}

/// As the gateway makes it.
pub fn private(folder: &Path) {
    fs::set_permissions(folder.join("data"), Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(folder.join("data/master.key"), Permissions::from_mode(0o600)).unwrap();
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
}

/// Whoever runs the tests owns the files.
fn us() -> Vec<(String, String)> {
    let uid = rustix::process::geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let name = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid.to_string()));
    let name = name.map_or_else(|| uid.to_string(), |line| line.split(':').next().unwrap().to_owned());
    let before = ["owner ", "belongs to ", "runs as ", "others than ", "chown root:"];
    before.map(|before| (format!("{before}{name}"), format!("{before}US"))).to_vec()
}
