//! The objects of a gateway in its bucket: where each kind is, and the requests that are more than one call of the library.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request};
use object_store::aws::AmazonS3;
use object_store::client::{HttpClient, HttpRequestBody, HttpResponse};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ObjectMeta, ObjectStoreExt};

use super::connect;
use super::health::{Health, watch};
use super::retry;
use super::service::{Fault, Kind};
use crate::config::Bucket;
use crate::id::FolderId;

/// The most objects that are listed at once.
const PAGE: usize = 1000;
/// The name of an empty object that says which installation the objects are of; the id follows.
const ID: &str = "folder-";

/// How long a signed address is good for.
const SIGNED: Duration = Duration::from_secs(60);

/// A bucket, and what the name of each of our objects begins with.
pub(super) struct Remote {
    pub s3: AmazonS3,
    /// For requests that the library does not know.
    pub http: HttpClient,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
    health: Arc<Health>,
}

impl Remote {
    pub fn new(bucket: &Bucket) -> io::Result<Self> {
        let prefix = if bucket.prefix.is_empty() { String::new() } else { format!("{}/", bucket.prefix) };
        let (s3, http) = connect::clients(bucket)?;
        Ok(Self { s3, http, bucket: bucket.name.clone(), prefix, health: Arc::default() })
    }

    /// Makes a request with so many bytes, again and again while that may help.
    pub async fn call<T, F>(&self, bytes: u64, request: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let done = retry::call(&self.health, bytes, request).await;
        if self.health.begins_to_be_away() {
            let (s3, prefix) = (self.s3.clone(), format!("{}{ID}", self.prefix));
            let probe = move || {
                let (s3, prefix) = (s3.clone(), prefix.clone());
                async move {
                    let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
                    s3.list_paginated(Some(&prefix), options).await.map(drop)
                }
            };
            tokio::spawn(watch(Arc::downgrade(&self.health), probe));
        }
        done
    }

    /// The key of an object.
    pub fn key(&self, name: impl fmt::Display) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    /// An object as messages name it.
    pub fn place(&self, key: &Path) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// A request that the library does not know; its address is signed.
    pub async fn request(
        &self,
        method: Method,
        path: &Path,
        query: Vec<(String, String)>,
    ) -> object_store::Result<HttpResponse> {
        let options = SignedUrlOptions::default().with_query(query);
        let url = self.s3.signed_url_opts(method.clone(), path, SIGNED, &options).await?;
        let request = Request::builder().method(method).uri(url.as_str()).body(HttpRequestBody::empty());
        // What went wrong must not quote the address.
        let request = request.map_err(|_| generic("the address cannot be one".into()))?;
        self.http.execute(request).await.map_err(|error| generic(Box::new(error)))
    }

    /// What the bucket answers to a question that the library does not know.
    pub async fn ask(&self, query: Vec<(String, String)>) -> object_store::Result<bytes::Bytes> {
        let answer = self.request(Method::GET, &Path::default(), query).await?;
        answer.into_body().bytes().await.map_err(|error| generic(Box::new(error)))
    }

    /// Stores a small object. When it returns, the service has said that it is there.
    pub async fn put(&self, key: &Path, bytes: bytes::Bytes) -> Result<(), Fault> {
        self.call(bytes.len() as u64, || self.s3.put(key, bytes.clone().into())).await.map(drop)
    }

    /// What is known of an object from outside; `None` where it is not there.
    pub async fn look(&self, key: &Path) -> io::Result<Option<ObjectMeta>> {
        match self.call(0, || self.s3.head(key)).await {
            Ok(facts) => Ok(Some(facts)),
            Err(fault) if fault.kind == Kind::Absent => self.absent(key).await.map(|()| None),
            Err(fault) => Err(self.error(fault, key)),
        }
    }

    /// Removes an object, and returns once the service has said that it is gone.
    pub async fn remove(&self, key: &Path) -> io::Result<()> {
        match self.call(0, || self.s3.delete(key)).await {
            Err(fault) if fault.kind != Kind::Absent => Err(self.error(fault, key)),
            _ => Ok(()),
        }
    }

    /// What `pick` makes of the names of objects, each without `start` that it begins with: in order, those that come after `after`,
    /// at most `limit`.
    pub async fn list<T>(
        &self,
        start: &str,
        after: Option<&str>,
        limit: usize,
        pick: impl Fn(&str) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let prefix = format!("{}{start}", self.prefix);
        let place = || format!("s3://{}/{prefix}", self.bucket);
        let (mut picked, mut last, mut token) =
            (Vec::new(), after.map(|after| format!("{prefix}{after}")), None);
        while picked.len() < limit {
            let request = || {
                let page_token = Option::clone(&token);
                // Where there is a token, it says where to go on.
                let offset = last.clone().filter(|_| page_token.is_none());
                let max_keys = Some(limit.clamp(1, PAGE));
                let options = PaginatedListOptions { offset, max_keys, page_token, ..Default::default() };
                self.s3.list_paginated(Some(&prefix), options)
            };
            let page = self.call(0, request).await.map_err(|fault| fault.about(place()))?;
            let keys: Vec<String> =
                page.result.objects.into_iter().map(|object| object.location.into()).collect();
            if !keys.is_sorted() {
                return Err(io::Error::other(format!("{}: the objects are not listed in order", place())));
            }
            // A service that does not know `start-after` begins at the beginning.
            for key in keys {
                if last.as_ref().is_none_or(|last| key > *last) {
                    picked.extend(key.strip_prefix(&prefix).and_then(&pick));
                    last = Some(key);
                }
            }
            token = page.page_token;
            if token.is_none() {
                break;
            }
        }
        picked.truncate(limit);
        Ok(picked)
    }

    /// Which installation the objects are of; `None` where nothing says so.
    pub async fn id(&self) -> io::Result<Option<FolderId>> {
        let mut ids = self.ids().await?.into_iter();
        match (ids.next(), ids.next()) {
            (id, None) => Ok(id),
            (_, Some(_)) => Err(io::Error::other(format!(
                "s3://{}/{}: there is more than one {ID}…",
                self.bucket, self.prefix
            ))),
        }
    }

    /// Says which installation the objects are of, in place of what was said before.
    pub async fn set_id(&self, id: &FolderId) -> io::Result<()> {
        let before = self.ids().await?;
        let key = |id: &FolderId| self.key(format_args!("{ID}{id}"));
        self.put(&key(id), bytes::Bytes::new()).await.map_err(|fault| self.error(fault, &key(id)))?;
        for other in before.iter().filter(|other| *other != id) {
            self.remove(&key(other)).await?;
        }
        Ok(())
    }

    async fn ids(&self) -> io::Result<Vec<FolderId>> {
        self.list(ID, None, PAGE, |id| id.parse().ok()).await
    }

    /// The service says that an object is not there. Fails where nothing of ours is there at all: then another bucket was
    /// put in the place of ours, or it was emptied, and what is missing is not lost yet.
    async fn absent(&self, key: &Path) -> io::Result<()> {
        match self.ids().await?.is_empty() {
            false => Ok(()),
            true => {
                let place = self.place(key);
                Err(io::Error::other(format!(
                    "{place} is not there, and neither is any object {ID}… beside it: is this our bucket?"
                )))
            }
        }
    }

    /// An error about an object; `NotFound` only where it is certain that it is not there.
    pub async fn certain(&self, fault: Fault, key: &Path) -> io::Error {
        if fault.kind == Kind::Absent
            && let Err(error) = self.absent(key).await
        {
            return error;
        }
        self.error(fault, key)
    }

    /// An error about an object.
    pub fn error(&self, fault: Fault, key: &Path) -> io::Error {
        fault.about(self.place(key))
    }
}

/// An error of a request that the library does not know.
pub(super) fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source }
}
