//! The credentials for the bucket: from the file of `store.credentials_file`, or the environment's usual variables.
//!
//! A file that has changed is read again, so that keys can be changed while the gateway runs. They are never logged.

use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;

use crate::config::Bucket;
use crate::store::at;

/// The section that counts where a file has several.
const PROFILE: &str = "default";

/// Where credentials come from, and what they were the last time.
pub(super) struct Credentials {
    file: Option<PathBuf>,
    known: Mutex<Known>,
}

struct Known {
    /// What the file looked like.
    stamp: Option<Stamp>,
    credential: Arc<AwsCredential>,
}

type Stamp = (SystemTime, u64);

impl Credentials {
    /// Reads them, so that a gateway without any does not start.
    pub fn of(bucket: &Bucket) -> io::Result<Self> {
        let file = match &bucket.credentials_file {
            Some(file) => Some(file.clone()),
            None if variable("AWS_ACCESS_KEY_ID")?.is_some() => None,
            None => variable("AWS_SHARED_CREDENTIALS_FILE")?.map(PathBuf::from),
        };
        let known = match &file {
            Some(file) => read(file)?,
            None => Known { stamp: None, credential: Arc::new(of_environment()?) },
        };
        Ok(Self { file, known: Mutex::new(known) })
    }

    /// As they are now; what cannot be read leaves them as they were.
    fn current(&self) -> Arc<AwsCredential> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file
            && stamp(file).ok() != known.stamp
        {
            match read(file) {
                Ok(new) => *known = new,
                Err(error) => tracing::warn!(%error, "the credentials of the bucket stay as they were"),
            }
        }
        Arc::clone(&known.credential)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

#[async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        Ok(self.current())
    }
}

fn read(file: &Path) -> io::Result<Known> {
    // Looked at before: a change in between is seen the next time.
    let stamp = stamp(file)?;
    let text = fs::read_to_string(file).map_err(|error| at(file, error))?;
    let missing = || "aws_access_key_id or aws_secret_access_key is missing in [default]";
    let credential = of_ini(&text).ok_or_else(|| at(file, io::Error::other(missing())))?;
    Ok(Known { stamp: Some(stamp), credential: Arc::new(credential) })
}

fn stamp(file: &Path) -> io::Result<Stamp> {
    let facts = fs::metadata(file).map_err(|error| at(file, error))?;
    Ok((facts.modified()?, facts.len()))
}

/// As AWS writes it: sections in brackets, `key = value`, comments behind `#` or `;` at the start of a line. Lines before
/// any section count as well.
fn of_ini(text: &str) -> Option<AwsCredential> {
    let (mut counts, mut key_id, mut secret_key, mut token) = (true, None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            counts = section.trim_end_matches(']').trim() == PROFILE;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| counts && !line.starts_with(['#', ';']))
        else {
            continue;
        };
        let value = Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
        match key.trim().to_ascii_lowercase().as_str() {
            "aws_access_key_id" => key_id = value,
            "aws_secret_access_key" => secret_key = value,
            "aws_session_token" => token = value,
            _ => {}
        }
    }
    Some(AwsCredential { key_id: key_id?, secret_key: secret_key?, token })
}

fn of_environment() -> io::Result<AwsCredential> {
    let needed = |name| {
        let missing = || {
            io::Error::other(format!(
                "store.blobs: no credentials: neither store.credentials_file nor {name} in the environment"
            ))
        };
        variable(name)?.ok_or_else(missing)
    };
    Ok(AwsCredential {
        key_id: needed("AWS_ACCESS_KEY_ID")?,
        secret_key: needed("AWS_SECRET_ACCESS_KEY")?,
        token: variable("AWS_SESSION_TOKEN")?,
    })
}

fn variable(name: &str) -> io::Result<Option<String>> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(io::Error::other(format!("{name} is not UTF-8"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_amazon_writes_it() {
        let found = |text| of_ini(text).map(|found| (found.key_id, found.secret_key, found.token));
        let of = |token: Option<&str>| Some(("A".to_owned(), "S=/".to_owned(), token.map(str::to_owned)));
        assert_eq!(found("aws_access_key_id=A\naws_secret_access_key=S=/"), of(None));
        assert_eq!(
            found(
                "[other]\naws_access_key_id=B\n[default]\r\nAWS_ACCESS_KEY_ID = A\n; x\n# aws_session_token = no\naws_secret_access_key = S=/ \naws_session_token = T\n[more]\naws_access_key_id=C\n"
            ),
            of(Some("T"))
        );
        for missing in [
            "",
            "aws_access_key_id = A",
            "[other]\naws_access_key_id=A\naws_secret_access_key=S",
            "aws_access_key_id=\naws_secret_access_key=S",
        ] {
            assert_eq!(found(missing), None, "{missing}");
        }
    }

    #[tokio::test]
    async fn keys_change_with_the_file_and_a_broken_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        let write =
            |id: &str| fs::write(&file, format!("aws_access_key_id={id}\naws_secret_access_key=S")).unwrap();
        write("first");
        let bucket = Bucket {
            name: "zegel".to_owned(),
            prefix: String::new(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            credentials_file: Some(file.clone()),
        };
        let credentials = Credentials::of(&bucket).unwrap();
        let current = async || credentials.get_credential().await.unwrap().key_id.clone();
        assert_eq!(current().await, "first");
        write("the second");
        assert_eq!(current().await, "the second");
        fs::write(&file, "nonsense").unwrap();
        assert_eq!(current().await, "the second");
        fs::remove_file(&file).unwrap();
        assert_eq!(current().await, "the second");
        assert_eq!(format!("{credentials:?}"), "Credentials");
        assert!(Credentials::of(&bucket).err().unwrap().to_string().contains("credentials"));
    }
}
