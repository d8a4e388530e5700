//! One draft in several windows. A page brings back which page it is and a digest of what stood in each of its fields
//! when it was made ([`PageVersion`]): a window in which nothing was changed overwrites nothing, and where two have changed the same
//! field neither is lost: both texts come back ([`Kept::conflicts`]). Pure; `Replies::keep_message` saves what comes of it.

use aws_lc_rs::digest::{SHA256, digest};

use super::Field;
use super::check::clean;
use super::types::{Aside, ReplySettings, SentReply, Typed};
use crate::id::base32;
use crate::secret;

/// Bytes of a digest, and of the name of a page: enough that two texts, or two pages, of one draft differ.
const LENGTH: usize = 10;
/// Fields of a page, and its own name.
const MOST: usize = 5;

/// What the fields of a page held when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageVersion {
    /// The name of the page: what it has kept itself is in nobody's way.
    page: String,
    /// A digest of each field.
    fields: Vec<String>,
}

/// Whose text a field has from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Mine,
    Theirs,
    /// Both were changed.
    Neither,
}

impl PageVersion {
    /// Of a page that is being made with these texts in its fields.
    pub fn of(fields: &[&str]) -> Self {
        let page = base32(&secret::random::<LENGTH>());
        Self { page, fields: fields.iter().map(|text| fingerprint(text)).collect() }
    }

    /// As it comes back; `None` for what cannot be one of ours, and for a form without one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-').map(str::to_owned);
        let (page, fields) = (parts.next()?, parts.by_ref().take(MOST).collect::<Vec<_>>());
        let is_ours = |part: &String| part.len() == 16 && part.bytes().all(|c| c.is_ascii_alphanumeric());
        let is_whole = parts.next().is_none() && !fields.is_empty();
        (is_whole && is_ours(&page) && fields.iter().all(is_ours)).then_some(Self { page, fields })
    }

    /// For a hidden field of the page.
    pub fn to_text(&self) -> String {
        std::iter::once(self.page.as_str())
            .chain(self.fields.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("-")
    }

    /// Whether a field holds what it held when the page was made.
    fn is_unchanged(&self, field: usize, text: &str) -> bool {
        self.fields.get(field).is_some_and(|made| *made == fingerprint(text))
    }

    fn choose(&self, field: usize, mine: &str, theirs: &str, writer: &str) -> Choice {
        if self.page == writer || self.is_unchanged(field, theirs) || mine == theirs {
            Choice::Mine
        } else if self.is_unchanged(field, mine) {
            Choice::Theirs
        } else {
            Choice::Neither
        }
    }
}

/// The same for every spelling of a line's end: browsers send CRLF, whatever the page held (HTML 4.10.22.8).
fn fingerprint(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    base32(digest(&SHA256, text.as_bytes()).as_ref().get(..LENGTH).unwrap_or_default())
}

/// The message and its recipients, as a page brings them. A field that did not come is left as it is.
#[derive(Clone, Default)]
pub struct MessageEdit {
    pub to: Option<String>,
    pub message: Option<String>,
    /// Without one the page overwrites what is there.
    pub version: Option<PageVersion>,
}

/// The recipients that are folded away and what is set beside them, as a page brings them.
#[derive(Clone)]
pub struct SettingsEdit {
    pub cc: String,
    pub bcc: String,
    pub settings: ReplySettings,
    pub version: Option<PageVersion>,
}

/// What became of what a page brought.
#[derive(Clone, Default)]
pub struct Kept {
    /// What the fields of this page hold from now on: its own text where it is in conflict with what is there.
    pub typed: Typed,
    /// Fields that another window has changed as well. Where there are any, nothing was kept but the message, aside.
    pub conflicts: Vec<Field>,
    /// What goes aside.
    pub aside: Option<Aside>,
    /// This very text was sent already, and nobody has touched it since: nothing was kept.
    pub is_sent: bool,
}

impl Kept {
    /// All of it is kept.
    pub(super) fn of(typed: Typed) -> Self {
        Self { typed, ..Self::default() }
    }
}

impl MessageEdit {
    /// The version of a page that is made with these fields.
    pub fn version_of(typed: &Typed) -> PageVersion {
        let aside = typed.aside.as_ref().map_or("", |aside| aside.message.as_str());
        PageVersion::of(&[&typed.to, &typed.message, aside])
    }

    /// What its page shows where it could not be kept.
    pub fn shown_over(&self, there: Typed) -> Typed {
        let to = self.to.clone().unwrap_or(there.to);
        let message = self.message.clone().unwrap_or(there.message);
        Typed { to, message, ..there }
    }

    /// Whether it brings what was sent already: the page was made with it, or has kept it itself.
    pub(super) fn was_sent(&self, sent: &SentReply) -> bool {
        let (Some(message), Some(version)) = (&self.message, &self.version) else { return false };
        let is_known = version.page == sent.page || version.is_unchanged(1, message);
        is_known && !sent.message.is_empty() && sent.message == clean(message)
    }

    /// Puts it over what is there. `is_kept`: somebody has kept that, it is not only what a draft begins with.
    pub(super) fn over(&self, there: Typed, is_kept: bool) -> Kept {
        let version = self.version.as_ref().filter(|_| is_kept);
        let writer = there.page.clone();
        let mut merge = Merge { version, writer: &writer, conflicts: Vec::new() };
        let to = merge.field(0, Field::To, self.to.as_ref(), &there.to);
        let message = merge.field(1, Field::Message, self.message.as_ref(), &there.message);
        let conflicts = merge.conflicts;
        let aside = if conflicts.is_empty() { None } else { self.set_aside(&there) };
        let left = there.aside.clone().filter(|aside| !self.has_settled(aside));
        // Where the other window's text stays, it stays that window's.
        let is_own = to != there.to || message != there.message;
        let page = match &self.version {
            Some(version) if is_own || !is_kept => version.page.clone(),
            _ => writer,
        };
        Kept { typed: Typed { to, message, page, aside: left, ..there }, conflicts, aside, is_sent: false }
    }

    /// A message of its own, which is not to be lost with its page.
    fn set_aside(&self, there: &Typed) -> Option<Aside> {
        let (message, version) = (self.message.as_ref()?, self.version.as_ref()?);
        let is_own = *message != there.message && !version.is_unchanged(1, message);
        let aside = || Aside { message: message.clone(), page: version.page.clone() };
        (is_own && !message.trim().is_empty()).then(aside)
    }

    /// Whether its page has shown what was set aside, so that somebody has chosen, or has brought it and does so no more.
    fn has_settled(&self, aside: &Aside) -> bool {
        let is_settled =
            |version: &PageVersion| version.is_unchanged(2, &aside.message) || version.page == aside.page;
        self.version.as_ref().is_some_and(is_settled)
    }
}

impl SettingsEdit {
    /// What its page shows where it could not be kept.
    pub fn shown_over(&self, there: Typed) -> Typed {
        let Self { cc, bcc, settings, .. } = self.clone();
        Typed { cc, bcc, settings, ..there }
    }

    /// The version of a page that is made with these fields.
    pub fn version_of(typed: &Typed) -> PageVersion {
        PageVersion::of(&[&typed.cc, &typed.bcc])
    }

    /// Puts it over what is there, as [`MessageEdit::over`] does.
    pub(super) fn over(&self, there: Typed, is_kept: bool) -> Kept {
        let version = self.version.as_ref().filter(|_| is_kept);
        let mut merge = Merge { version, writer: "", conflicts: Vec::new() };
        let cc = merge.field(0, Field::Cc, Some(&self.cc), &there.cc);
        let bcc = merge.field(1, Field::Bcc, Some(&self.bcc), &there.bcc);
        let conflicts = merge.conflicts;
        let typed = Typed { cc, bcc, settings: self.settings.clone(), ..there };
        Kept { typed, conflicts, ..Kept::default() }
    }
}

/// One page beside what is there.
struct Merge<'a> {
    version: Option<&'a PageVersion>,
    /// The page that kept what is there.
    writer: &'a str,
    conflicts: Vec<Field>,
}

impl Merge<'_> {
    fn field(&mut self, number: usize, field: Field, mine: Option<&String>, theirs: &str) -> String {
        let Some(mine) = mine else { return theirs.to_owned() };
        let choice =
            self.version.map_or(Choice::Mine, |version| version.choose(number, mine, theirs, self.writer));
        match choice {
            Choice::Mine => mine.clone(),
            Choice::Theirs => theirs.to_owned(),
            Choice::Neither => {
                self.conflicts.push(field);
                mine.clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(message: &str, page: &str) -> Typed {
        Typed { message: message.into(), page: page.into(), ..Typed::default() }
    }

    fn edit(made_with: &str, message: &str) -> MessageEdit {
        let version = Some(MessageEdit::version_of(&typed(made_with, "")));
        MessageEdit { to: None, message: Some(message.into()), version }
    }

    /// What is there from now on, and whether there is a conflict.
    fn merged(made_with: &str, mine: &str, theirs: &str) -> (String, bool) {
        let kept = edit(made_with, mine).over(typed(theirs, "another"), true);
        (kept.typed.message, !kept.conflicts.is_empty())
    }

    #[test]
    fn a_window_without_changes_overwrites_nothing() {
        assert_eq!(merged("", "", "870 characters"), ("870 characters".to_owned(), false));
        assert_eq!(merged("old", "old", "new"), ("new".to_owned(), false));
        assert_eq!(merged("a\nb", "a\r\nb", "new"), ("new".to_owned(), false), "as browsers send it");
    }

    #[test]
    fn the_only_change_counts() {
        assert_eq!(merged("old", "new", "old"), ("new".to_owned(), false));
        assert_eq!(merged("old", "", "old"), (String::new(), false), "somebody may clear it");
        assert_eq!(merged("old", "new", "new"), ("new".to_owned(), false), "twice the same");
    }

    #[test]
    fn two_changes_are_a_conflict() {
        assert_eq!(merged("old", "mine", "theirs"), ("mine".to_owned(), true));
        assert_eq!(merged("old", "", "theirs"), (String::new(), true));
    }

    #[test]
    fn a_page_is_not_in_conflict_with_itself() {
        let mut edit = edit("", "first");
        let first = edit.over(Typed::default(), false).typed;
        edit.message = Some("second".into());
        let second = edit.over(first, true);
        assert!(second.conflicts.is_empty() && second.typed.message == "second");
        // Another window that changes nothing does not take its place.
        let idle = self::edit("", "").over(second.typed, true).typed;
        edit.message = Some("third".into());
        assert!(edit.over(idle, true).conflicts.is_empty());
    }

    #[test]
    fn a_form_without_a_version_overwrites() {
        let edit = MessageEdit { message: Some("mine".into()), ..MessageEdit::default() };
        let kept = edit.over(typed("theirs", "another"), true);
        assert!(kept.conflicts.is_empty() && kept.typed.message == "mine");
        let nothing = MessageEdit::default().over(typed("theirs", "another"), true);
        assert_eq!(nothing.typed, typed("theirs", "another"), "a field that did not come is left");
    }

    #[test]
    fn a_version_comes_back_as_it_went() {
        let version = PageVersion::of(&["a", "b"]);
        assert_eq!(PageVersion::parse(&version.to_text()), Some(version.clone()));
        let page = "0".repeat(16);
        for wrong in
            ["", "-", "x-y", &page, &format!("{page}-"), &format!("{page}-é"), &[page.as_str(); 9].join("-")]
        {
            assert_eq!(PageVersion::parse(wrong), None, "{wrong}");
        }
        assert_ne!(PageVersion::of(&["a", "b"]), version, "every page has its own name");
    }

    #[test]
    fn what_is_set_aside_stays_until_somebody_has_seen_both() {
        let there = typed("theirs", "another");
        let mine = edit("old", "mine");
        let aside = mine.over(there.clone(), true).aside;
        assert!(aside.as_ref().is_some_and(|aside| aside.message == "mine"));
        let waiting = Typed { aside: aside.clone(), ..there.clone() };
        let left = |edit: &MessageEdit| edit.over(waiting.clone(), true).typed.aside.is_some();
        // Another window, which knows nothing of it, and one that brings nothing new.
        assert!(left(&edit("theirs", "theirs, longer")) && left(&edit("theirs", "theirs")));
        let both = MessageEdit { message: Some("both".into()), ..chosen(&waiting) };
        let theirs = chosen(&waiting);
        assert!(!left(&both) && !left(&theirs), "somebody has chosen");
        let undone = MessageEdit { message: Some("old".into()), ..mine };
        assert!(!left(&undone), "its own page brings it no more");
        // What is empty, or not of this page, is no loss.
        assert!(edit("old", " ").over(there.clone(), true).aside.is_none());
        assert!(edit("old", "old").over(there, true).aside.is_none());
    }

    fn chosen(shown: &Typed) -> MessageEdit {
        MessageEdit { to: None, message: None, version: Some(MessageEdit::version_of(shown)) }
    }
}
