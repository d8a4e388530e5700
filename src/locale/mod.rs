//! Every word that a recipient or sender reads, in three languages: Fluent files under `web/locales`,
//! embedded in the binary. Called by `notify` and `web`; formats dates for both as well.
//! A language that lacks a key must never get out: the build fails (see `files`).

pub mod digits;
pub mod direction;
mod files;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::{Deserialize, Serialize};
use unic_langid::LanguageIdentifier;

use crate::calendar::Zone;
use crate::clock::Timestamp;
use files::{EN, FY, NL};

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

/// The text is not `nl`, `fy` or `en`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {0:?}; known are nl, fy and en")]
pub struct UnknownLanguage(String);

impl Language {
    /// All of them, in the order of the language menu.
    pub const ALL: [Self; 3] = [Self::Nl, Self::Fy, Self::En];

    /// The tag for `lang` attributes and cookies (BCP 47).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nl => "nl",
            Self::Fy => "fy",
            Self::En => "en",
        }
    }

    /// What its speakers call it.
    pub fn native_name(self) -> &'static str {
        match self {
            Self::Nl => "Nederlands",
            Self::Fy => "Frysk",
            Self::En => "English",
        }
    }

    /// The best of these languages for an `Accept-Language` field (RFC 9110 12.5.4), if it names any.
    pub fn negotiate(accept: &str, offered: &[Self]) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in accept.split(',') {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let primary = tag.trim().split('-').next().unwrap_or("").to_ascii_lowercase();
            let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(0.0);
            let heavier = best.is_none_or(|(heaviest, _)| weight > heaviest);
            if let Ok(language) = primary.parse()
                && weight > 0.0
                && heavier
                && offered.contains(&language)
            {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The text under `key`: see [`Texts::text`].
    pub fn text(self, key: &str) -> String {
        texts().text(self, key)
    }

    /// The text under `key` with its values: see [`Texts::format`].
    pub fn format(self, key: &str, values: &[(&str, &str)]) -> String {
        texts().format(self, key, values)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|language| language.as_str() == text)
            .ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

/// All texts of all languages.
pub fn texts() -> &'static Texts {
    static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::embedded);
    &TEXTS
}

/// The texts, parsed once.
pub struct Texts {
    nl: FluentBundle<FluentResource>,
    fy: FluentBundle<FluentResource>,
    en: FluentBundle<FluentResource>,
}

impl Texts {
    /// The text under `key`.
    pub fn text(&self, language: Language, key: &str) -> String {
        self.format(language, key, &[])
    }

    /// The text under `key` with its values put in as they are: plain text, so code that makes HTML
    /// of it escapes it. The value `count` is a number and chooses between singular and plural.
    pub fn format(&self, language: Language, key: &str, values: &[(&str, &str)]) -> String {
        let bundle = self.bundle(language);
        let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else {
            tracing::error!(%language, key, "no text under this key");
            return key.to_owned();
        };
        let mut args = FluentArgs::new();
        for &(name, value) in values {
            let value = if name == "count" {
                FluentValue::try_number(value)
            } else {
                direction::in_a_sentence(value).into()
            };
            args.set(name, value);
        }
        let mut errors = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&args), &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::error!(%language, key, ?errors, "the text and its values do not fit");
        }
        text
    }

    fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        match language {
            Language::Nl => &self.nl,
            Language::Fy => &self.fy,
            Language::En => &self.en,
        }
    }

    fn embedded() -> Self {
        Self { nl: bundle(Language::Nl, &NL), fy: bundle(Language::Fy, &FY), en: bundle(Language::En, &EN) }
    }
}

/// Tests hold the files to be free of faults; a fault here only costs the message it is in.
fn bundle(language: Language, files: &[&str]) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new_concurrent(vec![identifier(language)]);
    // Names go into mail and HTML as they are, without invisible marks; `format` knows the exception.
    bundle.set_use_isolating(false);
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(resource, errors)| {
            tracing::error!(%language, ?errors, "a locale file is damaged");
            resource
        });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(%language, ?errors, "a key stands twice in the locale files");
        }
    }
    bundle
}

/// Chooses the plural rules.
fn identifier(language: Language) -> LanguageIdentifier {
    language.as_str().parse().unwrap_or_default()
}

/// A day as people write it: `woensdag 23 december 2026`.
pub fn long_date(language: Language, zone: &Zone, time: Timestamp) -> String {
    let local = zone.local(time);
    let (day, year) = (local.day().to_string(), local.year().to_string());
    let weekday = language.text(&format!("weekday-{}", local.weekday().to_monday_one_offset()));
    let month = language.text(&format!("month-{}", local.month()));
    let values = [("weekday", &weekday), ("day", &day), ("month", &month), ("year", &year)];
    language.format("date-long", &values.map(|(name, value)| (name, value.as_str())))
}

/// A day and a time as people write them: `woensdag 23 december 2026 om 14:30`.
pub fn long_date_and_time(language: Language, zone: &Zone, time: Timestamp) -> String {
    let clock = zone.local(time).strftime("%H:%M").to_string();
    language.format("date-and-time", &[("date", &long_date(language, zone, time)), ("time", &clock)])
}

/// The day until whose end something lasts. What ends within a day, as it was given a date under other rules, has its
/// time behind it.
pub fn last_day(language: Language, zone: &Zone, time: Timestamp) -> String {
    match zone.is_end_of_day(time) {
        true => long_date(language, zone, time),
        false => long_date_and_time(language, zone, time),
    }
}

/// A moment to the minute, short enough for a subject: `3-12-2026 14:30`, in English `3 Dec 2026 14:30`.
pub fn short_time(language: Language, zone: &Zone, time: Timestamp) -> String {
    let form = if language == Language::En { "%-d %b %Y %H:%M" } else { "%-d-%-m-%Y %H:%M" };
    zone.local(time).strftime(form).to_string()
}

/// A moment to the second, alike in every language: `2026-12-23 14:30:05`.
pub fn exact_time(zone: &Zone, time: Timestamp) -> String {
    zone.local(time).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A size as people write it: `812 B`, `3,4 MB`.
pub fn size(language: Language, octets: u64) -> String {
    let (unit, divisor) = match octets {
        0..1_000 => return format!("{octets} B"),
        1_000..1_000_000 => ("kB", 1_000),
        1_000_000..1_000_000_000 => ("MB", 1_000_000),
        _ => ("GB", 1_000_000_000),
    };
    let tenths = octets.saturating_mul(10) / divisor;
    let separator = if language == Language::En { '.' } else { ',' };
    format!("{}{separator}{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::days_later;

    #[test]
    fn the_files_are_free_of_faults() {
        for (language, files) in [(Language::Nl, NL), (Language::Fy, FY), (Language::En, EN)] {
            let mut bundle = FluentBundle::new_concurrent(vec![identifier(language)]);
            for file in files {
                let resource =
                    FluentResource::try_new(file.to_owned()).map_err(|(_, errors)| errors).unwrap();
                assert_eq!(bundle.add_resource(resource), Ok(()), "{language}");
            }
        }
    }

    #[test]
    fn chooses_what_the_reader_likes_best() {
        for (accept, expected) in [
            ("nl", Some(Language::Nl)),
            ("fy-NL,nl;q=0.8,en;q=0.5", Some(Language::Fy)),
            ("de-DE,de;q=0.9,en-US;q=0.8,nl;q=0.7", Some(Language::En)),
            ("en;q=0.2, nl ; q=0.9", Some(Language::Nl)),
            ("EN-gb", Some(Language::En)),
            ("nl;q=0", None),
            ("de, *;q=0.1", None),
            ("", None),
            (";;;,q=,nl;x", None),
        ] {
            assert_eq!(Language::negotiate(accept, &Language::ALL), expected, "{accept:?}");
        }
        let without_frisian = [Language::Nl, Language::En];
        assert_eq!(Language::negotiate("fy-NL,en;q=0.5", &without_frisian), Some(Language::En));
        assert_eq!(Language::negotiate("fy", &without_frisian), None);
        assert_eq!("fy".parse(), Ok(Language::Fy));
        assert_eq!(
            "FY".parse::<Language>().unwrap_err().to_string(),
            "unknown language \"FY\"; known are nl, fy and en"
        );
    }

    #[test]
    fn writes_dates_in_the_time_of_the_organisation() {
        let dutch = Zone::default();
        let night: Timestamp = "2026-12-22T23:30:00Z".parse().unwrap();
        let summer: Timestamp = "2026-07-01T12:30:00Z".parse().unwrap();
        assert_eq!(long_date(Language::Nl, &dutch, night), "woensdag 23 december 2026");
        assert_eq!(long_date(Language::Fy, &dutch, night), "woansdei 23 desimber 2026");
        assert_eq!(long_date(Language::En, &dutch, night), "Wednesday 23 December 2026");
        assert_eq!(long_date_and_time(Language::Nl, &dutch, night), "woensdag 23 december 2026 om 00:30");
        assert_eq!(long_date_and_time(Language::En, &dutch, summer), "Wednesday 1 July 2026 at 14:30");
        assert_eq!(exact_time(&dutch, night), "2026-12-23 00:30:00");
        let curacao = Zone::try_from("America/Curacao".to_owned()).unwrap();
        assert_eq!(long_date_and_time(Language::Nl, &curacao, night), "dinsdag 22 december 2026 om 19:30");
    }

    #[test]
    fn names_every_day_of_the_week() {
        let monday: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let week = |language| {
            let days = (0..7).map(|day| long_date(language, &Zone::default(), days_later(monday, day)));
            days.filter_map(|date| Some(date.split_once(' ')?.0.to_owned())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(week(Language::Nl), "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag");
        assert_eq!(week(Language::Fy), "moandei tiisdei woansdei tongersdei freed sneon snein");
        assert_eq!(week(Language::En), "Monday Tuesday Wednesday Thursday Friday Saturday Sunday");
    }

    #[test]
    fn what_ends_within_a_day_says_when() {
        let zone = Zone::default();
        let until = |text: &str| last_day(Language::Nl, &zone, text.parse().unwrap());
        assert_eq!(until("2026-12-01T23:59:59+01:00"), "dinsdag 1 december 2026");
        assert_eq!(until("2026-12-01T04:12:00+01:00"), "dinsdag 1 december 2026 om 04:12");
    }
}
