//! What is folded away on the third screen, and whatever else its form brings: read, kept, and given back where it cannot be kept.

use serde::Deserialize;

use super::context::ReplyContext;
use super::form::Texts;
use super::problem::{FieldProblem, Problems};
use crate::locale::Language;
use crate::reply::{Browser, PageVersion, ReplySettings, SettingsEdit, Typed};
use crate::web::http::error::WebError;

/// The form. Where nothing was folded out, all of it has its defaults.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckForm {
    #[serde(default)]
    cc: String,
    #[serde(default)]
    bcc: String,
    #[serde(default)]
    expiry: String,
    language: Option<Language>,
    confirm: Option<String>,
    downloaded: Option<String>,
    names: Option<String>,
    /// `choose`, or anything else for a generated one.
    #[serde(default)]
    password_by: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    password_again: String,
    /// The password was typed in clear: nobody needs to type it twice.
    password_shown: Option<String>,
    /// What the fields held when the page was made.
    #[serde(default)]
    version: String,
    /// Back to the screen before.
    pub back: Option<String>,
    /// A language button was pressed.
    pub lang: Option<Language>,
}

impl CheckForm {
    /// Fields that come back after the session has ended, all but the passwords.
    pub const CARRIED: &[&str] =
        &["cc", "bcc", "expiry", "language", "confirm", "downloaded", "names", "password_by", "version"];

    /// The form of these fields; one that is not there is empty.
    pub fn of(field: impl Fn(&str) -> String) -> Self {
        let ticked = |name: &str| Some(field(name)).filter(|value| !value.is_empty());
        Self {
            cc: field("cc"),
            bcc: field("bcc"),
            expiry: field("expiry"),
            language: field("language").parse().ok(),
            confirm: ticked("confirm"),
            downloaded: ticked("downloaded"),
            names: ticked("names"),
            password_by: field("password_by"),
            version: field("version"),
            ..Self::default()
        }
    }

    /// The other way round.
    pub fn texts(&self) -> Texts {
        let language = self.language.map(|language| language.to_string()).unwrap_or_default();
        let ticked = |field: &Option<String>| field.clone().unwrap_or_default();
        let (confirm, downloaded) = (ticked(&self.confirm), ticked(&self.downloaded));
        Texts::of(&[
            ("cc", &self.cc),
            ("bcc", &self.bcc),
            ("expiry", &self.expiry),
            ("language", &language),
            ("confirm", &confirm),
            ("downloaded", &downloaded),
            ("names", &ticked(&self.names)),
            ("password_by", &self.password_by),
            ("version", &self.version),
        ])
    }

    fn edit(&self, page_language: Language) -> SettingsEdit {
        let settings = ReplySettings {
            expiry_days: self.expiry.trim().to_owned(),
            language: self.language,
            page_language: Some(page_language),
            confirm: self.confirm.is_some(),
            tell_downloads: self.downloaded.is_some(),
            show_names: self.names.is_some(),
            password: if self.is_chosen() { self.password.clone() } else { String::new() },
        };
        let version = PageVersion::parse(&self.version);
        SettingsEdit { cc: self.cc.clone(), bcc: self.bcc.clone(), settings, version }
    }

    fn is_chosen(&self) -> bool {
        self.password_by == "choose"
    }
}

/// What came of the form.
pub struct Outcome {
    pub problems: Problems,
    /// What the page shows, where it could not be kept.
    pub unsaved: Option<Typed>,
}

impl Outcome {
    pub fn is_unsaved(&self) -> bool {
        self.unsaved.is_some()
    }
}

impl From<Problems> for Outcome {
    fn from(problems: Problems) -> Self {
        Self { problems, unsaved: None }
    }
}

/// Keeps what the form says; tells what is wrong with the passwords, and every fault of the draft.
pub async fn keep(reply: &ReplyContext, browser: &Browser, form: &CheckForm) -> Result<Outcome, WebError> {
    let (mut problems, mut unsaved) = (Problems::default(), None);
    let edit = form.edit(reply.visit.language);
    match reply.replies().keep_settings(&reply.grant, browser, &edit).await {
        Ok(kept) if kept.conflicts.is_empty() => {}
        Ok(kept) => {
            let theirs = reply.draft(browser).await?.typed;
            kept.conflicts.iter().for_each(|field| problems.push(reply.conflict(*field, &theirs)));
            unsaved = Some(kept.typed);
        }
        Err(error) => {
            problems.push(reply.problem(error)?.at("form"));
            unsaved = Some(edit.shown_over(reply.draft(browser).await?.typed));
        }
    }
    if form.is_chosen() && form.password.is_empty() {
        problems.push(FieldProblem::new("password", reply.visit.text("reply-error-password-empty")));
    } else if form.is_chosen() && form.password_shown.is_none() && form.password != form.password_again {
        problems.push(FieldProblem::new("password-again", reply.visit.text("reply-error-password-differs")));
    }
    for fault in reply.faults(browser).await?.iter() {
        problems.push(fault.clone());
    }
    Ok(Outcome { problems, unsaved })
}
