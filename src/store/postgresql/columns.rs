//! How our types are kept in columns: identifiers and addresses as TEXT, numbers and times (microseconds) as BIGINT, envelope
//! parameters as JSON in TEXT. What cannot be read back is an error of the row, never a guess.

use std::error::Error;

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::address::Address;
use crate::audit::{Actor, EventResult, Origin};
use crate::cause::FailureCause;
use crate::clock::Timestamp;
use crate::diagnostic::{EnhancedCode, Stage};
use crate::envelope::Reported;
use crate::id::{BlobName, FolderId, OrganisationId, QueueId, TransferId, UploadId};
use crate::locale::Language;
use crate::secret::keyring::KeyId;
use crate::store::{Problem, QueueItemKind, Result, StoreError};

type Fault = Box<dyn Error + Sync + Send>;

macro_rules! text_out {
    ($($name:ty => |$value:ident| $text:expr),*) => {$(
        impl ToSql for $name {
            fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
                let $value = self;
                $text.to_sql(ty, out)
            }
            accepts!(TEXT);
            to_sql_checked!();
        }
    )*};
}

macro_rules! text_in {
    ($($name:ty => $parse:expr),*) => {$(
        impl<'a> FromSql<'a> for $name {
            fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
                Ok($parse(<&str>::from_sql(ty, raw)?)?)
            }
            accepts!(TEXT);
        }
    )*};
}

text_out!(
    Address => |it| it.as_str(),
    TransferId => |it| it.as_str(),
    QueueId => |it| it.as_str(),
    BlobName => |it| it.as_str(),
    UploadId => |it| it.as_str(),
    FolderId => |it| it.as_str(),
    OrganisationId => |it| it.as_str(),
    QueueItemKind => |it| it.as_str(),
    Problem => |it| it.as_str(),
    Stage => |it| it.as_str(),
    Language => |it| it.as_str(),
    Reported => |it| it.as_str(),
    FailureCause => |it| it.as_str(),
    Actor => |it| it.to_string(),
    EnhancedCode => |it| it.to_string(),
    EventResult => |it| it.to_string(),
    Origin => |it| it.to_string()
);

text_in!(
    Address => Address::parse,
    TransferId => str::parse::<TransferId>,
    QueueId => str::parse::<QueueId>,
    BlobName => str::parse::<BlobName>,
    UploadId => str::parse::<UploadId>,
    FolderId => str::parse::<FolderId>,
    OrganisationId => str::parse::<OrganisationId>,
    QueueItemKind => str::parse::<QueueItemKind>,
    Problem => str::parse::<Problem>,
    Stage => str::parse::<Stage>,
    Language => str::parse::<Language>,
    Reported => str::parse::<Reported>,
    FailureCause => str::parse::<FailureCause>,
    EnhancedCode => str::parse::<EnhancedCode>
);

/// A moment, as microseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub Timestamp);

impl ToSql for Time {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        self.0.as_microsecond().to_sql(ty, out)
    }
    accepts!(INT8);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
        Ok(Self(Timestamp::from_microsecond(i64::from_sql(ty, raw)?)?))
    }
    accepts!(INT8);
}

/// A number that has no sign or less than 64 bits, in a column that has both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<T>(pub T);

impl<T: Copy + std::fmt::Debug> ToSql for Number<T>
where
    i64: TryFrom<T>,
{
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        i64::try_from(self.0).map_err(|_| "a number does not fit its column")?.to_sql(ty, out)
    }
    accepts!(INT8);
    to_sql_checked!();
}

impl<'a, T: TryFrom<i64>> FromSql<'a> for Number<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
        let number = i64::from_sql(ty, raw)?;
        Ok(Self(T::try_from(number).map_err(|_| format!("the number {number} is out of range"))?))
    }
    accepts!(INT8);
}

impl ToSql for KeyId {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        Number(self.number()).to_sql(ty, out)
    }
    accepts!(INT8);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for KeyId {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
        Number::<u64>::from_sql(ty, raw).map(|number| Self::from_number(number.0))
    }
    accepts!(INT8);
}

/// Parameters that no statement searches for, as JSON; NULL where all are at their default.
#[derive(Debug)]
pub(super) struct Json<T>(pub T);

impl<T: Serialize + Default + PartialEq + std::fmt::Debug> ToSql for Json<&T> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Fault> {
        if *self.0 == T::default() {
            return Ok(IsNull::Yes);
        }
        serde_json::to_string(self.0)?.to_sql(ty, out)
    }
    accepts!(TEXT);
    to_sql_checked!();
}

impl<'a, T: DeserializeOwned + Default> FromSql<'a> for Json<T> {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> std::result::Result<Self, Fault> {
        Ok(Self(serde_json::from_str(<&str>::from_sql(ty, raw)?)?))
    }
    fn from_sql_null(_: &Type) -> std::result::Result<Self, Fault> {
        Ok(Self(T::default()))
    }
    accepts!(TEXT);
}

/// The value of a column; an error of the row where it cannot be read.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T> {
    Ok(row.try_get(column)?)
}

/// A moment.
pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp> {
    get::<Time>(row, column).map(|time| time.0)
}

/// A moment, or none.
pub(super) fn time_or_none(row: &Row, column: &str) -> Result<Option<Timestamp>> {
    get::<Option<Time>>(row, column).map(|time| time.map(|time| time.0))
}

/// A number of whatever kind.
pub(super) fn number<T: TryFrom<i64>>(row: &Row, column: &str) -> Result<T> {
    get::<Number<T>>(row, column).map(|number| number.0)
}

/// A hash, or another text of octets of this length.
pub(super) fn octets<const N: usize>(row: &Row, column: &str) -> Result<[u8; N]> {
    get::<&[u8]>(row, column)?.try_into().map_err(|_| StoreError::Corrupt("length of a column"))
}

/// One column of many rows, as the array that `unnest` makes rows of.
pub(super) fn column<'a, R, T: ToSql>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// The most rows a query may give.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
