//! What an error of the database says of the statement that met it: that it was refused, or that nobody knows.

use std::error::Error;
use std::io;

use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// A row cannot name a blob any more.
#[derive(Debug, thiserror::Error)]
#[error("a blob was given up before a row named it")]
pub(super) struct GivenUp;

/// Whether what one row holds was refused (SQLSTATE classes 22 and 23).
pub(super) fn is_of_a_row(error: &StoreError) -> bool {
    let is_given_up = matches!(error, StoreError::Database(cause) if cause.is::<GivenUp>());
    is_given_up
        || code(error).is_some_and(|code| code.code().starts_with("22") || code.code().starts_with("23"))
}

/// Whether another row has this name.
pub(super) fn is_known(error: &StoreError) -> bool {
    code(error) == Some(&SqlState::UNIQUE_VIOLATION)
}

/// Whether nobody knows what became of a statement: there was no answer in time or none at all, or the server's last word
/// (classes 08 and 57P).
pub(super) fn is_lost(error: &StoreError) -> bool {
    match (cause(error), code(error)) {
        (_, Some(code)) => code.code().starts_with("08") || code.code().starts_with("57P"),
        (Some(cause), None) => {
            cause.is_closed() || cause.source().is_some_and(|source| source.is::<io::Error>())
        }
        (None, None) => matches!(error, StoreError::Database(_) | StoreError::Unclear(_)),
    }
}

fn code(error: &StoreError) -> Option<&SqlState> {
    cause(error)?.code()
}

fn cause(error: &StoreError) -> Option<&tokio_postgres::Error> {
    match error {
        StoreError::Database(cause) => cause.downcast_ref(),
        _ => None,
    }
}
