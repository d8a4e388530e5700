//! What the conditions look at, read from the message when a rule first asks for it and kept for the
//! other rules and recipients. A value counts in every reading that any program could give it (C06).

use std::cell::OnceCell;

use super::trigger::{Tags, fold};
use super::{bsn, markup};
use crate::message::crlf::CrlfBytes;
use crate::message::header::Header;
use crate::message::mime;

/// One message, read as far as was needed.
pub(super) struct Evidence<'a> {
    pub header: &'a Header<'a>,
    pub message: &'a CrlfBytes,
    tags: OnceCell<SubjectTags<'a>>,
    bsn: OnceCell<BsnFinding>,
    all_tags: &'a Tags,
}

/// The policy's tags that the subject carries.
#[derive(Default)]
pub(super) struct SubjectTags<'a> {
    /// In any reading of any Subject field.
    pub any: Vec<&'a str>,
    /// Alone in its brackets in the plain reading of every Subject field.
    pub sure: Vec<&'a str>,
}

/// Where a citizen service number was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BsnFinding {
    Nowhere,
    /// "the subject" and so on.
    In(&'static str),
    /// The parts cannot all be read, so one may be there.
    Unreadable,
}

impl<'a> Evidence<'a> {
    pub fn new(header: &'a Header<'a>, message: &'a CrlfBytes, all_tags: &'a Tags) -> Self {
        Self { header, message, tags: OnceCell::new(), bsn: OnceCell::new(), all_tags }
    }

    pub fn subject_tags(&self) -> &SubjectTags<'a> {
        self.tags.get_or_init(|| subject_tags(self.header, self.all_tags))
    }

    /// The folded values of every field with this name: for each field the plain one and all readings.
    pub fn values(&self, name: &str) -> impl Iterator<Item = (String, Vec<String>)> {
        self.header.all(name).map(|field| {
            let plain = fold(&field.value()).trim().to_owned();
            let readings = field.readings().iter().map(|text| fold(text).trim().to_owned()).collect();
            (plain, readings)
        })
    }

    pub fn bsn(&self) -> BsnFinding {
        *self.bsn.get_or_init(|| find_bsn(self.header, self.message))
    }
}

fn subject_tags<'a>(header: &Header<'_>, tags: &'a Tags) -> SubjectTags<'a> {
    let mut found = SubjectTags::default();
    for (index, field) in header.all("Subject").enumerate() {
        let value = field.value();
        let plain = tags.find(&value);
        let sure: Vec<&str> = plain.iter().filter(|hit| hit.exact).map(|hit| hit.tag).collect();
        match index {
            0 => found.sure = sure,
            _ => found.sure.retain(|tag| sure.contains(tag)),
        }
        found.any.extend(plain.iter().map(|hit| hit.tag));
        // Sorted, so that the readings that are alike (most are) are looked at once.
        let mut readings = field.readings();
        readings.sort_unstable();
        readings.dedup();
        for reading in readings.iter().filter(|reading| **reading != value) {
            found.any.extend(tags.find(reading).iter().map(|hit| hit.tag));
        }
    }
    for list in [&mut found.any, &mut found.sure] {
        list.sort_unstable();
        list.dedup();
    }
    found
}

fn find_bsn(header: &Header<'_>, message: &CrlfBytes) -> BsnFinding {
    let in_subject = header
        .all("Subject")
        .any(|field| field.readings().iter().chain([&field.value()]).any(|text| bsn::found(text.as_bytes())));
    if in_subject {
        return BsnFinding::In("the subject");
    }
    let parts = mime::parts(message);
    if parts.text.as_ref().is_some_and(|part| bsn::found(&part.data)) {
        return BsnFinding::In("the text");
    }
    if parts.html.as_ref().is_some_and(|part| bsn::found(&markup::strip(&part.data))) {
        return BsnFinding::In("the HTML text");
    }
    for file in parts.files.iter().filter(|file| is_text(&file.media_type)) {
        if bsn::found(&file.data) || bsn::found(&markup::strip(&file.data)) {
            return BsnFinding::In("a text file");
        }
    }
    if parts.damaged { BsnFinding::Unreadable } else { BsnFinding::Nowhere }
}

fn is_text(media_type: &str) -> bool {
    media_type.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("text/"))
}
