//! `[store]`: one database and one bucket that several nodes share, in place of the data folder.

use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;
use serde::Deserialize;

use super::rules::{Fault, broken};

/// `[store]`. Without it rows, sealed bytes and keys are in the data folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// `postgresql://user@host/database?sslmode=verify-full`, as libpq has it.
    pub database: Option<String>,
    /// File whose first line is the password for the database.
    pub password_file: Option<PathBuf>,
    /// The most connections of one node to the database.
    pub connections: usize,
    /// Where ordinary mail waits that was just accepted.
    pub journal: JournalPlace,
    /// `s3://bucket/prefix`
    pub blobs: Option<String>,
    /// URL of the S3 service; unset: Amazon's of the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// File with `aws_access_key_id = …` and `aws_secret_access_key = …`; unset: the environment.
    pub credentials_file: Option<PathBuf>,
}

/// `store.journal`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalPlace {
    /// In the database: whichever node is lost, its mail is delivered by another.
    #[default]
    Shared,
    /// In the data folder of the node that accepted it: faster, and only as safe as that node's disk.
    Local,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            database: None,
            password_file: None,
            connections: 16,
            journal: JournalPlace::default(),
            blobs: None,
            endpoint: None,
            region: "us-east-1".to_owned(),
            credentials_file: None,
        }
    }
}

/// How to reach the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// As in [`StoreSection::database`].
    pub url: String,
    /// As in [`StoreSection::password_file`].
    pub password_file: Option<PathBuf>,
    /// The most connections.
    pub connections: usize,
}

impl Database {
    /// For people: without user, password and parameters.
    pub fn shown(&self) -> String {
        let without_parameters = self.url.split('?').next().unwrap_or_default();
        let (scheme, rest) = without_parameters.split_once("://").unwrap_or_default();
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        format!("{scheme}://{place}")
    }
}

/// How to reach the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the name of each object begins with; empty, or without a slash at either end.
    pub prefix: String,
    /// As in [`StoreSection::endpoint`].
    pub endpoint: Option<String>,
    /// As in [`StoreSection::region`].
    pub region: String,
    /// As in [`StoreSection::credentials_file`].
    pub credentials_file: Option<PathBuf>,
}

impl Bucket {
    /// For people.
    pub fn shown(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.name),
            prefix => format!("s3://{}/{prefix}", self.name),
        }
    }
}

impl StoreSection {
    /// What is said of the section by a binary that cannot do it.
    pub const NOT_BUILT: &str = "[store]: this zegel was built without the feature cluster";

    /// Database and bucket; `None` where all is in the data folder.
    pub fn shared(&self) -> Option<(Database, Bucket)> {
        let (url, blobs) = (self.database.clone()?, self.blobs.as_deref()?);
        let (name, prefix) = bucket_and_prefix(blobs)?;
        let database =
            Database { url, password_file: self.password_file.clone(), connections: self.connections };
        let bucket = Bucket {
            name,
            prefix,
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            credentials_file: self.credentials_file.clone(),
        };
        Some((database, bucket))
    }

    /// What works but is not safe against everything.
    pub fn notes(&self) -> Vec<String> {
        let local = (self.journal == JournalPlace::Local).then(|| {
            "store.journal is \"local\": ordinary mail that a node has just accepted is on its own disk alone, for some seconds; a \
             node that is lost for good takes it along, until the folder node in its data_dir is mounted elsewhere"
                .to_owned()
        });
        local.into_iter().collect()
    }

    /// Why it cannot be used, for a command that changes the section; the first of the reasons.
    pub fn refusal(&self) -> Option<String> {
        self.check().into_iter().next().map(|fault| fault.reason)
    }

    /// The rules that are broken, of what the types cannot express.
    pub(super) fn check(&self) -> Vec<Fault> {
        let is_url = |text: &str, schemes: &[&str]| schemes.iter().any(|scheme| text.starts_with(scheme));
        let endpoint = self.endpoint.as_deref();
        broken(&[
            (
                self.database.is_some() == self.blobs.is_some(),
                &["store.database", "store.blobs"],
                "store.database and store.blobs go together: nodes share rows and sealed bytes, or neither",
                "set both, or none",
            ),
            (
                self.database.as_deref().is_none_or(|url| is_url(url, &["postgresql://", "postgres://"])),
                &["store.database"],
                "store.database must be a URL that begins with postgresql://",
                "write postgresql://USER@HOST/DATABASE?sslmode=verify-full",
            ),
            (
                self.blobs.as_deref().is_none_or(|url| bucket_and_prefix(url).is_some()),
                &["store.blobs"],
                "store.blobs must be s3://BUCKET or s3://BUCKET/PREFIX",
                "write the name of the bucket in small letters, without a host",
            ),
            (
                endpoint.is_none_or(|url| is_url(url, &["https://", "http://"])),
                &["store.endpoint"],
                "store.endpoint must be a URL that begins with https:// or http://",
                "write the URL of the S3 service",
            ),
            (
                endpoint.is_none_or(|url| !url.starts_with("http://") || is_here(url)),
                &["store.endpoint"],
                "store.endpoint: http:// is for a service on this machine; use https://",
                "write https://, and give the service a certificate",
            ),
            (
                self.journal == JournalPlace::Shared || self.database.is_some(),
                &["store.journal"],
                "store.journal is for nodes that share a database: name store.database, or take it out",
                "take it out where there is one gateway",
            ),
            (
                (4..=1000).contains(&self.connections),
                &["store.connections"],
                "store.connections must be from 4 to 1000",
                "16 is the default",
            ),
            (
                !self.region.is_empty(),
                &["store.region"],
                "store.region must not be empty",
                "leave it out where the service has no regions",
            ),
        ])
    }
}

/// Whether a URL is of this machine.
fn is_here(url: &str) -> bool {
    let host = url
        .parse::<Uri>()
        .ok()
        .and_then(|url| url.host().map(|host| host.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback()))
}

fn bucket_and_prefix(url: &str) -> Option<(String, String)> {
    let (name, prefix) = match url.strip_prefix("s3://")?.split_once('/') {
        Some((name, prefix)) => (name, prefix.trim_matches('/')),
        None => (url.strip_prefix("s3://")?, ""),
    };
    let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-._".contains(&c);
    let is_prefix = |c: u8| c.is_ascii_alphanumeric() || b"-._/".contains(&c);
    let fits = !name.is_empty() && name.bytes().all(is_name) && prefix.bytes().all(is_prefix);
    fits.then(|| (name.to_owned(), prefix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_a_name_and_perhaps_a_prefix() {
        for (url, found) in [
            ("s3://zegel", Some(("zegel", ""))),
            ("s3://zegel/", Some(("zegel", ""))),
            ("s3://zegel/a/b/", Some(("zegel", "a/b"))),
            ("s3:///a", None),
            ("s3://Zegel", None),
            ("https://zegel", None),
            ("s3://zegel/a b", None),
        ] {
            let found = found.map(|(name, prefix)| (name.to_owned(), prefix.to_owned()));
            assert_eq!(bucket_and_prefix(url), found, "{url}");
        }
    }

    #[test]
    fn a_database_is_shown_without_its_password() {
        let shown = |url: &str| Database { url: url.to_owned(), password_file: None, connections: 4 }.shown();
        let plain = "postgresql://db.example:5433/zegel";
        assert_eq!(shown("postgresql://zegel:ge@heim@db.example:5433/zegel?password=geheim"), plain);
        assert_eq!(shown(plain), plain);
    }

    #[test]
    fn rows_and_bytes_are_shared_together() {
        let alone =
            StoreSection { database: Some("postgresql://db/zegel".into()), ..StoreSection::default() };
        assert!(alone.check()[0].reason.contains("go together"));
        let both = StoreSection { blobs: Some("s3://zegel/x".into()), ..alone };
        assert_eq!(both.check(), []);
        assert_eq!(both.shared().unwrap().1.prefix, "x");
        assert_eq!(StoreSection::default().shared(), None);
    }

    #[test]
    fn a_journal_of_its_own_is_for_a_node_and_is_warned_of() {
        let local = StoreSection { journal: JournalPlace::Local, ..StoreSection::default() };
        assert!(local.check()[0].reason.contains("store.journal"));
        let node = StoreSection {
            database: Some("postgresql://db/zegel".into()),
            blobs: Some("s3://zegel".into()),
            ..local
        };
        assert_eq!((node.check(), node.notes().len()), (vec![], 1));
        assert!(StoreSection::default().notes().is_empty());
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let check = |endpoint: &str| {
            let store = StoreSection { endpoint: Some(endpoint.to_owned()), ..StoreSection::default() };
            store.check()
        };
        for fine in ["https://s3.example", "http://127.0.0.1:9000", "http://localhost", "http://[::1]:9000/"]
        {
            assert_eq!(check(fine), [], "{fine}");
        }
        for wrong in [
            "http://s3.example",
            "http://10.0.0.5:9000",
            "http://127.0.0.1.example",
            "http://",
            "http://localhost@s3.example",
        ] {
            assert!(!check(wrong).is_empty(), "{wrong}");
        }
    }
}
