//! The tree of a MIME message (RFC 2046), walked once from the top; used by `mime` only.
//!
//! Own code and not a parser library: parts whose delimiter never comes make every library we tried look
//! for it to the end of the message, part after part. Here each level of nesting costs one look at the
//! bytes in it, and the levels and parts are counted (H13).

use memchr::memmem;

use super::header::{Header, split};
pub use super::leaf::Leaf;
use super::media_type;
use super::note::Note;
use super::opened::{self, Arena, Form, START};
use super::parameter::Structured;
use super::placing::{
    PartKind, Position, Root, place, settle_alternative, show_only_text_twice, show_something,
};

/// Levels of multiparts and messages within one another.
pub const MAX_DEPTH: usize = 100;

/// Parts of one message, those of messages in it included.
const MAX_PARTS: usize = 10_000;

/// Notes of one message.
const MAX_NOTES: usize = 10;

/// What has been seen so far of one message and all that is in it.
#[derive(Debug, Default)]
pub struct Survey {
    parts: usize,
    /// Something could not be read: over a limit, or not as its header says.
    pub damaged: bool,
    /// It was over a limit: there may be parts that nobody has looked at.
    pub limited: bool,
    /// What a page says of the parts that were opened.
    pub notes: Vec<Note>,
}

/// The leaves of `message` in their order. `depth` is how many levels `message` itself lies below the top.
pub fn leaves<'a>(message: &'a [u8], depth: usize, survey: &mut Survey) -> Vec<Leaf<'a>> {
    walked(message, depth, None, survey)
}

/// The same, and behind each part that is a message in another form, what is in it; `arena` keeps that.
pub fn opened_leaves<'a>(
    message: &'a [u8],
    depth: usize,
    arena: &'a Arena,
    survey: &mut Survey,
) -> Vec<Leaf<'a>> {
    walked(message, depth, Some(arena), survey)
}

fn walked<'a>(
    message: &'a [u8],
    depth: usize,
    arena: Option<&'a Arena>,
    survey: &mut Survey,
) -> Vec<Leaf<'a>> {
    let mut walk = Walk { leaves: Vec::new(), survey, arena };
    walk.part(message, &Position { depth, ..Position::TOP });
    show_something(&mut walk.leaves);
    walk.leaves
}

struct Walk<'a, 's> {
    leaves: Vec<Leaf<'a>>,
    survey: &'s mut Survey,
    /// Keeps what is opened; without it nothing is.
    arena: Option<&'a Arena>,
}

impl<'a> Walk<'a, '_> {
    fn part(&mut self, part: &'a [u8], position: &Position) {
        self.survey.parts += 1;
        let header = Header::parse(part);
        self.survey.limited |= header.is_oversized();
        self.survey.damaged |= header.is_oversized() || is_ambiguous(&header);
        let (_, body) = split(part);
        let content_type = header.structured("Content-Type");
        let disposition = header.structured("Content-Disposition");
        let name = || disposition.text("filename").or_else(|| content_type.text("name"));
        let media_type = match content_type.value.as_str() {
            "" if position.parent == PartKind::Digest => "message/rfc822".to_owned(),
            value => media_type::declared(value, name),
        };
        if media_type.starts_with("multipart/") {
            let sections = content_type.raw("boundary").filter(|boundary| !boundary.trim_ascii().is_empty());
            let sections = sections.map(|boundary| sections_of(body, boundary)).unwrap_or_default();
            if !sections.is_empty() && position.depth < MAX_DEPTH {
                return self.multipart(&sections, &media_type, &content_type, position);
            }
            // No delimiter, or too deep: shown as it stands.
            self.survey.damaged = true;
            self.survey.limited |= !sections.is_empty();
        }
        let is_multipart = media_type.starts_with("multipart/");
        let media_type = if is_multipart { "text/plain".to_owned() } else { media_type };
        let mut leaf = Leaf::new(header, media_type, content_type, disposition, body, position.depth);
        place(&mut leaf, position);
        leaf.is_spare = position.is_spare && leaf.is_shown();
        leaf.form = Form::of(&leaf.start(START));
        let Some(form) = leaf.form else { return self.leaves.push(leaf) };
        // Whatever it is called, it is no text.
        (leaf.in_text, leaf.in_html, leaf.is_file) = (false, false, true);
        if leaf.media_type.starts_with("text/") {
            leaf.media_type = form.media_type().to_owned();
        }
        let opened = self.open(form, &leaf);
        self.leaves.push(leaf);
        if let Some(entity) = opened {
            // What was signed is shown where it stands; a winmail.dat mostly repeats what is there.
            let is_winmail = form == Form::Tnef;
            let outer = if is_winmail { &Position::TOP } else { position };
            let (is_spare, depth) = (position.is_spare || is_winmail, position.depth + 1);
            self.part(entity, &Position { parent: PartKind::Mixed, first: true, is_spare, depth, ..*outer });
        }
    }

    /// The entity that is in a part.
    fn open(&mut self, form: Form, leaf: &Leaf) -> Option<&'a [u8]> {
        let arena = self.arena?;
        if form == Form::Encrypted {
            self.note(Note::Encrypted);
            return None;
        }
        let opened = opened::open(form, &leaf.content().0, leaf.name().as_deref(), arena.inner)?;
        let has_nothing = opened.entity.is_empty();
        let kept = if leaf.depth < MAX_DEPTH { arena.keep(opened.entity) } else { None };
        let is_cut = opened.cut || kept.is_none();
        self.survey.damaged |= is_cut;
        self.survey.limited |= is_cut;
        if kept.is_some() {
            opened.note.into_iter().for_each(|note| self.note(note));
        }
        kept.filter(|_| !has_nothing)
    }

    fn note(&mut self, note: Note) {
        if self.survey.notes.len() < MAX_NOTES && !self.survey.notes.contains(&note) {
            self.survey.notes.push(note);
        }
    }

    fn multipart(
        &mut self,
        sections: &[&'a [u8]],
        media_type: &str,
        content_type: &Structured,
        position: &Position,
    ) {
        let (start, kind) = (self.leaves.len(), PartKind::of(media_type));
        let mut inner = Position {
            parent: kind,
            in_alternative: position.in_alternative || kind == PartKind::Alternative,
            depth: position.depth + 1,
            ..*position
        };
        let root = match kind {
            PartKind::Related => Root::of(sections, content_type),
            _ => Root::default(),
        };
        let is_alternative = inner.in_alternative;
        for (index, section) in sections.iter().enumerate() {
            if self.survey.parts >= MAX_PARTS {
                (self.survey.damaged, self.survey.limited) = (true, true);
                break;
            }
            inner.first = root.has(index);
            inner.in_alternative = is_alternative || root.is_alternative && inner.first;
            let before = self.leaves.len();
            self.part(section, &inner);
            // Within an alternative, what one text shows the other need not (RFC 8621 4.1.4).
            if kind != PartKind::Alternative && inner.in_alternative && !root.is_alternative {
                for leaf in self.leaves.iter().skip(before).filter(|leaf| leaf.is_shown()) {
                    inner.for_html &= leaf.is_html();
                    inner.for_text &= !leaf.is_html();
                }
            }
        }
        let leaves = self.leaves.get_mut(start..).unwrap_or_default();
        if kind == PartKind::Alternative {
            settle_alternative(leaves, inner.depth);
            if position.for_text && position.for_html {
                show_only_text_twice(leaves);
            }
        }
    }
}

/// Two fields that say different things: programs differ in which of them they believe.
fn is_ambiguous(header: &Header) -> bool {
    ["Content-Type", "Content-Transfer-Encoding"].iter().any(|name| {
        let mut fields = header.all(name);
        let first = fields.next();
        fields.any(|other| first.is_some_and(|first| first.body().trim_ascii() != other.body().trim_ascii()))
    })
}

/// The parts between the delimiter lines of a multipart (RFC 2046 5.1.1). The last needs no end; a part
/// after the closing delimiter still counts.
fn sections_of<'a>(body: &'a [u8], boundary: &[u8]) -> Vec<&'a [u8]> {
    let marker = [b"--".as_slice(), boundary.trim_ascii_end()].concat();
    let mut sections = Vec::new();
    let mut open: Option<usize> = None;
    for at in memmem::find_iter(body, &marker) {
        let at_line_start = at == 0 || body.get(at - 1) == Some(&b'\n');
        let after = body.get(at + marker.len()..).unwrap_or_default();
        let closing = if after.starts_with(b"--") { 2 } else { 0 };
        let padding = after.get(closing..).unwrap_or_default();
        let blanks = closing + padding.iter().take_while(|c| matches!(c, b' ' | b'\t')).count();
        let end = after.get(blanks..).unwrap_or_default();
        if !at_line_start || !(end.is_empty() || end.starts_with(b"\r\n")) {
            continue;
        }
        if let Some(start) = open {
            let section = body.get(start..at).unwrap_or_default();
            sections.push(section.strip_suffix(b"\r\n").unwrap_or(section));
        }
        open = (closing == 0).then_some((at + marker.len() + blanks + 2).min(body.len()));
        if sections.len() > MAX_PARTS {
            return sections;
        }
    }
    if let Some(start) = open {
        sections.push(body.get(start..).unwrap_or_default());
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_what_stands_between_delimiter_lines() {
        let body = b"preamble\r\n--x\r\na\r\n--x \t\r\nb\r\n\r\n--x--\r\nepilogue\r\n--x\r\nc";
        assert_eq!(sections_of(body, b"x "), [&b"a"[..], b"b\r\n", b"c"]);
        assert!(sections_of(b"--x--\r\n", b"x").is_empty());
        let longer = b"--x\r\na\r\n--x--y\r\nb\r\n--x-- \r\nepilogue";
        assert_eq!(sections_of(longer, b"x"), [&b"a\r\n--x--y\r\nb"[..]]);
    }
}
