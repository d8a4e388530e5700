//! Keys of short life, which bodies in the queue are sealed under. They are copied as they are, so that no body is sealed anew; in
//! another keyring they have other names.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};

use crate::secret::keyring::{KeyId, Keyring};
use crate::store::postgresql::Moving;
use crate::store::sqlite::Still;
use crate::store::tables::{TABLES, Table, Value};
use crate::store::{Result as StoreResult, StoreError};

/// Keys that rows of the queue name.
#[derive(Default)]
pub struct WantedKeys(HashSet<i64>);

/// The name of each key on the other side.
pub struct KeyNames(HashMap<i64, i64>);

/// Those of a data folder.
pub fn of_folder(rows: &Still) -> StoreResult<WantedKeys> {
    let mut wanted = WantedKeys::default();
    for table in TABLES {
        let Some(place) = place(table) else { continue };
        rows.rows(table, |row| {
            wanted.add(&row, place);
            Ok(())
        })?;
    }
    Ok(wanted)
}

/// Those of a database.
pub async fn of_database(rows: &Moving<'_>) -> StoreResult<WantedKeys> {
    let wanted = RefCell::new(WantedKeys::default());
    for table in TABLES {
        let Some(place) = place(table) else { continue };
        let note = |rows: Vec<Vec<Value>>| {
            rows.iter().for_each(|row| wanted.borrow_mut().add(row, place));
            async { Ok(()) }
        };
        rows.rows(table, note).await?;
    }
    Ok(wanted.into_inner())
}

/// Where the name of a key is in the rows of a table.
fn place(table: &Table) -> Option<usize> {
    table.place("key")
}

impl WantedKeys {
    fn add(&mut self, row: &[Value], place: usize) {
        if let Some(Value::Number(key)) = row.get(place) {
            self.0.insert(*key);
        }
    }

    /// Copies the keys. It is an error when one is missing: its mail could never be read on the other side.
    pub fn moved(self, from: &Keyring, to: &Keyring) -> Result<KeyNames> {
        match self.copied(from, to)? {
            (names, 0) => Ok(names),
            (_, missing) => bail!(
                "the keys of {missing} mails in the queue are missing, so that nobody can read them: restore the keys, or drop \
                 the mails (zegel queue drop), then move"
            ),
        }
    }

    /// Copies the keys that there are, and tells how many are not: their mail can be read as little on the other side as here.
    pub fn copied(self, from: &Keyring, to: &Keyring) -> Result<(KeyNames, usize)> {
        let (mut names, mut keys, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for name in self.0 {
            match from.find(KeyId::from_number(name as u64)) {
                Ok(key) => {
                    names.push(name);
                    keys.push(key);
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(name),
                Err(error) => return Err(error.into()),
            }
        }
        let there = to.import(&keys)?;
        let found = names.into_iter().zip(there).map(|(name, there)| (name, there.number() as i64));
        let count = missing.len();
        let missing = missing.into_iter().map(|name| (name, name));
        Ok((KeyNames(found.chain(missing).collect()), count))
    }
}

impl KeyNames {
    /// Puts the new name of a key into a row in the place of the old one.
    pub fn rename(&self, table: &Table, row: &mut [Value]) -> StoreResult<()> {
        let Some(Value::Number(key)) = place(table).and_then(|place| row.get_mut(place)) else {
            return Ok(());
        };
        *key = *self.0.get(key).ok_or(StoreError::Corrupt("key of a body"))?;
        Ok(())
    }
}
