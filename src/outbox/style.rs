//! The fonts of all mails. Mail programs know no style sheets to share, so the templates write these into every element, and
//! beside them the colours of the organisation (`config::Scheme`).

/// Fonts that are there: a mail loads none.
pub const FONT: &str = "'Segoe UI',Helvetica,Arial,sans-serif";
/// For what is typed over: each character has its own shape.
pub const MONOSPACED: &str = "Consolas,Menlo,'Courier New',monospace";
