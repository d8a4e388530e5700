//! `zegel demo`: gateway, web pages and a catch-all mailbox in one process on loopback, without any
//! configuration. The gateway in it is the real one, wired by `serve` like any other.

mod mailbox;
mod pages;
mod sample;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::{ArcSwap, ArcSwapOption};
use clap::Args;

use crate::config::{self, Config};
use crate::serve;
use crate::smtp;
use mailbox::Mailbox;

/// Where the demo listens and keeps its data.
#[derive(Debug, Args)]
pub struct Options {
    /// Data folder; a fresh temporary one if not given
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the gateway takes mail
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:2525")]
    smtp: SocketAddr,
    /// Where the recipient's pages are
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    web: SocketAddr,
    /// Where the mailbox is
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8025")]
    mailbox: SocketAddr,
}

/// Runs the demo until it is interrupted.
pub fn run(options: Options) -> Result<()> {
    let temporary = options.dir.is_none().then(temporary_folder).transpose()?;
    let folder = options.dir.clone().or_else(|| temporary.clone()).context("no data folder")?;
    let end = tokio::runtime::Runtime::new()?.block_on(serve_until_interrupted(&options, &folder));
    if let Some(folder) = temporary {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    end
}
