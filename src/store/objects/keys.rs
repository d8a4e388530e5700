//! Small objects with names that others choose: the sheets of keys of short life. They are apart from the blobs, beneath
//! `keys/`.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use zeroize::Zeroizing;

use super::ObjectBlobs;
use super::service::Kind;
use crate::store::SheetObjects;

/// Beneath which these objects are.
const KEYS: &str = "keys/";

impl ObjectBlobs {
    /// Stores an object. Durable when it returns.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> io::Result<()> {
        let (remote, key) = (&self.inner.remote, self.small(name)?);
        remote.put(&key, Bytes::from(bytes)).await.map_err(|fault| remote.error(fault, &key))
    }

    /// What is in an object; `None` where there is none of this name.
    pub async fn get(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let (remote, key) = (&self.inner.remote, self.small(name)?);
        let fetch = || async { remote.s3.get(&key).await?.bytes().await };
        match remote.call(0, fetch).await {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(fault) if fault.kind == Kind::Absent => match remote.certain(fault, &key).await {
                error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                error => Err(error),
            },
            Err(fault) => Err(remote.error(fault, &key)),
        }
    }

    /// Removes an object with every version of it, and returns once the service has said that it is gone; one that is gone already
    /// is fine.
    pub async fn delete(&self, name: &str) -> io::Result<()> {
        self.inner.remote.remove_all_versions(&self.small(name)?, &self.inner.versions_told).await
    }

    /// The names of all objects that begin so, in order.
    pub async fn list(&self, start: &str) -> io::Result<Vec<String>> {
        let name = |rest: &str| Some(format!("{start}{rest}"));
        self.inner.remote.list(&format!("{KEYS}{start}"), None, usize::MAX, name).await
    }

    fn small(&self, name: &str) -> io::Result<Path> {
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
        match !name.is_empty() && name.bytes().all(is_plain) && !name.starts_with('.') {
            true => Ok(self.inner.remote.key(format_args!("{KEYS}{name}"))),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not the name of an object of keys")),
        }
    }
}

#[async_trait]
impl SheetObjects for ObjectBlobs {
    async fn put(&self, name: &str, octets: Zeroizing<Vec<u8>>) -> io::Result<()> {
        Self::put(self, name, octets.to_vec()).await
    }

    async fn get(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(Self::get(self, name).await?.map(Zeroizing::new))
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        Self::delete(self, name).await
    }

    async fn list(&self) -> io::Result<Vec<String>> {
        Self::list(self, "").await
    }
}
