//! Where the tags of a subject are: in brackets of any kind, closed or not, anywhere; or as a word of its own in front
//! of the subject or of a part of it. All texts here are skeletons.
//!
//! One walk over the brackets and one over the words: the cost grows with the length of the subject (H13).

use std::ops::Range;
use std::sync::LazyLock;

use super::super::options::starts_with_option;
use super::tag::{Spelling, Tag, is_other_word, skeletons, unblanked};

/// Brackets of one subject, and tags in it, that are looked at. Nobody writes that many.
const MAX_BRACKETS: usize = 1000;
const MAX_FOUND: usize = 1000;

/// Places in it where a tag may start that are looked at.
const MAX_PLACES: usize = 20_000;

/// Between the words of a list in brackets.
const SEPARATORS: [char; 9] = [',', ';', '|', '/', '+', '&', '•', '·', ':'];

/// What makes another word of a tag in brackets that it follows at once: `(veilig)heid`.
static WORD_ENDINGS: LazyLock<Vec<String>> = LazyLock::new(|| skeletons(&["heid", "keit", "ity", "ens"]));

/// Before a tag these say that it is none, also with an adverb in between.
static NEGATIONS: LazyLock<Vec<String>> = LazyLock::new(|| {
    skeletons(&[
        "niet", "geen", "nooit", "net", "gjin", "not", "no", "non", "never", "nicht", "kein", "keine", "pas",
    ])
});
static ADVERBS: LazyLock<Vec<String>> = LazyLock::new(|| {
    skeletons(&["meer", "langer", "longer", "mehr", "zo", "so", "zeer", "very", "strikt", "strictly"])
});

/// A tag in a subject, whatever its form.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Found<'a> {
    pub tag: &'a Tag,
    /// All that goes with it, brackets included.
    pub span: Range<usize>,
    /// The word alone.
    pub word: Range<usize>,
    /// Behind the word up to the bracket that closes, or up to the end of the subject where none does.
    pub options: Range<usize>,
    /// The bracket that it follows.
    pub before: Option<char>,
    /// The bracket that closes, or the sign behind the word.
    pub after: Option<char>,
    pub spelling: Spelling,
}

impl Found<'_> {
    /// Its bracket never closes: what belongs to it ends nowhere.
    pub fn is_open(&self) -> bool {
        self.before.is_some() && self.after.is_none()
    }

    /// It is written as the manual says: `[tag]` or `tag:`.
    pub fn is_plain(&self) -> bool {
        let form = matches!((self.before, self.after), (Some('['), Some(']')) | (None, Some(':')));
        form && self.spelling == Spelling::Right
    }
}

/// Looks for tags in one subject.
pub(super) struct Scan<'s, 't> {
    seen: &'s str,
    tags: &'t [Tag],
    /// Texts without blanks that are no misspelt tag, because a rule has them as tags of their own.
    others: &'t [String],
    found: Vec<Found<'t>>,
    places: usize,
    /// There is more than was looked at.
    cut: bool,
}

/// A bracket that opens, and where its partner is.
struct Bracket {
    at: usize,
    sign: char,
    close: Option<usize>,
}

/// A tag at the start of some text: where it ends there.
struct Hit<'t> {
    tag: &'t Tag,
    end: usize,
    spelling: Spelling,
}

impl<'s, 't> Scan<'s, 't> {
    /// The tags from left to right, none within another; and whether there may be more.
    pub fn run(seen: &'s str, tags: &'t [Tag], others: &'t [String]) -> (Vec<Found<'t>>, bool) {
        let mut scan = Self { seen, tags, others, found: Vec::new(), places: 0, cut: false };
        scan.in_brackets();
        scan.in_front();
        scan.found.sort_by_key(|found| (found.span.start, found.word.start));
        let mut end = 0;
        scan.found.retain(|found| {
            let same = found.span.end == end;
            let is_apart = found.span.start >= end;
            end = end.max(found.span.end);
            is_apart || same
        });
        (scan.found, scan.cut)
    }

    fn text(&self, range: Range<usize>) -> &'s str {
        self.seen.get(range).unwrap_or("")
    }

    fn add(&mut self, found: Found<'t>) {
        match self.found.len() < MAX_FOUND {
            true => self.found.push(found),
            false => self.cut = true,
        }
    }

    fn in_brackets(&mut self) {
        let mut at = 0;
        for bracket in self.brackets() {
            if bracket.at < at {
                continue;
            }
            match bracket.close {
                Some(close) => at = self.group(&bracket, close),
                None => self.unclosed(&bracket),
            }
        }
    }

    /// Brackets pair by kind: `[secure :)]` is one group.
    fn brackets(&mut self) -> Vec<Bracket> {
        let mut brackets: Vec<Bracket> = Vec::new();
        let mut open: [Vec<usize>; 4] = Default::default();
        for (at, sign) in self.seen.char_indices() {
            let Some(kind) = "[({<])}>".find(sign) else { continue };
            let is_opening = kind < 4;
            let Some(open) = open.get_mut(kind % 4) else { continue };
            if !is_opening {
                let partner = open.pop().and_then(|index| brackets.get_mut(index));
                if let Some(bracket) = partner {
                    bracket.close = Some(at);
                }
            } else if brackets.len() < MAX_BRACKETS {
                open.push(brackets.len());
                brackets.push(Bracket { at, sign, close: None });
            } else {
                self.cut = true;
            }
        }
        brackets
    }

    /// `[tag]`, also among other words. Of brackets in brackets each piece counts, and all of it goes.
    fn group(&mut self, bracket: &Bracket, close: usize) -> usize {
        let sign = self.text(close..close + 1);
        // Brackets too many belong to it.
        let behind = self.text(close..self.seen.len()).trim_start_matches(sign);
        let span = bracket.at..self.seen.len() - behind.len();
        let joined = behind.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        if bracket.sign != '[' && WORD_ENDINGS.iter().any(|ending| ending == joined) {
            return span.end;
        }
        let (mut sign, mut from, mut options_end) = (bracket.sign, bracket.at + 1, 0);
        let inside = self.text(from..close);
        let ends = inside.match_indices(is_bracket).map(|(at, c)| (bracket.at + 1 + at, c));
        for (end, c) in ends.chain([(close, "")]) {
            if let Some((from, hit)) = self.in_piece(from..end, sign).filter(|(from, _)| *from >= options_end)
            {
                let word = from..from + hit.end;
                options_end = word.end + options_length(self.text(word.end..close), sign);
                self.add(Found {
                    tag: hit.tag,
                    span: span.clone(),
                    options: word.end..options_end,
                    word,
                    before: Some(sign),
                    after: partner(sign),
                    spelling: hit.spelling,
                });
            }
            sign = c.chars().next().filter(|c| partner(*c).is_some()).unwrap_or(bracket.sign);
            from = end + 1;
        }
        span.end
    }

    /// `[tag and the rest of the subject`
    fn unclosed(&mut self, bracket: &Bracket) {
        let from = bracket.at + 1;
        let rest = self.text(from..self.seen.len());
        let piece = from..from + rest.find(is_bracket).unwrap_or(rest.len());
        for (number, part) in parts(self.text(piece.clone())).enumerate() {
            let part = piece.start + part.start..piece.start + part.end;
            let Some((from, hit)) = self.at_start(part, piece.end, bracket.sign) else { continue };
            // Behind a separator most words are no mark any more.
            if number > 0 && !hit.tag.is_distinct() {
                continue;
            }
            let word = from..from + hit.end;
            // It may be closed by a bracket of another kind.
            let behind = self.text(word.end..self.seen.len()).trim_start_matches(' ');
            let closed = behind.starts_with([']', ')', '}', '>']);
            let end = if closed { self.seen.len() - behind.len() + 1 } else { word.end };
            return self.add(Found {
                tag: hit.tag,
                span: bracket.at..end,
                options: end..self.seen.len(),
                word,
                before: Some(bracket.sign),
                after: None,
                spelling: hit.spelling,
            });
        }
    }

    /// The first tag in a text that was inside brackets: at its start, behind a separator or, if it is
    /// hardly a word of its own, anywhere.
    fn in_piece(&mut self, piece: Range<usize>, sign: char) -> Option<(usize, Hit<'t>)> {
        let text = self.text(piece.clone());
        parts(text).find_map(|part| {
            let part = piece.start + part.start..piece.start + part.end;
            self.at_start(part.clone(), piece.end, sign).or_else(|| self.among_words(part, piece.end, sign))
        })
    }

    /// The tag that a part of a list starts with, signs aside, where what stands behind it lets it be one.
    fn at_start(&mut self, part: Range<usize>, piece_end: usize, sign: char) -> Option<(usize, Hit<'t>)> {
        let text = self.text(part.clone());
        let from = part.start + text.find(char::is_alphanumeric)?;
        let hit = self.hit(self.text(from..part.end), self.text(from..piece_end), false)?;
        is_clear(&hit, self.text(from + hit.end..piece_end), sign).then_some((from, hit))
    }

    /// The tag that stands behind other words in a part of a list: behind options, or if it is hardly a word of its own.
    fn among_words(&mut self, part: Range<usize>, piece_end: usize, sign: char) -> Option<(usize, Hit<'t>)> {
        let text = self.text(part.clone());
        let is_distinct = !starts_with_option(text);
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            if c.is_alphanumeric() && !before.is_alphanumeric() {
                let from = part.start + at;
                let word = self.text(from..part.end);
                let hit = self.hit(word, word, is_distinct).filter(|hit| {
                    let behind = self.text(from + hit.end..piece_end);
                    is_clear(hit, behind, sign) && !is_negated(text.get(..at).unwrap_or(""))
                });
                if let Some(hit) = hit {
                    return Some((from, hit));
                }
            }
            before = c;
        }
        None
    }

    /// The longest tag that `text` starts with, or, if none is spelt right, one that is misspelt in `part` of it.
    fn hit(&mut self, part: &str, text: &str, distinct: bool) -> Option<Hit<'t>> {
        self.places += 1;
        if self.places > MAX_PLACES {
            self.cut = true;
            return None;
        }
        let tags = || self.tags.iter().filter(|tag| !distinct || tag.is_distinct());
        let right =
            tags().filter_map(|tag| Some(Hit { tag, end: tag.end(text)?, spelling: Spelling::Right }));
        right.max_by_key(|hit| hit.end).or_else(|| {
            let is_other = |word: &str| self.others.iter().any(|other| other == word);
            let misspelt = tags().filter_map(|tag| {
                let end = tag.misspelt_end(part, &is_other)?;
                Some(Hit { tag, end, spelling: Spelling::Misspelt })
            });
            misspelt.max_by_key(|hit| hit.end)
        })
    }

    /// `tag:`, `tag - ` and the like, at the start or behind a prefix, whatever it says.
    fn in_front(&mut self) {
        let (mut start, mut before, mut at) = (Some(' '), ' ', 0);
        let seen = self.seen;
        for (here, c) in seen.char_indices() {
            if c.is_alphanumeric() {
                let sign = if before == '#' { Some(before) } else { start };
                if let Some(sign) = sign.filter(|_| here >= at) {
                    at = self.word_in_front(here, sign).unwrap_or(at);
                }
                start = None;
            } else if is_opening(c) {
                start = None;
            } else if is_boundary(before, c, seen.get(here + c.len_utf8()..).unwrap_or("")) {
                start = Some(c);
            }
            before = c;
        }
    }

    /// The tag that is a word of its own behind this sign: where it ends.
    fn word_in_front(&mut self, at: usize, sign: char) -> Option<usize> {
        let text = self.text(at..self.seen.len());
        let longest = self.tags.iter().map(Tag::longest).max().unwrap_or(0);
        let near = text.get(..text.floor_char_boundary(longest)).unwrap_or(text);
        let part = near.split(|c: char| is_bracket(c) || SEPARATORS.contains(&c) || is_dash(c)).next()?;
        let hit = self.hit(part, text, false)?;
        let word = at..at + hit.end;
        let is_other =
            hit.spelling == Spelling::Misspelt && is_other_word(&unblanked(self.text(word.clone())));
        let is_hashtag = sign == '#' && hit.tag.is_distinct();
        let (after, length) = match is_hashtag {
            true => (None, 0),
            false => sign_behind(text.get(hit.end..)?, sign, hit.tag.is_distinct())?,
        };
        if is_other {
            return None;
        }
        let span = at - usize::from(is_hashtag)..word.end + length;
        let end = span.end;
        self.add(Found {
            tag: hit.tag,
            options: end..end,
            span,
            word,
            before: None,
            after,
            spelling: hit.spelling,
        });
        Some(end)
    }
}

/// Whether what stands behind a word in brackets lets it be a tag.
fn is_clear(hit: &Hit<'_>, behind: &str, sign: char) -> bool {
    hit.tag.is_distinct()
        || sign == '[' && hit.spelling == Spelling::Right
        || !behind.trim_start_matches(' ').starts_with(char::is_alphanumeric)
        || starts_with_option(behind)
}

/// What makes a word a mark in front of the rest, and bytes up to its end. A word that is hardly one of its own may
/// also stand before any other sign, or be all there is, but for a prefix: `Re: vertrouwelijk` may be about the word.
fn sign_behind(rest: &str, before: char, is_distinct: bool) -> Option<(Option<char>, usize)> {
    let trimmed = rest.trim_start_matches(' ');
    let blanks = rest.len() - trimmed.len();
    let Some(sign) = trimmed.chars().next() else {
        return (is_distinct && before != ':').then_some((None, rest.len()));
    };
    let behind = trimmed.get(sign.len_utf8()..).unwrap_or("");
    let before = if blanks > 0 { ' ' } else { 'x' };
    if is_opening(sign) {
        return is_distinct.then_some((None, blanks));
    }
    let is_clear = is_boundary(before, sign, behind);
    let is_sign = is_distinct
        && !sign.is_alphanumeric()
        && (blanks == 0 && sign != '-' || "/\\=~*•·;,._".contains(sign));
    (is_clear || is_sign).then(|| (Some(sign), blanks + sign.len_utf8()))
}

/// Whether a new part of the subject starts behind this sign.
fn is_boundary(before: char, sign: char, behind: &str) -> bool {
    match sign {
        ':' | '|' | ']' => true,
        // `(on)veilig` is a word.
        ')' | '}' | '>' => !behind.starts_with(char::is_alphanumeric),
        // In a word it is a hyphen.
        '-' => before == ' ' || before == '-' || behind.is_empty() || behind.starts_with([' ', '-']),
        '*' => before == '*' || behind.starts_with('*'),
        _ => is_dash(sign),
    }
}

/// A dash that is no hyphen.
fn is_dash(c: char) -> bool {
    matches!(c, '\u{2011}'..='\u{2015}' | '\u{2e3a}' | '\u{2e3b}' | '\u{301c}' | '\u{3030}')
}

fn is_bracket(c: char) -> bool {
    matches!(c, '[' | ']' | '(' | ')' | '{' | '}' | '<' | '>')
}

fn is_opening(c: char) -> bool {
    partner(c).is_some()
}

fn partner(opening: char) -> Option<char> {
    match opening {
        '[' => Some(']'),
        '(' => Some(')'),
        '{' => Some('}'),
        '<' => Some('>'),
        _ => None,
    }
}

/// The parts of a list.
fn parts(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    let ends = text.match_indices(SEPARATORS).map(|(at, c)| (at, c.len())).chain([(text.len(), 0)]);
    ends.map(move |(at, length)| {
        let part = from..at;
        from = at + length;
        part
    })
}

/// Whether the word behind `before` is said not to be so.
fn is_negated(before: &str) -> bool {
    let words = before.rsplit(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_among = |list: &[String], word: &str| list.iter().any(|one| one == word);
    let mut words = words.skip_while(|word| is_among(&ADVERBS, word));
    words.next().is_some_and(|word| is_among(&NEGATIONS, word))
}

/// Bytes of options up to the bracket that closes their group: the first without a partner among them.
fn options_length(rest: &str, opening: char) -> usize {
    let closing = partner(opening);
    let mut depth = 0usize;
    for (at, c) in rest.char_indices() {
        if c == opening {
            depth += 1;
        } else if Some(c) == closing {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return at,
            }
        }
    }
    rest.len()
}
