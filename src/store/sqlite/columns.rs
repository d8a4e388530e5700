//! How our types are kept in columns: identifiers and addresses as text, times as microseconds, envelope
//! parameters as JSON. What cannot be read back is an error of the row, never a guess.

use rusqlite::Error;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::Address;
use crate::audit::{Actor, EventResult, Origin};
use crate::cause::FailureCause;
use crate::clock::Timestamp;
use crate::diagnostic::{EnhancedCode, Stage};
use crate::envelope::Reported;
use crate::id::{BlobName, FolderId, OrganisationId, QueueId, TransferId, UploadId};
use crate::locale::Language;
use crate::secret::keyring::KeyId;
use crate::store::{Problem, QueueItemKind};

macro_rules! text_column {
    ($($name:ty => $parse:expr),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }
        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $parse(value.as_str()?).map_err(FromSqlError::other)
            }
        }
    )*};
}

text_column!(
    Address => Address::parse,
    TransferId => str::parse,
    QueueId => str::parse,
    BlobName => str::parse,
    UploadId => str::parse,
    FolderId => str::parse,
    OrganisationId => str::parse,
    QueueItemKind => str::parse,
    Problem => str::parse,
    Stage => str::parse,
    Language => str::parse,
    Reported => str::parse,
    FailureCause => str::parse
);

impl FromSql for EnhancedCode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

macro_rules! displayed_column {
    ($($name:ty),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }
    )*};
}

displayed_column!(Actor, EnhancedCode, EventResult, Origin);

/// A moment, as microseconds since 1970.
pub(super) struct Time(pub Timestamp);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_microsecond().into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_microsecond(value.as_i64()?).map(Self).map_err(FromSqlError::other)
    }
}

/// Parameters that no statement searches for, as JSON; NULL where all are at their default.
pub(super) struct Json<T>(pub T);

impl<T: Serialize + Default + PartialEq> ToSql for Json<&T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        if *self.0 == T::default() {
            return Ok(ToSqlOutput::Owned(Value::Null));
        }
        serde_json::to_string(self.0)
            .map(Into::into)
            .map_err(|error| Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned + Default> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self(T::default())),
            value => serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other),
        }
    }
}

impl ToSql for KeyId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        signed(self.number())
    }
}

impl FromSql for KeyId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Octets::column_result(value).map(|number| Self::from_number(number.0))
    }
}

/// A size in bytes; SQLite's integers are signed.
pub(super) struct Octets(pub u64);

impl ToSql for Octets {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        signed(self.0)
    }
}

fn signed(number: u64) -> rusqlite::Result<ToSqlOutput<'static>> {
    i64::try_from(number).map(Into::into).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

impl FromSql for Octets {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// The most rows a query may give.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
