//! `zegel demo`: gateway, web pages and a catch-all mailbox in one process on loopback, without any
//! configuration. The gateway is the real one: `serve` starts it, as it starts any other.

mod cast;
mod mailbox;
mod pages;
mod sample;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::id::QueueId;
use crate::serve::Gateway;
use crate::settings::{CurrentSettings, Settings};
use crate::smtp;
use crate::web::http::server::{Server, Transport};
use cast::{Addresses, Cast};
use mailbox::DemoMailbox;
use pages::Demo;
use sample::Sample;

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
    /// Two municipalities on one gateway, each in its own face
    #[arg(long)]
    two: bool,
}

/// The host name in the greeting of the mailbox.
const MAILBOX: &str = "veilig.voorbeeld.nl";

/// Runs the demo until it is interrupted.
pub fn run(options: Options) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    match &options.dir {
        Some(folder) => runtime.block_on(serve_until_interrupted(&options, folder)),
        None => {
            let folder = std::env::temp_dir().join(format!("zegel-demo-{}", QueueId::random()));
            let end = runtime.block_on(serve_until_interrupted(&options, &folder));
            let removed = fs::remove_dir_all(&folder).with_context(|| folder.display().to_string());
            end.and(removed)
        }
    }
}

async fn serve_until_interrupted(options: &Options, folder: &Path) -> Result<()> {
    let stop = CancellationToken::new();
    let running = TaskTracker::new();
    let mailbox = Arc::new(DemoMailbox::default());

    let cast = if options.two { Cast::Two } else { Cast::One };
    make(folder, cast)?;
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut addresses = Addresses { smtp: options.smtp, web: chosen(options.web)?, smarthost: loopback };
    let Settings { smtp, .. } = Settings::read(cast.configuration(folder, addresses)?)?;
    let smtp = Arc::new(smtp::SmtpSettings::new(MAILBOX, &smtp, None));
    let next_hop = smtp::Server::bind(&[loopback], Box::new(move || smtp.clone()), mailbox.clone())?;
    addresses.smarthost = *next_hop.addresses()?.first().context("the mailbox has no address")?;
    running.spawn(next_hop.run(stop.clone()));

    let settings = Settings::read(cast.configuration(folder, addresses)?)?;
    let gateway = Gateway::start(settings.clone()).await?;
    let smtp = *gateway.smtp.first().context("the gateway has no address")?;

    let pages = pages::router(Demo { mailbox, gateway: smtp, samples: cast.samples() });
    let public_urls: Vec<_> = settings.organisations().map(|one| one.public_url.clone()).collect();
    let pages = Server::bind(&[options.mailbox], pages, CurrentSettings::new(settings), Transport::Plain)?;
    let mailbox = *pages.addresses().first().context("the mailbox has no address")?;
    running.spawn(pages.run(stop.clone()));

    gateway.announce();
    introduce(smtp, &public_urls, mailbox, folder, cast.samples());
    interrupted().await?;
    gateway.stop().await;
    stop.cancel();
    running.close();
    running.wait().await;
    Ok(())
}

/// Makes the data folder and the files that the demo needs in it.
fn make(folder: &Path, cast: Cast) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for sample in cast.samples() {
        fs::write(folder.join(sample.file), sample.mail)?;
    }
    cast.write_files(folder)
}

/// Prints the addresses, and a `curl` line that sends each sample.
fn introduce(smtp: SocketAddr, web: &[String], mailbox: SocketAddr, folder: &Path, samples: &[Sample]) {
    println!("SMTP     {smtp}");
    for url in web {
        println!("web      {url}");
    }
    println!("mailbox  http://{mailbox}");
    println!();
    let line = if samples.len() == 1 { "this line" } else { "one of these lines" };
    println!("Send a confidential sample with the button in the mailbox, or paste {line}:");
    for Sample { from, to, file, .. } in samples {
        let file = folder.join(file);
        println!("curl smtp://{smtp} --mail-from {from} --mail-rcpt {to} --upload-file {}", file.display());
    }
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Links are written before the pages listen, so a port that the system may choose (0) is chosen now.
fn chosen(address: SocketAddr) -> Result<SocketAddr> {
    match address.port() {
        0 => Ok(TcpListener::bind(address)?.local_addr()?),
        _ => Ok(address),
    }
}
