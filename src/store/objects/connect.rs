//! How the bucket is reached: address, TLS, credentials. Everything else that a request needs is in [`super::remote`].
//!
//! Certificates are checked against the system's roots; `SSL_CERT_FILE` names others, for a private authority.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::credentials::Credentials;
use super::service::Connector;
use crate::config::Bucket;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// A connection that nobody has used for so long is not used again: services close theirs after 20 s and more.
const IDLE: Duration = Duration::from_secs(15);

/// A client for the bucket, and what it speaks HTTP with. Nothing is connected yet; an error is of the configuration.
pub(super) fn clients(bucket: &Bucket) -> io::Result<(AmazonS3, HttpClient)> {
    let fault = |error: object_store::Error| io::Error::other(format!("store.blobs: {error}"));
    let plain = bucket.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    // Each request has a time of its own (see `super::retry`): a large one may take longer than a small one.
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT)
        .with_pool_idle_timeout(IDLE)
        .with_allow_http(plain);
    // Requests are made again here and not there, where a part that failed stays failed, and the delay that a service asks
    // for is not kept.
    let once =
        RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: Duration::ZERO };
    let http = Connector.connect(&options).map_err(fault)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_credentials(Arc::new(Credentials::of(bucket)?))
        .with_client_options(options)
        .with_retry(once)
        .with_http_connector(Connector)
        // Plain requests, which every provider knows.
        .with_disable_bulk_delete(true)
        .with_disable_tagging(true);
    if let Some(endpoint) = &bucket.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    Ok((builder.build().map_err(fault)?, http))
}
