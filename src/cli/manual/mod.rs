//! `zegel manual DIR`: what a package holds beside the binary, made from what the binary itself knows: the configuration
//! file with every key in comments, man pages, completions of shells. Called while a package is made, and by nobody else.

mod file;
mod keys;
mod page;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap_complete::{Shell, generate_to};

/// Writes everything into `folder`: `zegel.toml`, `man/`, `completions/`.
pub fn write(folder: &Path) -> Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let sections = keys::sections();
    let save = |path: &Path, text: &str| fs::write(path, text).with_context(|| path.display().to_string());
    save(&folder.join("zegel.toml"), &file::render(&sections))?;
    save(&man.join("zegel.toml.5"), &page::of_keys(&sections))?;
    let mut command = super::command().disable_help_subcommand(true);
    command.build();
    for (name, text) in page::of_commands(&command)? {
        save(&man.join(name), &text)?;
    }
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut super::command(), "zegel", &completions)
            .with_context(|| completions.display().to_string())?;
    }
    Ok(())
}
