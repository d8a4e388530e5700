//! File and environment as one table, in which every value knows where it was written. What is wrong in it is put aside,
//! one value at a time, so that everything else is still read: an administrator is told of all faults at once.
//!
//! Of several organisations each is given a document of its own ([`organisations`](super::organisations)): the common sections, with
//! its own over them. So all that holds for one holds for each.

use std::ops::Range;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Deserializer};

use super::Config;
use super::finding::{Finding, Place, Places, StandIns};
use super::keys::{KEYS, ORGANISATION, OWN, keys, keys_of, nearest};
use super::organisations::split;
use super::table::{insert, moved, tables_in, take, value_at};

/// A configuration in which only the keys without a default are set. Its values stand in for what is missing or wrong, so
/// that the rest can be judged.
const STAND_IN: &str = r#"
    hostname = "gateway.invalid"
    data_dir = "data"
    organisation = { name = "", domains = ["domain.invalid"] }
    smtp = { listen = ["127.0.0.1:0"] }
    relay = { smarthost = "smarthost.invalid:25" }
    web = { listen = ["127.0.0.1:0"], public_url = "https://gateway.invalid" }
"#;

static REQUIRED: LazyLock<DeTable<'static>> =
    LazyLock::new(|| DeTable::parse(STAND_IN).map(Spanned::into_inner).unwrap_or_default());

/// Keys for which an empty text means that there is none.
const EMPTY_IS_NONE: &[&str] = &[
    "staff",
    "theme",
    "logo",
    "mail_logo",
    "favicon",
    "tls_certificate",
    "tls_key",
    "password_file",
    "credentials_file",
    "scanner",
];

/// What a value begins with that is not UTF-8: no value of an environment can hold it.
pub const NOT_UTF8: char = '\0';

/// A variable of the environment: its name, the key that it sets, and its value.
pub struct Variable {
    /// `ZEGEL_SMTP__LISTEN`
    pub name: String,
    /// `smtp__listen`
    pub key: String,
    /// As it is there.
    pub value: String,
}

/// What file and environment say together, of one organisation.
#[derive(Clone)]
pub struct Document<'a> {
    file: &'a Path,
    text: &'a str,
    variables: &'a [Variable],
    table: Spanned<DeTable<'a>>,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Keys whose value is not what was written.
    pub replaced: StandIns,
}

impl<'a> Document<'a> {
    /// Reads the text, with the variables on top: a document for each organisation, the first with all that is wrong in the
    /// whole. Where the text is no TOML, its faults are all there is.
    pub fn parse(
        file: &'a Path,
        text: &'a str,
        variables: &'a [Variable],
    ) -> Result<Vec<Self>, Vec<Finding>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document =
            Self { file, text, variables, table, findings: Vec::new(), replaced: StandIns::default() };
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| document.no_toml(error)).collect());
        }
        for (index, variable) in variables.iter().enumerate() {
            document.set(index, variable);
        }
        document.drop_unknown_names();
        drop_empty(document.table.get_mut());
        let span = document.table.span();
        let mut findings = std::mem::take(&mut document.findings);
        let tables = split(document.table.get_ref()).into_iter();
        Ok(tables
            .map(|table| Self {
                table: Spanned::new(span.clone(), table),
                findings: std::mem::take(&mut findings),
                ..document.clone()
            })
            .collect())
    }

    fn no_toml(&self, error: &toml::de::Error) -> Finding {
        let line = error.span().map(|span| self.line(span.start));
        let place = Place { line, ..Place::file(self.file) };
        // What is behind the equals sign may be a secret.
        let shown = line.and_then(|line| self.text.lines().nth(line - 1)).unwrap_or("");
        let shown = shown.split('=').next().unwrap_or("").trim();
        Finding::error(
            place,
            format!("TOML parse error at \"{}\": {}", shown.escape_debug(), error.message().trim()),
            "mend the line: a key, an equals sign and a value; texts stand in double quotes",
        )
    }

    /// Sets one value from the environment: `section__key`, or `section__section__key`. The value is TOML if it parses as
    /// that, else text.
    fn set(&mut self, index: usize, variable: &'a Variable) {
        let span = self.span_of_variable(index);
        let value = match DeValue::parse(variable.value.trim()) {
            Ok(value) => moved(value, &span),
            Err(_) => Spanned::new(span.clone(), DeValue::String(variable.value.as_str().into())),
        };
        if variable.value.starts_with(NOT_UTF8) {
            let reason = format!("{} is not UTF-8", variable.name);
            self.findings.push(Finding::error(self.place(&span, None), reason, "write the value in UTF-8"));
        }
        if let Err(section) = insert(self.table.get_mut(), &variable.key, value, &span) {
            let reason = format!("{section} is not a section");
            let remedy = match section.as_str() {
                // There are several.
                ORGANISATION => "write which of them it is: ZEGEL_ORGANISATION__1__PHONE is of the first",
                _ => "the file sets this name to a value; write it as a section there",
            };
            self.findings.push(Finding::error(self.place(&span, None), reason, remedy));
        }
    }

    /// Beyond the end of the text, so that nothing else has it.
    fn span_of_variable(&self, index: usize) -> Range<usize> {
        let start = self.text.len() + 1 + index;
        start..start
    }

    fn variable(&self, span: &Range<usize>) -> Option<&'a Variable> {
        self.variables.get(span.start.checked_sub(self.text.len() + 1)?)
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    fn place(&self, span: &Range<usize>, key: Option<&str>) -> Place {
        let variable = self.variable(span).map(|variable| variable.name.clone());
        let line = variable.is_none().then(|| self.line(span.start));
        Place { file: self.file.to_owned(), line, key: key.map(str::to_owned), variable }
    }

    /// Names each name that there is none of, with the nearest that there is.
    fn drop_unknown_names(&mut self) {
        let mut unknown = Vec::new();
        walk(self.table.get_ref(), "", &mut |entry| {
            if !names_in(entry.section).contains(&entry.name()) {
                unknown.push((entry.path.clone(), entry.key.span()));
            }
        });
        for (path, span) in unknown {
            self.findings.push(self.unknown(&path, &span));
            take(self.table.get_mut(), &path);
        }
    }

    fn unknown(&self, path: &str, span: &Range<usize>) -> Finding {
        let (section, name) = path.rsplit_once('.').map_or(("", path), |(section, name)| (section, name));
        let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
        let near = nearest(name, &names_in(section));
        let reason = format!("unknown key {}; did you mean {prefix}{near}?", path.escape_debug());
        let remedy = match self.variable(span) {
            None => format!("write {near}, or remove it"),
            Some(variable) => {
                let names: Vec<String> = keys().map(|key| variable_of(&key)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!(
                    "name it {}, or remove it; two underscores separate a section from its key",
                    nearest(&variable.name, &names)
                )
            }
        };
        Finding::error(self.place(span, Some(path)), reason, remedy)
    }

    /// Where every key is. Asked before faulty values are replaced.
    pub fn places(&self) -> Places {
        let mut places = Places::new(self.file);
        walk(self.table.get_ref(), "", &mut |entry| {
            let place = self.place(&entry.key.span(), None);
            places.add(&entry.path, place.line, place.variable.as_deref());
        });
        places
    }

    /// The configuration; what is missing or of a wrong type is named and replaced.
    pub fn config(&mut self) -> Option<Config> {
        self.add_missing();
        // Each turn replaces one value that somebody wrote.
        for _ in 0..=keys().count() {
            let error = match Config::deserialize(Deserializer::from(self.table.clone())) {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(usize::MAX..usize::MAX);
            let Some(path) = self.key_at(&span) else {
                let reason = error.message().trim().to_owned();
                self.findings.push(Finding::error(Place::file(self.file), reason, "see the table of keys"));
                return None;
            };
            self.replace_faulty(&path, &span, error.message());
        }
        None
    }

    fn replace_faulty(&mut self, path: &str, span: &Range<usize>, message: &str) {
        let reason = format!("{path}: {}", plain(message));
        let remedy = "write a value of the kind that the table of keys in the operations manual shows";
        self.findings.push(Finding::error(self.place(span, Some(path)), reason, remedy));
        self.stand_in(path);
    }

    /// The longest known key whose value holds the span.
    fn key_at(&self, span: &Range<usize>) -> Option<String> {
        let mut found = None;
        walk(self.table.get_ref(), "", &mut |entry| {
            let own = entry.value.span();
            if own.start <= span.start && span.end <= own.end {
                found = Some(entry.path.clone());
            }
        });
        found
    }

    fn add_missing(&mut self) {
        let mut missing = Vec::new();
        walk(&REQUIRED, "", &mut |entry| {
            // A section that is no table has a fault of its own.
            let section = value_at(self.table.get_ref(), entry.section);
            let is_wrong = section.is_some_and(|section| !section.get_ref().is_table());
            let is_key = !entry.value.get_ref().is_table();
            if is_key && !is_wrong && value_at(self.table.get_ref(), &entry.path).is_none() {
                missing.push((entry.path.clone(), entry.section.to_owned()));
            }
        });
        missing.sort_by_key(|(path, _)| keys().position(|key| key == *path));
        let places = self.places();
        for (path, section) in missing {
            let remedy = match section.as_str() {
                "" => format!("add {path} = …, above the first section"),
                section => format!("add it below [{section}]"),
            };
            self.findings.push(Finding::error(places.of(&path), format!("{path} is missing"), remedy));
            self.stand_in(&path);
        }
    }

    /// Puts the value of [`STAND_IN`] in its place, or nothing.
    fn stand_in(&mut self, path: &str) {
        self.replaced.add(path);
        take(self.table.get_mut(), path);
        if let Some(value) = value_at(&REQUIRED, path) {
            let span = 0..0;
            // Cannot fail: what is above it in the path is a section, or was taken away before.
            let _ =
                insert(self.table.get_mut(), &path.replace('.', "__"), moved(value.clone(), &span), &span);
        }
    }
}

/// The words of serde without those that only programmers know.
fn plain(message: &str) -> String {
    let words = [
        ("unknown variant", "unknown value"),
        ("expected usize", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected a sequence", "expected a list"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: section"),
    ];
    let message = message.trim().replace('\n', " ");
    let message = match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a section"),
        None => message,
    };
    words.iter().fold(message, |message, (from, to)| message.replace(from, to))
}

/// One entry of a section.
struct Entry<'t, 'a> {
    section: &'t str,
    path: String,
    key: &'t Spanned<DeString<'a>>,
    value: &'t Spanned<DeValue<'a>>,
}

impl Entry<'_, '_> {
    fn name(&self) -> &str {
        self.key.get_ref()
    }
}

/// Visits every entry of every section that there is, a section before what is in it.
fn walk<'a>(table: &DeTable<'a>, section: &str, visit: &mut impl FnMut(&Entry<'_, 'a>)) {
    for (key, value) in table {
        let path = if section.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{section}.{}", key.get_ref())
        };
        visit(&Entry { section, path: path.clone(), key, value });
        match value.get_ref() {
            _ if keys_of(&path).is_empty() => {}
            DeValue::Table(inner) => walk(inner, &path, visit),
            DeValue::Array(list) if path == ORGANISATION => {
                let tables = list.iter().filter_map(|value| value.get_ref().as_table());
                tables.for_each(|inner| walk(inner, &path, visit));
            }
            _ => {}
        }
    }
}

/// The keys of a section, and the sections in it.
fn names_in(section: &str) -> Vec<&'static str> {
    let top = KEYS.iter().map(|(name, _)| *name).filter(|name| !name.is_empty() && !name.contains('.'));
    let keys = keys_of(section);
    match section {
        "" => keys.into_iter().chain(top).collect(),
        ORGANISATION => keys.into_iter().chain(OWN).collect(),
        _ => keys,
    }
}

fn variable_of(key: &str) -> String {
    format!("ZEGEL_{}", key.to_uppercase().replace('.', "__"))
}

fn drop_empty(table: &mut DeTable<'_>) {
    let mut empty = Vec::new();
    for (key, value) in table.iter_mut() {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() && EMPTY_IS_NONE.contains(&key.get_ref().as_ref()) => {
                empty.push(key.get_ref().to_string());
            }
            _ => tables_in(value).into_iter().for_each(drop_empty),
        }
    }
    empty.iter().for_each(|key| take(table, key));
}
