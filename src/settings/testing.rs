//! Settings for tests.

use std::path::Path;
use std::sync::Arc;

use super::{Organisation, Scope, Settings};
use crate::config;

const CONFIG: &str = r#"
    hostname = "veilig.voorbeeld.nl"
    data_dir = "/nowhere"
    [organisation]
    name = "Gemeente Voorbeeld"
    domains = ["voorbeeld.nl"]
    [smtp]
    listen = ["127.0.0.1:0"]
    [relay]
    smarthost = "127.0.0.1:25"
    [web]
    listen = ["127.0.0.1:0"]
    public_url = "https://veilig.voorbeeld.nl"
"#;

/// The smallest configuration, with these lines behind it; they may add an organisation.
pub fn settings(more: &str) -> Settings {
    let text = format!("{CONFIG}\n{more}");
    let text = match more.contains("[[organisation]]") {
        true => text.replacen("[organisation]", "[[organisation]]", 1),
        false => text,
    };
    Settings::read(config::parse(Path::new("zegel.toml"), &text, std::iter::empty()).unwrap()).unwrap()
}

/// What its pages may see.
pub fn scope() -> Scope {
    let settings = Arc::new(settings(""));
    Scope::new(settings.clone(), settings.operator().clone())
}

/// The organisation in it.
pub fn organisation() -> Organisation {
    Organisation::clone(settings("").operator())
}
