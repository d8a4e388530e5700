//! The three languages.

use serde::{Deserialize, Serialize};

/// A language that pages and mails exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Dutch
    #[default]
    Nl,
    /// Frisian
    Fy,
    /// English
    En,
}
