//! The command line: reads the arguments, calls one command, turns its end into an exit
//! status: 0 done, 1 it failed, 2 wrong usage or wrong configuration.

/// As `println!`, but through [`print_line`], which does not panic.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::print_line(format_args!($($text)*)) };
}

mod arguments;
mod audit;
mod backup;
mod check;
mod health;
mod key;
#[cfg(feature = "manual")]
mod manual;
#[cfg(feature = "cluster")]
mod moving;
mod nodes;
mod operator;
mod person;
mod policy;
#[cfg(feature = "cluster")]
mod progress;
mod queue;
mod reload;
mod repair;
mod track;
mod transfer;

use std::fmt::Arguments;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::address::Address;
use crate::config::{self, Config, ConfigError, NameServer};
use crate::home::{Home, Lost};
use crate::id::{QueueId, TransferId};
use crate::limits::EXPIRY_DAYS;
use crate::serve;
use crate::settings::Misconfigured;
use crate::{demo, log, memory};

/// An SMTP gateway that seals confidential mail.
#[derive(Debug, Parser)]
#[command(name = "zegel", version, about, disable_help_subcommand = true)]
struct Cli {
    /// How to log; JSON where standard output is no terminal, but text in the demo
    #[arg(long, global = true, value_enum)]
    log: Option<log::Format>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run gateway, web pages and a catch-all mailbox on loopback, without any configuration
    Demo(demo::Options),
    /// Run the gateway
    Serve(ConfigArgs),
    /// Check configuration, policies, certificates and data folder
    Check(CheckArgs),
    /// Have the running gateway read its configuration again, and say what came of it
    Reload(ConfigArgs),
    /// Ask the running gateway whether it is ready for mail
    Health {
        /// Ask only whether it answers
        #[arg(long)]
        live: bool,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Write configuration file, man pages and completions for a package
    #[cfg(feature = "manual")]
    #[command(hide = true)]
    Manual {
        /// A folder; it is made if it is not there
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Write a backup of everything, beside running gateways or without one
    Backup(BackupArgs),
    /// Put a backup back where it is empty: into a data folder, or the database and the bucket of [store]
    Restore {
        /// The backup
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The master key, where it is not in the backup
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Move a stopped gateway into a database and a bucket that several share, or back
    Move {
        #[command(flatten)]
        target: MoveTarget,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Go on without what is lost for good; only while no gateway runs
    Repair {
        /// What is lost
        #[arg(value_enum)]
        lost: LostArg,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// The gateways that share a [store]
    Nodes(ReportArgs),
    /// Bring the database of a [store] up to date, ahead of the nodes that need it
    Migrate(ConfigArgs),
    /// What the policy makes of a message
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Where a mail is, where it went, and why
    Track(track::TrackArgs),
    /// Mail that waits to be relayed
    #[command(subcommand)]
    Queue(QueueCommand),
    /// Sealed transfers
    #[command(subcommand)]
    Transfer(TransferCommand),
    /// Write everything that is held on somebody
    Export {
        /// The mail address, letter case aside
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        person: Address,
        /// A new folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        organisation: arguments::OrganisationArg,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Take somebody out of what is kept; without --yes only say what would go
    Erase {
        /// The mail address, letter case aside
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        person: Address,
        /// Do it, for good
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        organisation: arguments::OrganisationArg,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Master keys: which there are, what still needs them, and another one from now on
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The audit trail and its hash chain
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

/// Where the configuration is.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    pub config: PathBuf,
}

/// Where a backup goes, and what is in it.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    target: BackupTarget,
    /// With --into: of the backups there, only this many stay
    #[arg(long, value_name = "N", requires = "into", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
    /// Leave master.key out: keep it elsewhere
    #[arg(long)]
    without_key: bool,
    /// With [store]: only where the node that runs the timer is on this host
    #[arg(long)]
    if_leader: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Either of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct BackupTarget {
    /// A folder that is empty, or does not exist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// A folder of backups, in which each has one of its own that is named after the time
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// Where everything is moved to.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "the command is not built then"))]
pub struct MoveTarget {
    /// The new database, which is empty
    #[arg(long, value_name = "URL", requires = "blobs", conflicts_with = "to_folder")]
    to: Option<String>,
    /// The new bucket, which is empty: s3://BUCKET/PREFIX; its other settings are those of [store]
    #[arg(long, value_name = "URL", requires = "to", conflicts_with = "to_folder")]
    blobs: Option<String>,
    /// A new data folder, with nothing in it but perhaps master.key
    #[arg(long, value_name = "DIR")]
    to_folder: Option<PathBuf>,
}

/// What is to be checked.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    report: ReportArgs,
    /// Compare the database with the blobs too, and name what is missing
    #[arg(long)]
    data: bool,
    /// The user that the service runs as; else the owner of the data folder, or zegel
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Ask next hops, virus scanner, pages and DNS too; no mail is sent
    #[arg(long)]
    online: bool,
    /// The name server to ask; else admin.dns_server, or those of the system
    #[arg(long, value_name = "ADDR", requires = "online", value_parser = str::parse::<NameServer>)]
    dns_server: Option<NameServer>,
    /// The selector of the DKIM key that our mail is signed with
    #[arg(long, value_name = "NAME", requires = "online")]
    dkim_selector: Option<String>,
    /// An address that our mail leaves from, where that is not the smarthost's own; may be given again
    #[arg(long, value_name = "IP", requires = "online")]
    sends_from: Vec<IpAddr>,
    /// Somebody outside, for whom the smarthost is asked whether it would take mail
    #[arg(long, value_name = "ADDR", requires = "online", default_value = "postmaster@example.org", value_parser = parse_address)]
    outside: Address,
}

/// What is lost for good.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LostArg {
    /// The master key that the database was made with: the one that lies there now takes its place
    Key,
    /// Blobs that the database names: those that lie there now are all there are
    Blobs,
    /// The rows of blobs that no row names: the blobs are removed
    Leftovers,
}

impl From<LostArg> for Lost {
    fn from(arg: LostArg) -> Self {
        match arg {
            LostArg::Key => Self::Key,
            LostArg::Blobs => Self::Blobs,
            LostArg::Leftovers => Self::Leftovers,
        }
    }
}

impl LostArg {
    fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Blobs => "blobs",
            Self::Leftovers => "leftovers",
        }
    }
}

/// Configuration and form of the output.
#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ReportArgs {
    /// The configuration, with the environment on top.
    fn config(&self) -> Result<Config, ConfigError> {
        serve::load_config(&self.config.config)
    }

    /// What the gateway that the configuration describes keeps.
    async fn home(&self) -> anyhow::Result<Home> {
        let config = self.config()?;
        Home::open_existing(&config.data_dir, &config.store).await
    }
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Show every rule, and why it did or did not match, for each recipient
    Explain {
        #[command(flatten)]
        report: ReportArgs,
        /// The envelope's sender; '<>' for none
        #[arg(long, value_name = "ADDR")]
        from: String,
        /// A recipient; may be given again
        #[arg(long, value_name = "ADDR", required = true, value_parser = parse_address)]
        to: Vec<Address>,
        /// The message; '-' reads standard input
        #[arg(value_name = "FILE.eml")]
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum QueueCommand {
    /// Every item that fits, oldest first
    List {
        #[command(flatten)]
        filter: queue::Filter,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// One item
    Show {
        /// The item
        id: QueueId,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Try again now
    Retry {
        /// The item
        #[arg(required_unless_present = "all")]
        id: Option<QueueId>,
        /// Every item
        #[arg(long, conflicts_with = "id")]
        all: bool,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Remove an item undelivered and unreported
    Drop {
        /// The item
        id: QueueId,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Keep an item, or all that fit, from being delivered until it is released
    Hold {
        #[command(flatten)]
        which: queue::Which,
        /// Why, in one line
        #[arg(long, value_name = "TEXT", value_parser = queue::parse_reason)]
        reason: Option<String>,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Deliver what is held, now
    Release {
        #[command(flatten)]
        which: queue::Which,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Give an item up and tell its sender, with a delivery status notification
    Bounce {
        /// The item
        id: QueueId,
        /// Why, in one line: the sender reads it
        #[arg(long, value_name = "TEXT", value_parser = queue::parse_reason)]
        reason: Option<String>,
        #[command(flatten)]
        report: ReportArgs,
    },
}

#[derive(Debug, Subcommand)]
enum TransferCommand {
    /// Every transfer that fits, newest first
    List {
        #[command(flatten)]
        filter: transfer::Filter,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// One transfer with its recipients
    Show {
        /// The transfer, or a link to it
        #[arg(value_parser = arguments::parse_link)]
        id: TransferId,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Take it back, for good: from one recipient or from all
    Recall {
        /// The transfer, or a link to it
        #[arg(value_parser = arguments::parse_link)]
        id: TransferId,
        /// Only this recipient, letter case aside
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        recipient: Option<Address>,
        /// Every recipient, without asking
        #[arg(long, conflicts_with = "recipient")]
        all: bool,
        /// Mail the recipients that it was taken back
        #[arg(long)]
        tell: bool,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Keep it for this many days from now
    Extend {
        /// The transfer, or a link to it
        #[arg(value_parser = arguments::parse_link)]
        id: TransferId,
        /// From 1 to 365
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(*EXPIRY_DAYS.start())..=i64::from(*EXPIRY_DAYS.end())))]
        days: u32,
        /// Mail the recipients the new date
        #[arg(long)]
        tell: bool,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Send the notification again: to one recipient or to all
    Resend {
        /// The transfer, or a link to it
        #[arg(value_parser = arguments::parse_link)]
        id: TransferId,
        /// Only this recipient, letter case aside
        #[arg(long, value_name = "ADDR", value_parser = parse_address)]
        recipient: Option<Address>,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Write its parts as OpenPGP messages that `sq decrypt` opens
    Export {
        /// The transfer, or a link to it
        #[arg(value_parser = arguments::parse_link)]
        id: TransferId,
        /// A folder; it is made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        report: ReportArgs,
    },
}

fn parse_address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| error.to_string())
}

/// The commands and their options.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    if let Err(error) = memory::keep_private() {
        eprintln!("zegel: core files cannot be forbidden: {error}");
    }
    let cli = Cli::parse();
    let end = match cli.command {
        Command::Demo(options) => {
            log::init_on_stderr(cli.log);
            demo::run(options)
        }
        Command::Serve(args) => {
            log::init(cli.log);
            serve::run(&args.config)
        }
        Command::Check(args) => check::run(&args),
        Command::Reload(config) => reload::run(&config),
        Command::Health { live, config } => health::run(&config, live),
        #[cfg(feature = "manual")]
        Command::Manual { folder } => manual::write(&folder),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore { from, key, config } => backup::restore(&config, &from, key.as_deref()),
        #[cfg(feature = "cluster")]
        Command::Move { target, config } => moving::run(&config, target),
        #[cfg(not(feature = "cluster"))]
        Command::Move { .. } => Err(anyhow::Error::msg(config::StoreSection::NOT_BUILT)),
        Command::Repair { lost, config } => repair::run(lost, &config),
        Command::Nodes(report) => nodes::list(&report),
        Command::Migrate(config) => nodes::migrate(&config),
        Command::Policy(PolicyCommand::Explain { report, from, to, file }) => {
            policy::explain(&report, &from, &to, &file)
        }
        Command::Track(args) => track::run(&args),
        Command::Queue(command) => queue::run(command),
        Command::Transfer(command) => transfer::run(command),
        Command::Export { person, out, organisation, config } => {
            person::export(&config, &organisation, &person, &out)
        }
        Command::Erase { person, yes, organisation, config } => {
            person::erase(&config, &organisation, &person, yes)
        }
        Command::Key(command) => key::run(command),
        Command::Audit(command) => audit::run(command),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zegel: {error:#}");
            let misconfigured = error.is::<ConfigError>() || error.is::<Misconfigured>();
            ExitCode::from(if misconfigured { 2 } else { 1 })
        }
    }
}

fn print_json(value: &impl serde::Serialize) {
    say!("{:#}", serde_json::json!(value));
}

/// Prints a line. The reader may have seen enough (`zegel transfer list | head`): then this is the end of the
/// program, and no failure. What a command changes is durable before it prints.
fn print_line(line: Arguments<'_>) {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("zegel: standard output: {error}");
            std::process::exit(1);
        }
    }
}
