//! A TOML document as a tree in which every value knows where it was written: found, put, taken away.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// The value at `section.key`.
pub fn value_at<'t, 'a>(table: &'t DeTable<'a>, path: &str) -> Option<&'t Spanned<DeValue<'a>>> {
    match path.split_once('.') {
        None => table.get(path),
        Some((section, rest)) => match table.get(section)?.get_ref() {
            DeValue::Table(inner) => value_at(inner, rest),
            _ => None,
        },
    }
}

/// Takes the value at `section.key` away, in each of several sections of one name.
pub fn take(table: &mut DeTable<'_>, path: &str) {
    match path.split_once('.') {
        None => {
            table.remove(path);
        }
        Some((section, rest)) => {
            if let Some(value) = table.get_mut(section) {
                tables_in(value).into_iter().for_each(|inner| take(inner, rest));
            }
        }
    }
}

/// The section that a value is, or the sections of which it is a list.
pub fn tables_in<'t, 'a>(value: &'t mut Spanned<DeValue<'a>>) -> Vec<&'t mut DeTable<'a>> {
    match value.get_mut() {
        DeValue::Table(table) => vec![table],
        DeValue::Array(list) => list.iter_mut().flat_map(tables_in).collect(),
        _ => Vec::new(),
    }
}

/// Puts a value at `section__key`; an error is the name on the way that is not a section.
pub fn insert<'a>(
    table: &mut DeTable<'a>,
    key: &str,
    value: Spanned<DeValue<'a>>,
    span: &Range<usize>,
) -> Result<(), String> {
    let named = |name: &str| Spanned::new(span.clone(), DeString::Owned(name.to_owned()));
    let Some((section, rest)) = key.split_once("__") else {
        // The key in the table would keep its own place.
        table.remove(key);
        table.insert(named(key), value);
        return Ok(());
    };
    let empty = || Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
    let inner = table.entry(named(section)).or_insert_with(empty);
    match inner.get_mut() {
        DeValue::Table(inner) => insert(inner, rest, value, span),
        // `ZEGEL_ORGANISATION__2__PHONE`: of the second organisation.
        DeValue::Array(list) => {
            let of_one = rest.split_once("__").and_then(|(number, rest)| {
                let index = number.parse::<usize>().ok()?.checked_sub(1)?;
                Some((list.get_mut(index)?, rest))
            });
            match of_one.map(|(one, rest)| (one.get_mut(), rest)) {
                Some((DeValue::Table(inner), rest)) => insert(inner, rest, value, span),
                _ => Err(section.to_owned()),
            }
        }
        _ => Err(section.to_owned()),
    }
}

/// The same value, with everything in it at this place.
pub fn moved<'a>(value: Spanned<DeValue<'a>>, span: &Range<usize>) -> Spanned<DeValue<'a>> {
    let value = match value.into_inner() {
        DeValue::Array(list) => {
            DeValue::Array(list.into_iter().map(|value| moved(value, span)).collect::<DeArray<'a>>())
        }
        DeValue::Table(table) => {
            let entries = table
                .into_iter()
                .map(|(key, value)| (Spanned::new(span.clone(), key.into_inner()), moved(value, span)));
            DeValue::Table(entries.collect())
        }
        other => other,
    };
    Spanned::new(span.clone(), value)
}
