//! Whether a text takes along the one that it answers: quoted, or below a line that says whose it was. In doubt it does.

/// Words before a quoted header, in the languages of our neighbours: who, when, to whom, about what.
const ROLES: [&[&str]; 4] = [
    &["van:", "from:", "von:", "de:", "fan:"],
    &["verzonden:", "sent:", "gesendet:", "envoyé:", "datum:", "date:", "ferstjoerd:"],
    &["aan:", "to:", "an:", "à:", "oan:"],
    &["onderwerp:", "subject:", "betreff:", "objet:", "ûnderwerp:"],
];

/// Words in which a quoted header stands, and those between "schreef" and the colon behind a name.
const HEADER: usize = 100;
const NAME: usize = 12;

/// `On Monday Jan wrote:`
const WROTE: &[&str] = &["wrote", "schreef", "schrieb", "écrit", "skreau"];

/// What mail programs put around it in HTML.
const MARKS: &[&str] = &[
    "<blockquote",
    "type=\"cite\"",
    "gmail_quote",
    "divrplyfwdmsg",
    "moz-cite-prefix",
    "yahoo_quoted",
    "protonmail_quote",
    "mail-editor-reference-message",
    "border-top:solid #e1e1e1",
    "border-top:solid #b5c4df",
];

/// Whether a text without markup quotes another.
pub fn is_in(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| line.starts_with('>') || is_separator(line)) || is_attributed(text)
}

/// Whether an HTML text does.
pub fn is_in_html(html: &str) -> bool {
    let html = html.to_ascii_lowercase();
    MARKS.iter().any(|mark| html.contains(mark))
}

/// HTML without its style sheets: nobody reads them.
pub fn without_styles(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let (mut kept, mut at) = (String::with_capacity(html.len()), 0);
    while let Some(start) = lower.get(at..).and_then(|rest| rest.find("<style")).map(|found| at + found) {
        let Some(end) = lower.get(start..).and_then(|rest| rest.find("</style>")) else { break };
        kept.push_str(html.get(at..start).unwrap_or(""));
        at = start + end;
    }
    kept.push_str(html.get(at..).unwrap_or(""));
    kept
}

/// `-----Oorspronkelijk bericht-----`
fn is_separator(line: &str) -> bool {
    let inside = line.trim_start_matches('-').trim_end_matches('-');
    line.starts_with("---") && line.ends_with("---") && inside.contains(char::is_alphabetic)
}

/// A quoted header, or "Jan schreef:".
fn is_attributed(text: &str) -> bool {
    let mut seen: [Option<usize>; ROLES.len()] = [None; ROLES.len()];
    let mut wrote = None;
    for (at, word) in text.split_whitespace().enumerate() {
        let word = word.trim_matches(['*', '_', '>', '|']).to_lowercase();
        for (place, words) in seen.iter_mut().zip(ROLES) {
            if words.contains(&word.as_str()) {
                *place = Some(at);
            }
        }
        let near = seen.iter().flatten().filter(|seen| at - **seen <= HEADER).count();
        if WROTE.contains(&word.trim_end_matches(':')) {
            wrote = Some(at);
        }
        if near >= 3 || word.ends_with(':') && wrote.is_some_and(|wrote| at - wrote <= NAME) {
            return true;
        }
    }
    false
}
