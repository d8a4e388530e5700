//! The configuration of the demo's gateway: one municipality, or the two of `deploy/examples`, whose files are in the
//! binary.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::sample::{SAMPLES, Sample};
use crate::config::{self, Config};

/// Whom the demo's gateway is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// One municipality, without a face of its own.
    One,
    /// Those of `deploy/examples`.
    Two,
}

/// Where the demo's gateway listens, and where it delivers to.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    pub smtp: SocketAddr,
    pub web: SocketAddr,
    pub smarthost: SocketAddr,
}

/// The staff of the one municipality.
const STAFF: &str = "email,name,phone,department\n\
    s.devries@voorbeeld.nl,Sanne de Vries,0511 123 456,Zorg en Ondersteuning\n";

/// The configuration of the two.
const EXAMPLE: &str = include_str!("../../deploy/examples/zegel.toml");

/// Where the pages of each of the two are: browsers take every name below `localhost` for this machine.
const HOSTS: [&str; 2] = ["voorbeeld.localhost", "zuiderveen.localhost"];

macro_rules! files_of {
    ($($name:literal),*) => { &[$(($name, include_bytes!(concat!("../../deploy/examples/", $name)))),*] };
}

/// What that configuration names.
const FILES: &[(&str, &[u8])] = files_of![
    "voorbeeld/staff.csv",
    "voorbeeld/policy.toml",
    "voorbeeld/theme.css",
    "voorbeeld/logo.svg",
    "voorbeeld/logo.png",
    "voorbeeld/favicon.svg",
    "zuiderveen/staff.csv",
    "zuiderveen/policy.toml",
    "zuiderveen/theme.css",
    "zuiderveen/logo.svg",
    "zuiderveen/logo.png",
    "zuiderveen/favicon.svg"
];

impl Cast {
    /// The mails that can be sent.
    pub fn samples(self) -> &'static [Sample] {
        match self {
            Self::One => SAMPLES.get(..1).unwrap_or_default(),
            Self::Two => SAMPLES,
        }
    }

    /// Writes the files that the configuration names.
    pub fn write_files(self, folder: &Path) -> Result<()> {
        match self {
            Self::One => fs::write(folder.join("staff.csv"), STAFF)?,
            Self::Two => {
                for (name, content) in FILES {
                    let path = folder.join(name);
                    fs::create_dir_all(path.parent().unwrap_or(folder))?;
                    fs::write(path, content)?;
                }
            }
        }
        Ok(())
    }

    /// The configuration as an administrator would write it.
    pub fn configuration(self, folder: &Path, addresses: Addresses) -> Result<Config> {
        let path = folder.join("zegel.toml");
        Ok(match self {
            Self::One => config::parse(&path, &text_of_one(folder, addresses), std::iter::empty())?,
            Self::Two => config::parse(&path, EXAMPLE, variables_of_two(folder, addresses).into_iter())?,
        })
    }
}

fn text_of_one(folder: &Path, Addresses { smtp, web, smarthost }: Addresses) -> String {
    format!(
        r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = {folder:?}
        [organisation]
        name = "Gemeente Voorbeeld"
        domains = ["voorbeeld.nl"]
        phone = "14 0511"
        staff = "staff.csv"
        [smtp]
        listen = ["{smtp}"]
        [relay]
        smarthost = "{smarthost}"
        [web]
        listen = ["{web}"]
        public_url = "http://{web}"
        [admin]
        listen = ["127.0.0.1:0"]
        "#
    )
}

/// What differs on loopback from what the file says, as the environment says it.
fn variables_of_two(folder: &Path, Addresses { smtp, web, smarthost }: Addresses) -> Vec<(String, String)> {
    let [first, second] = HOSTS.map(|host| format!("http://{host}:{}", web.port()));
    [
        ("ZEGEL_DATA_DIR", folder.display().to_string()),
        ("ZEGEL_SMTP__LISTEN", format!("[\"{smtp}\"]")),
        ("ZEGEL_RELAY__SMARTHOST", smarthost.to_string()),
        ("ZEGEL_RELAY__TLS", "opportunistic".to_owned()),
        ("ZEGEL_WEB__LISTEN", format!("[\"{web}\"]")),
        ("ZEGEL_ADMIN__LISTEN", "[\"127.0.0.1:0\"]".to_owned()),
        ("ZEGEL_ORGANISATION__1__PUBLIC_URL", first),
        ("ZEGEL_ORGANISATION__2__PUBLIC_URL", second),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
