//! The author of an answer, under whom drafts, uploads and codes are kept.

use crate::id::Link;

/// The author of an answer: a browser behind a link. No other browser sees the draft (C17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub link: Link,
    /// SHA-256 of the browser's secret
    pub browser: [u8; 32],
}
