//! Which settings an element has: attributes of old, rules of the mail's style sheets, its own `style`, in the order of
//! CSS (Cascading and Inheritance 6). Bounded: a mail whose rules are too many for its elements loses its rules.

use std::collections::HashMap;

use super::colour::{Colour, Paint};
use super::css::{self, Compound, Settings, Sheet};
use super::look::{Look, Setting};
use super::tags::{Piece, Pieces, Tag};

/// Looks at a rule or at an element around, for all elements of a mail together.
const MAX_LOOKS: usize = 1_000_000;
/// Elements around that a selector is compared with.
const MAX_AROUND: usize = 64;

/// The names by which selectors know an element.
#[derive(Clone, Debug, Default)]
pub struct Element<'a> {
    tag: &'a str,
    id: &'a str,
    classes: Vec<&'a str>,
}

impl<'a> Element<'a> {
    pub fn of(tag: &Tag<'a>) -> Self {
        let classes = tag.raw("class").unwrap_or("").split_ascii_whitespace().take(32).collect();
        Self { tag: tag.name, id: tag.raw("id").unwrap_or("").trim(), classes }
    }

    fn is(&self, compound: &Compound) -> bool {
        compound.tag.as_deref().is_none_or(|tag| tag == self.tag)
            && compound.id.as_deref().is_none_or(|id| id == self.id)
            // Mail has no DOCTYPE, mostly, and then case does not matter (quirks mode).
            && compound.classes.iter().all(|class| self.classes.iter().any(|own| own.eq_ignore_ascii_case(class)))
    }
}

/// The style sheets of a mail, and how much of them may still be looked at.
pub struct Cascade {
    sheet: Sheet,
    /// Rules by the most telling name of the element that they are about.
    by_name: HashMap<String, Vec<usize>>,
    left: usize,
}

impl Cascade {
    pub fn of(pieces: Pieces<'_>) -> Self {
        let mut sheet = Sheet::default();
        for piece in pieces {
            if let Piece::Style(css) = piece {
                sheet.read(css);
            }
        }
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, rule) in sheet.rules.iter().enumerate() {
            let name = rule.selector.last().map(key).unwrap_or_default();
            by_name.entry(name).or_default().push(index);
        }
        Self { sheet, by_name, left: MAX_LOOKS }
    }

    /// The look of an element, `around` it the others from the nearest on.
    pub fn look<'e>(
        &mut self,
        tag: &Tag<'_>,
        element: &Element<'_>,
        around: impl Iterator<Item = &'e Element<'e>> + Clone,
    ) -> Look {
        let mut look = Look::default();
        let mut set = |settings: &[Setting]| settings.iter().for_each(|setting| look.set(setting.clone()));
        set(&of_attributes(tag));
        let rules = self.rules_of(element, around);
        let own = tag.value("style").map(|style| css::attribute(&style)).unwrap_or_default();
        rules.iter().for_each(|settings| set(&settings.normal));
        set(&own.normal);
        rules.iter().for_each(|settings| set(&settings.important));
        set(&own.important);
        look
    }

    /// The settings of the rules that are about an element, the weakest first.
    fn rules_of<'e>(
        &mut self,
        element: &Element<'_>,
        around: impl Iterator<Item = &'e Element<'e>> + Clone,
    ) -> Vec<&Settings> {
        let id = Some(format!("#{}", element.id)).filter(|_| !element.id.is_empty());
        let classes = element.classes.iter().map(|class| format!(".{}", class.to_ascii_lowercase()));
        let mut names: Vec<String> =
            classes.chain(id).chain([element.tag.to_owned(), String::new()]).collect();
        names.sort_unstable();
        names.dedup();
        let mut found: Vec<usize> = Vec::new();
        for index in names.iter().filter_map(|name| self.by_name.get(name)).flatten() {
            let Some(rule) = self.sheet.rules.get(*index) else { continue };
            let cost = if rule.selector.len() > 1 { MAX_AROUND } else { 1 };
            let Some(left) = self.left.checked_sub(cost) else { return Vec::new() };
            self.left = left;
            if is_within(&rule.selector, element, around.clone().take(MAX_AROUND)) {
                found.push(*index);
            }
        }
        let rule_of = |index: &usize| self.sheet.rules.get(*index);
        found.sort_by_key(|index| (rule_of(index).map(|rule| weight(&rule.selector)), *index));
        found.iter().filter_map(|index| self.sheet.settings.get(rule_of(index)?.settings)).collect()
    }
}

/// Whether a selector names the element, and those around it in its order.
fn is_within<'e>(
    selector: &[Compound],
    element: &Element<'_>,
    mut around: impl Iterator<Item = &'e Element<'e>>,
) -> bool {
    let Some((last, others)) = selector.split_last() else { return false };
    element.is(last) && others.iter().rev().all(|compound| around.any(|outer| outer.is(compound)))
}

/// How much a selector says (Selectors 4, 17).
fn weight(selector: &[Compound]) -> (usize, usize, usize) {
    let ids = selector.iter().filter(|compound| compound.id.is_some()).count();
    let classes = selector.iter().map(|compound| compound.classes.len()).sum();
    let tags = selector.iter().filter(|compound| compound.tag.is_some()).count();
    (ids, classes, tags)
}

fn key(compound: &Compound) -> String {
    match (&compound.id, compound.classes.first(), &compound.tag) {
        (Some(id), ..) => format!("#{id}"),
        (None, Some(class), _) => format!(".{}", class.to_ascii_lowercase()),
        (None, None, Some(tag)) => tag.clone(),
        (None, None, None) => String::new(),
    }
}

/// What the attributes of old say, which is less than any rule (HTML 15.2), and what an element is by itself.
fn of_attributes(tag: &Tag<'_>) -> Vec<Setting> {
    let paint = |name: &str| tag.value(name).and_then(|value| Paint::attribute(&value));
    let ink = paint(if tag.name == "font" { "color" } else { "text" });
    let is_marked = tag.name == "mark";
    let ground = paint("bgcolor").or_else(|| is_marked.then(|| Paint::solid(Colour(0xff, 0xff, 0))));
    let ink = ink.or_else(|| is_marked.then(|| Paint::solid(Colour(0, 0, 0))));
    let hidden = tag.raw("hidden").map(|_| Setting::Hidden(true));
    let ink = ink.map(|ink| Setting::Ink(Some(ink)));
    ink.into_iter().chain(ground.map(|ground| Setting::Ground(Some(ground)))).chain(hidden).collect()
}
