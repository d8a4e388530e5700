//! Every key with its default and its meaning, as the table in the operations manual has them. The table is compiled in;
//! `tests/reference.rs` holds its names to those of the code, and a test beside [`file`](super::file) its defaults.

/// A section of the configuration file. The first one has no name.
pub struct Section {
    /// As in `relay.inside`.
    pub name: String,
    /// Empty where its keys say it all.
    pub meaning: String,
    /// In the order of the manual.
    pub keys: Vec<Key>,
}

/// A key and what the manual says of it.
pub struct Key {
    /// Without its section.
    pub name: String,
    /// What holds without the key.
    pub default: KeyDefault,
    /// Whether a reload is refused when it has changed.
    pub needs_restart: bool,
    /// In words; code is between backquotes.
    pub meaning: String,
}

/// What holds where a key is not set.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyDefault {
    /// Nothing: the gateway does not start.
    Required,
    /// A value, in TOML.
    Value(String),
    /// Something that no value says.
    Words(String),
}

const MANUAL: &str = include_str!("../../../docs/operations.md");
/// The mark of what a reload cannot change.
const NEEDS_RESTART: char = '⟳';

/// The sections of the table under "Configuration".
pub fn sections() -> Vec<Section> {
    let chapter = MANUAL.split_once("\n## Configuration\n").map_or("", |(_, rest)| rest);
    let chapter = chapter.split("\n## ").next().unwrap_or_default();
    // The first row names the columns, the second is a line.
    let rows = chapter.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut sections =
        vec![(Section { name: String::new(), meaning: String::new(), keys: Vec::new() }, false)];
    for row in rows {
        let mut cells = row.trim_matches('|').splitn(3, '|').map(str::trim);
        let [names, default, meaning] = std::array::from_fn(|_| cells.next().unwrap_or_default());
        let marked = names.contains(NEEDS_RESTART);
        if let Some(name) = names.strip_prefix("**`[").and_then(|rest| rest.split(']').next()) {
            let section = Section { name: name.to_owned(), meaning: plain(meaning), keys: Vec::new() };
            sections.push((section, marked));
        } else if let Some((section, all)) = sections.last_mut() {
            let key = |name: &str| Key {
                name: name.to_owned(),
                default: KeyDefault::read(default),
                needs_restart: marked || *all,
                meaning: plain(meaning),
            };
            section.keys.extend(names.split('`').skip(1).step_by(2).map(key));
        }
    }
    sections.into_iter().map(|(section, _)| section).collect()
}

impl KeyDefault {
    fn read(cell: &str) -> Self {
        let code = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        match code {
            Some(value) if !value.contains('`') => Self::Value(value.to_owned()),
            _ if cell == "required" => Self::Required,
            _ => Self::Words(plain(cell)),
        }
    }
}

/// Markdown without its links: the name of a chapter is left, in quotation marks, and of other links their text.
fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut rest = markdown;
    let mut is_code = false;
    while let Some(c) = rest.chars().next() {
        if c == '['
            && !is_code
            && let Some((name, behind)) = rest.get(1..).and_then(|rest| rest.split_once("]("))
            && let Some((target, behind)) = behind.split_once(')')
        {
            let mark = if target.starts_with('#') { "\"" } else { "" };
            text.extend([mark, name, mark]);
            rest = behind;
            continue;
        }
        is_code ^= c == '`';
        text.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_words() {
        for (markdown, text) in [
            ("see [Load balancer](#load-balancer)", "see \"Load balancer\""),
            ("see [kind.rs](../src/message/kind.rs).", "see kind.rs."),
            ("as in `[relay]` (or not)", "as in `[relay]` (or not)"),
            ("`[\"pdf\"]` and [a](b), [c", "`[\"pdf\"]` and a, [c"),
        ] {
            assert_eq!(plain(markdown), text);
        }
    }

    #[test]
    fn the_table_holds_every_key_once() {
        let sections = sections();
        let mut listed: Vec<String> = Vec::new();
        for section in &sections {
            let name = |key: &Key| format!("{}.{}", section.name, key.name);
            listed.extend(section.keys.iter().map(|key| name(key).trim_start_matches('.').to_owned()));
        }
        listed.sort();
        let mut there: Vec<String> = crate::config::keys().collect();
        there.sort();
        assert_eq!(listed, there);
        let store = sections.iter().find(|section| section.name == "store").unwrap();
        assert!(store.keys.iter().all(|key| key.needs_restart), "the mark of a section is that of its keys");
    }
}
