//! Whether a name that somebody outside has typed would make staff take them for a colleague (C40). Such a name is told
//! in the mail as what somebody calls themselves, and is nowhere shown as the author's name. Pure; asked when an
//! answer is composed.

use std::collections::BTreeSet;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::address::Address;
use crate::policy::skeleton;
use crate::settings::Organisation;

/// Letters in circles and parentheses that a reader may take for an `@`.
const ALIKE: [char; 5] = ['ⓐ', 'Ⓐ', '🅐', '⒜', '🄐'];
/// A department of fewer letters is found only as a whole: `Zorg`.
const SHORT: usize = 6;

/// Whether `name` looks like an address, or is the name of the organisation or of somebody in its staff list; whoever
/// has proved that person's own address may bear it.
pub(super) fn is_impersonation(name: &str, author: &Address, organisation: &Organisation) -> bool {
    if looks_like_address(name, &organisation.domains) {
        return true;
    }
    let (typed, own) = (Words::of(name), author.mailbox());
    let is_colleague =
        organisation.staff.people().filter(|(address, _)| *address != own).any(|(address, person)| {
            let local_part = address.rsplit_once('@').map_or(address, |(local_part, _)| local_part);
            typed.joined == Words::of(local_part).joined
                || person.name.as_deref().is_some_and(|name| typed.bear(&Words::of(name)))
                || person.department.as_deref().is_some_and(|name| typed.mention(&Words::of(name)))
        });
    is_colleague || typed.bear(&Words::of(&organisation.name))
}

/// Whether there is an `@` in it, or what stands for one, or one of our domains.
fn looks_like_address(name: &str, domains: &[String]) -> bool {
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(name).to_lowercase();
    let dense: String = plain.split_whitespace().collect();
    let spelled = ["(at)", "[at]", "{at}", "<at>"].iter().any(|at| dense.contains(at));
    let seen: String = skeleton(&dense);
    let domain = domains.iter().any(|domain| seen.contains(&skeleton(domain)));
    plain.contains('@') || name.contains(ALIKE) || spelled || domain
}

/// The words of a name as a reader compares them: letter case, accents, look-alikes, signs and order aside.
struct Words {
    each: BTreeSet<String>,
    joined: String,
}

impl Words {
    fn of(name: &str) -> Self {
        let seen = skeleton(name);
        let (mut each, mut spaced) = (BTreeSet::new(), String::new());
        for word in seen.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            // `S a n n e` is one word.
            if word.chars().count() == 1 {
                spaced.push_str(word);
            } else {
                each.extend([std::mem::take(&mut spaced), word.to_owned()]);
            }
        }
        each.insert(spaced);
        each.remove("");
        Self { each, joined: seen.chars().filter(|c| c.is_alphanumeric()).collect() }
    }

    /// Whether this is the other name, or has it in it: all its words in any order, or in one word.
    fn bear(&self, other: &Self) -> bool {
        let is_there = other.each.is_subset(&self.each) || self.each.contains(&other.joined);
        !other.joined.is_empty() && (self.joined == other.joined || other.each.len() > 1 && is_there)
    }

    /// The same of a name that may be one word.
    fn mention(&self, other: &Self) -> bool {
        let is_long = other.joined.chars().count() >= SHORT;
        self.bear(other) || is_long && other.each.is_subset(&self.each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::testing;
    use crate::staff::Directory;

    const STAFF: &str = "email,name,department\n\
        s.devries@voorbeeld.nl,Sanne de Vries,Burgerzaken\n\
        burgemeester@voorbeeld.nl,Wim Âldhús,Bestuur\n\
        bo@voorbeeld.nl,Bo,\n";

    fn is_posing(name: &str, author: &str) -> bool {
        let organisation = Organisation { staff: Directory::of(STAFF), ..testing::organisation() };
        is_impersonation(name, &Address::parse(author).unwrap(), &organisation)
    }

    #[test]
    fn a_name_that_looks_like_an_address_is_none() {
        for name in [
            "burgemeester@voorbeeld.nl Sanne de Vries",
            "burgemeester＠voorbeeld.nl",
            "piet﹫example.org",
            "piet ⓐ example.org",
            "piet (at) example.org",
            "piet[AT]example.org",
            "\"jan@voorbeeld.nl\"",
            "Balie voorbeeld.nl",
            "Balie vооrbeeld . nl",
            "\u{202e}ln.dleebroov@etsnas",
        ] {
            assert!(is_posing(name, "evil@example.net"), "{name}");
        }
    }

    #[test]
    fn a_colleagues_name_is_theirs() {
        for name in [
            "Sanne de Vries",
            "SANNE DE VRIES",
            "Vries, Sanne de",
            "\"Sanne\" de Vries",
            "S\u{e0}nne de Vrie\u{455}",
            "Sanne\u{200b} de\u{a0}Vries",
            "SannedeVries",
            "S a n n e  d e  V r i e s",
            "Sanne de Vries (burgemeester)",
            "mw. Sanne de Vries",
            "Wim Aldhus",
            "Burgemeester",
            "burgerzaken",
            "Team Burgerzaken",
            "SannedeVries (burgemeester)",
            "S a n n e  de  V r i e s",
            "Gemeente Voorbeeld",
            "Balie Gemeente Voorbeeld",
            "s.devries",
            "bo",
        ] {
            assert!(is_posing(name, "evil@example.net"), "{name}");
        }
        assert!(!is_posing("Sanne de Vries", "S.deVries@voorbeeld.nl"), "her own address");
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "Piet Jansen",
            "Sanne Vries",
            "Klaas de Vries",
            "Hans de Vries",
            "Gemeente",
            "Jan de Vries",
            "Bob Bos",
            "Anna Burgerzakenaar",
            "Bo Derks",
            "李小龙",
        ] {
            assert!(!is_posing(name, "piet@example.org"), "{name}");
        }
    }
}
