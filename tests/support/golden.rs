//! What the tests of golden mails have in common: in whose name the mails are, and what each is compared with.

use std::path::Path;

use zegel::address::Address;
use zegel::clock::Timestamp;
use zegel::config;
use zegel::message::crlf::CrlfBytes;
use zegel::settings::Organisation;

/// In whose name the mails are.
pub fn organisation() -> Organisation {
    organisation_with("")
}

/// The same with these keys of `[organisation]`; paths are those of the repository.
pub fn organisation_with(keys: &str) -> Organisation {
    let text = r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = "/nowhere"
        [organisation]
        name = "Gemeente Voorbeeld"
        domains = ["voorbeeld.nl"]
        phone = "14 0511"
        KEYS
        [smtp]
        listen = ["127.0.0.1:0"]
        [relay]
        smarthost = "127.0.0.1:25"
        [web]
        listen = ["127.0.0.1:0"]
        public_url = "https://veilig.voorbeeld.nl"
    "#;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("zegel.toml");
    let config = config::parse(&file, &text.replace("KEYS", keys), std::iter::empty()).unwrap();
    Organisation::read(&config, std::iter::once(&config)).unwrap()
}

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Compares with a file in `tests/golden`, line ends aside.
pub fn assert_golden(name: &str, notice: &CrlfBytes) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.eml"));
    let written = String::from_utf8(notice.as_slice().to_vec()).unwrap().replace("\r\n", "\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == golden,
        "{} differs; look at the change, then run with UPDATE_GOLDEN=1\n{written}",
        path.display()
    );
}
