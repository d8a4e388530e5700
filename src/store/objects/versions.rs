//! A bucket that keeps versions: what is removed there is only hidden. Of keys of short life every version goes (C29); of all
//! else a rule of the bucket must see to it, and `zegel check` says so.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::Method;
use object_store::path::Path;
use serde::Deserialize;

use super::ObjectBlobs;
use super::remote::Remote;
use super::service::{Fault, Kind};

/// Every page of versions is removed before the next is asked for. So many, and the service does not do what it says.
const PAGES: usize = 100;
/// How often it is told that versions of keys stay.
const TOLD: Duration = Duration::from_hours(1);
/// What a service says in its answer when it has put a mark in the place of an object.
const MARKED: [&str; 2] = ["x-amz-delete-marker", "x-amz-version-id"];

/// When it was last told that versions stay.
#[derive(Default)]
pub(super) struct Told(Mutex<Option<Instant>>);

impl Told {
    /// Whether it is time to tell it again.
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last.is_none_or(|last| last.elapsed() >= TOLD);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

/// A page of `ListObjectVersions`; the library cannot ask for one.
#[derive(Deserialize)]
struct Versions {
    #[serde(default, rename = "$value")]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
enum Entry {
    Version(Version),
    DeleteMarker(Version),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    key: String,
    version_id: String,
}

impl Remote {
    /// Removes an object and every version of it, and returns once the service has said that they are gone. One that does not
    /// let us remove versions keeps them, which is told.
    pub async fn remove_all_versions(&self, key: &Path, told: &Told) -> io::Result<()> {
        let removed = match self.call(0, || self.request(Method::DELETE, key, Vec::new())).await {
            Ok(answer) => answer,
            Err(fault) if fault.kind == Kind::Absent => return Ok(()),
            Err(fault) => return Err(self.error(fault, key)),
        };
        if !MARKED.iter().any(|header| removed.headers().contains_key(*header)) {
            return Ok(());
        }
        match self.remove_versions(key).await {
            Err(fault) if matches!(fault.kind, Kind::Denied | Kind::Refused) => {
                if told.is_due() {
                    let error = self.error(fault, key);
                    tracing::warn!(
                        %error,
                        "the bucket keeps versions, and those of keys of short life cannot be removed: what has ended can be \
                         opened for as long as they are kept"
                    );
                }
                Ok(())
            }
            removed => removed.map_err(|fault| self.error(fault, key)),
        }
    }

    async fn remove_versions(&self, key: &Path) -> Result<(), Fault> {
        for _ in 0..PAGES {
            let versions = self.versions(key).await?;
            if versions.is_empty() {
                return Ok(());
            }
            for id in versions {
                let version = || vec![("versionId".to_owned(), id.clone())];
                match self.call(0, || self.request(Method::DELETE, key, version())).await {
                    Err(fault) if fault.kind != Kind::Absent => return Err(fault),
                    _ => {}
                }
            }
        }
        Err(Fault::nonsense("versions that were removed are listed again and again"))
    }

    /// The first versions of an object, marks of its removal included.
    async fn versions(&self, key: &Path) -> Result<Vec<String>, Fault> {
        let query = || {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            vec![pair("versions", ""), pair("prefix", key.as_ref())]
        };
        let page = self.call(0, || self.ask(query())).await?;
        versions_of(&page, key.as_ref()).ok_or_else(|| Fault::nonsense("a list of versions that is none"))
    }

    /// What the bucket says of itself when it is asked for this.
    async fn say(&self, what: &str) -> Result<bytes::Bytes, Fault> {
        self.call(0, || self.ask(vec![(what.to_owned(), String::new())])).await
    }
}

fn versions_of(page: &[u8], key: &str) -> Option<Vec<String>> {
    let page: Versions = quick_xml::de::from_reader(page).ok()?;
    let versions = page.entries.into_iter().filter_map(|entry| match entry {
        Entry::Version(version) | Entry::DeleteMarker(version) => Some(version),
        Entry::Other => None,
    });
    Some(versions.filter(|version| version.key == key).map(|version| version.version_id).collect())
}

impl ObjectBlobs {
    /// What an administrator should know of a bucket that keeps what is removed; nothing where it keeps nothing.
    pub async fn advice(&self) -> Vec<String> {
        let remote = &self.inner.remote;
        let place = remote.place(&Path::default());
        let mut advice = Vec::new();
        match remote.say("versioning").await {
            Ok(said)
                if has(&said, "<Status>")
                    && !has(&remote.say("lifecycle").await.unwrap_or_default(), "Noncurrent") =>
            {
                advice.push(format!(
                    "store.blobs: {place} keeps versions. Those of keys are removed by zegel, if it may (s3:ListBucketVersions, \
                     s3:DeleteObjectVersion); those of blobs take up room for ever. Add to its lifecycle, with N the days that \
                     backups live: {}",
                    rule(remote)
                ));
            }
            Ok(_) => {}
            Err(fault) => advice.push(format!(
                "store.blobs: whether the bucket keeps versions could not be asked: {}",
                fault.about(&place)
            )),
        }
        // A service that knows no such lock says so in one way or another.
        if remote.say("object-lock").await.is_ok_and(|said| has(&said, "<ObjectLockEnabled>Enabled")) {
            advice.push(format!(
                "store.blobs: {place} has object lock: what is removed stays for as long as the lock says, so mail and links that \
                 have ended can be opened until then. Use a bucket without it"
            ));
        }
        advice
    }
}

fn rule(remote: &Remote) -> String {
    let prefix = remote.key("");
    let prefix = if prefix.as_ref().is_empty() { String::new() } else { format!("{prefix}/") };
    format!(
        r#"{{"ID": "zegel", "Status": "Enabled", "Filter": {{"Prefix": "{prefix}"}}, "NoncurrentVersionExpiration": {{"NoncurrentDays": N}}, "Expiration": {{"ExpiredObjectDeleteMarker": true}}}}"#
    )
}

fn has(text: &[u8], what: &str) -> bool {
    memchr::memmem::find(text, what.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_marks_of_one_object_are_found() {
        let page = r#"<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
            <Prefix>p/keys/a</Prefix><KeyMarker/><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>
            <DeleteMarker><Key>p/keys/a</Key><VersionId>3</VersionId><IsLatest>true</IsLatest><Owner><ID>i</ID></Owner></DeleteMarker>
            <Version><Key>p/keys/a</Key><VersionId>null</VersionId><Size>1</Size></Version>
            <DeleteMarker><Key>p/keys/a</Key><VersionId>2</VersionId></DeleteMarker>
            <Version><Key>p/keys/ab</Key><VersionId>4</VersionId></Version></ListVersionsResult>"#;
        assert_eq!(versions_of(page.as_bytes(), "p/keys/a").unwrap(), ["3", "null", "2"]);
        assert_eq!(versions_of(b"<ListVersionsResult/>", "a").unwrap(), [""; 0]);
        assert_eq!(versions_of(b"<html>", "a"), None);
    }
}
