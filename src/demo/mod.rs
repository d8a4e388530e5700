//! `zegel demo`: gateway, web pages and a catch-all mailbox in one process on loopback, without any
//! configuration. The gateway is the real one: `serve` starts it, as it starts any other.

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

use crate::config;
use crate::id::QueueId;
use crate::serve::Gateway;
use crate::settings::{CurrentSettings, Settings};
use crate::smtp;
use crate::web::http::server::{Server, Transport};
use mailbox::DemoMailbox;
use pages::Demo;

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

/// The host name in the greeting of the mailbox.
const MAILBOX: &str = "veilig.voorbeeld.nl";
/// The file that the printed `curl` line sends.
const SAMPLE: &str = "sample.eml";
/// The staff of the demo's municipality.
const STAFF: &str = "email,name,phone,department\n\
    s.devries@voorbeeld.nl,Sanne de Vries,0511 123 456,Zorg en Ondersteuning\n";

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

    make(folder)?;
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let Settings { smtp, .. } = settings(folder, options.smtp, options.web, loopback)?;
    let smtp = Arc::new(smtp::SmtpSettings::new(MAILBOX, &smtp, None));
    let next_hop = smtp::Server::bind(&[loopback], Box::new(move || smtp.clone()), mailbox.clone())?;
    let smarthost = *next_hop.addresses()?.first().context("the mailbox has no address")?;
    running.spawn(next_hop.run(stop.clone()));

    let settings = settings(folder, options.smtp, chosen(options.web)?, smarthost)?;
    let gateway = Gateway::start(settings.clone()).await?;
    let [smtp, web] = [&gateway.smtp, &gateway.web].map(|bound| bound.first().copied());
    let (smtp, web) = smtp.zip(web).context("the gateway has no address")?;

    let pages = pages::router(Demo { mailbox, gateway: smtp });
    let pages = Server::bind(&[options.mailbox], pages, CurrentSettings::new(settings), Transport::Plain)?;
    let mailbox = *pages.addresses().first().context("the mailbox has no address")?;
    running.spawn(pages.run(stop.clone()));

    gateway.announce();
    introduce(smtp, web, mailbox, &folder.join(SAMPLE));
    interrupted().await?;
    gateway.stop().await;
    stop.cancel();
    running.close();
    running.wait().await;
    Ok(())
}

/// Makes the data folder and the files that the demo needs in it.
fn make(folder: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::write(folder.join(SAMPLE), sample::MAIL)?;
    fs::write(folder.join("staff.csv"), STAFF)?;
    Ok(())
}

/// Prints the three addresses, and a `curl` line that sends the sample.
fn introduce(smtp: SocketAddr, web: SocketAddr, mailbox: SocketAddr, file: &Path) {
    println!("SMTP     {smtp}");
    println!("web      http://{web}");
    println!("mailbox  http://{mailbox}");
    println!();
    println!("Send a confidential sample with the button in the mailbox, or paste this line:");
    println!(
        "curl smtp://{smtp} --mail-from {} --mail-rcpt {} --upload-file {}",
        sample::FROM,
        sample::TO,
        file.display()
    );
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

/// Those of a configuration as an administrator would write it.
fn settings(folder: &Path, smtp: SocketAddr, web: SocketAddr, smarthost: SocketAddr) -> Result<Settings> {
    let text = format!(
        r#"
        hostname = "veilig.voorbeeld.nl"
        data_dir = {folder:?}
        [organisation]
        name = "Gemeente Voorbeeld"
        domains = ["voorbeeld.nl"]
        phone = "14 0511"
        staff = "staff.csv"
        [smtp]
        listen = ["{smtp}"]
        [relay]
        smarthost = "{smarthost}"
        [web]
        listen = ["{web}"]
        public_url = "http://{web}"
        [admin]
        listen = ["127.0.0.1:0"]
        "#
    );
    Ok(Settings::read(config::parse(&folder.join("zegel.toml"), &text, std::iter::empty())?)?)
}
