//! Uploads in parts that a gateway left which died: they are no blobs, and cost room all the same. Blobs that no row came to
//! name are found by their intents ([`super::names`]).

use std::io;

use object_store::multipart::MultipartStore;
use object_store::path::Path;
use serde::Deserialize;

use super::remote::generic;
use super::service::Kind;
use super::{BLOBS, ObjectBlobs};
use crate::clock::Timestamp;

impl ObjectBlobs {
    /// Ends uploads that were begun before then; tells how many.
    pub(super) async fn end_uploads(&self, before: Timestamp) -> io::Result<usize> {
        let (remote, mut swept, mut after) = (&self.inner.remote, 0, None);
        loop {
            let page = remote.call(0, || self.uploads(after.clone())).await;
            let page = page.map_err(|fault| fault.about("uploads in parts"))?;
            for upload in page.uploads.iter().filter(|upload| upload.initiated < before) {
                let key = Path::from(upload.key.as_str());
                match remote.call(0, || remote.s3.abort_multipart(&key, &upload.upload_id)).await {
                    Err(fault) if fault.kind != Kind::Absent => return Err(remote.error(fault, &key)),
                    _ => swept += 1,
                }
            }
            after = page.next();
            if after.is_none() {
                return Ok(swept);
            }
        }
    }

    /// A page of the uploads that have begun and not ended (ListMultipartUploads), which the library cannot list.
    async fn uploads(&self, after: Option<(String, String)>) -> object_store::Result<Uploads> {
        let remote = &self.inner.remote;
        let prefix = remote.key(BLOBS.trim_end_matches('/')).to_string();
        let mut query =
            vec![("uploads".to_owned(), String::new()), ("prefix".to_owned(), format!("{prefix}/"))];
        if let Some((key, id)) = after {
            query.extend([("key-marker".to_owned(), key), ("upload-id-marker".to_owned(), id)]);
        }
        let body = remote.ask(query).await?;
        quick_xml::de::from_reader(&body[..]).map_err(|error| generic(Box::new(error)))
    }
}

/// ListMultipartUploadsResult
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Uploads {
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Upload {
    key: String,
    upload_id: String,
    initiated: Timestamp,
}

impl Uploads {
    /// Where the next page begins; `None` after the last one.
    fn next(&self) -> Option<(String, String)> {
        let more = self.is_truncated && !self.next_key_marker.is_empty();
        more.then(|| (self.next_key_marker.clone(), self.next_upload_id_marker.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_uploads_is_read() {
        let page = r#"<?xml version="1.0"?><ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Bucket>b</Bucket><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>
            <IsTruncated>true</IsTruncated>
            <Upload><Key>p/blobs/x</Key><UploadId>2~a</UploadId><Initiator><ID>i</ID></Initiator><StorageClass>STANDARD</StorageClass>
            <Initiated>2026-11-30T16:00:00.000Z</Initiated></Upload>
            <Upload><Key>p/blobs/y</Key><UploadId>2~b</UploadId><Initiated>2026-11-29T16:00:00Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#;
        let page: Uploads = quick_xml::de::from_str(page).unwrap();
        assert_eq!(page.next(), Some(("k".to_owned(), "u".to_owned())));
        let found: Vec<_> = page.uploads.iter().map(|upload| (&*upload.key, &*upload.upload_id)).collect();
        assert_eq!(found, [("p/blobs/x", "2~a"), ("p/blobs/y", "2~b")]);
        let none: Uploads = quick_xml::de::from_str("<ListMultipartUploadsResult/>").unwrap();
        assert!(none.uploads.is_empty() && none.next().is_none());
    }
}
