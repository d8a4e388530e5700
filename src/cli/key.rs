//! `zegel key`: the master keys in `master.key`, beside a gateway that may be running. Each step leaves a gateway that starts:
//! first the file has the new key, then one commit makes it the current one, and old ones go when nothing needs them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;

use super::{ReportArgs, operator, print_json};
use crate::audit::{Action, EventResult};
use crate::clock::{Clock, Timestamp};
use crate::home::{self, Home};
use crate::master_keys::{self, Needs, Place};
use crate::secret::masters::{Generation, KeyFile, LAST};
use crate::secret::{Keys, MASTER_KEY_VARIABLE};
use crate::store::{Identity, key_name};

/// Nodes have this long to read a new key and to say so.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is done with the keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Show the master keys and what still needs them
    List(ReportArgs),
    /// Put a new key into master.key, which nothing is made with yet: for nodes, which all need it first
    Add {
        /// Not a new key, but those of this file: of another node's master.key
        #[arg(long, value_name = "FILE", conflicts_with = "out")]
        from: Option<PathBuf>,
        /// Leave master.key as it is, and write a new file that has the new key as well: for a secret manager
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        report: ReportArgs,
    },
    /// Make everything new with a new key from now on; older ones stay while something needs them
    Rotate(ReportArgs),
}

/// Runs one of the commands.
pub fn run(command: KeyCommand) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        match command {
            KeyCommand::List(report) => KeyRing::open(&report).await?.list(&report).await,
            KeyCommand::Add { from: Some(from), report, .. } => merge(&from, &report),
            KeyCommand::Add { out: Some(out), report, .. } => {
                KeyRing::open(&report).await?.write_to(&out, &report).await
            }
            KeyCommand::Add { report, .. } => KeyRing::open(&report).await?.add(&report).await,
            KeyCommand::Rotate(report) => KeyRing::open(&report).await?.rotate(&report).await,
        }
    })
}

/// Takes in the keys of another file. The store is not asked: it may work with a key already that only that file has.
fn merge(from: &Path, report: &ReportArgs) -> Result<()> {
    let config = report.config()?;
    let path = home::master_key_file(&config.data_dir, &config.store).context(NOT_A_FILE)?;
    let other = KeyFile::read(from).with_context(|| from.display().to_string())?;
    let other = other.with_context(|| format!("{}: this is not a master key", from.display()))?;
    let taken = KeyFile::change(&path, |file| match file.merge(&other) {
        Ok(()) => Ok(file.list()),
        Err(generation) => Err(anyhow::anyhow!(
            "{}: its key {generation} is not the one of {}: it is of another gateway, or two nodes have made one each",
            from.display(),
            path.display()
        )),
    });
    let taken = taken.with_context(|| path.display().to_string())?;
    match report.json {
        true => {
            print_json(&json!({ "keys": taken.iter().map(|(generation, _)| generation).collect::<Vec<_>>() }))
        }
        false => say!("{}: it has the keys of {} as well", path.display(), from.display()),
    }
    Ok(())
}

const NOT_A_FILE: &str = "the master key comes from the environment: give the new file, in base64, to whatever sets \
                          ZEGEL_MASTER_KEY";

/// Every master key, and the store that says which is the current one.
struct KeyRing {
    is_shared: bool,
    place: Place,
    identity: Identity,
}

impl KeyRing {
    async fn open(report: &ReportArgs) -> Result<Self> {
        let config = report.config()?;
        let Home { store, blobs, keys, .. } = Home::open_existing(&config.data_dir, &config.store).await?;
        let identity = store.known_identity().await?;
        let identity = identity.context("this data folder has no id yet: start the gateway once")?;
        let place = Place { store, blobs: blobs.queue, keys };
        Ok(Self { is_shared: config.store.shared().is_some(), place, identity })
    }

    /// A secret manager's is written by nobody but its administrator.
    fn path(&self) -> Result<PathBuf> {
        self.place.keys.generations.file().map(Path::to_owned).context(NOT_A_FILE)
    }

    fn name(&self, keys: &Keys, generation: Generation) -> Option<String> {
        Some(key_name(&keys.folder.of(generation)?.check_value(self.identity.id.as_str())))
    }

    async fn list(&self, report: &ReportArgs) -> Result<()> {
        let (keys, now, current) = (&self.place.keys, Clock::system().now(), self.identity.generation());
        let all = keys.generations.list();
        let older: Vec<_> =
            all.iter().filter(|(one, is_whole)| *is_whole && *one < current).map(|(one, _)| *one).collect();
        let needs = self.place.needs(&self.identity, &older, now).await?;
        let mut rows = Vec::new();
        for (generation, is_whole) in all {
            let state = match (is_whole, generation.cmp(&current)) {
                (false, _) => "destroyed",
                (true, std::cmp::Ordering::Less) => "older",
                (true, std::cmp::Ordering::Equal) => "current",
                (true, std::cmp::Ordering::Greater) => "prepared",
            };
            let needs = needs.iter().find(|(of, _)| *of == generation).map(|(_, needs)| needs);
            let (name, ended) = (self.name(keys, generation), self.identity.ended(generation));
            if !report.json {
                let name = name.as_deref().unwrap_or("--------");
                let line =
                    format!("{generation:>2}  {name}  {state:<9}  {}", needs.map(words).unwrap_or_default());
                say!("{}", line.trim_end());
            }
            rows.push(
                json!({ "key": generation, "name": name, "state": state, "ended": ended, "needs": needs }),
            );
        }
        if report.json {
            print_json(&rows);
        }
        Ok(())
    }

    async fn add(&self, report: &ReportArgs) -> Result<()> {
        let path = self.path()?;
        let (generation, is_new) = self.prepare(&path)?;
        if !is_new {
            bail!(
                "{}: key {generation} is prepared already; `zegel key rotate` makes it the current one",
                path.display()
            );
        }
        self.record("add").await?;
        if report.json {
            print_json(&json!({ "key": generation }));
            return Ok(());
        }
        say!("key {generation} is in {}; nothing is made with it yet", path.display());
        if self.is_shared {
            say!(
                "on every other node, with a copy of this file: zegel key add --from COPY; then here: zegel key rotate"
            );
        }
        Ok(())
    }

    /// A key that nothing was made with yet, and whether it is new.
    fn prepare(&self, path: &Path) -> Result<(Generation, bool)> {
        let current = self.identity.generation();
        let prepared: Result<_> =
            KeyFile::change(path, |file| match file.newest().filter(|newest| *newest > current) {
                Some(prepared) => Ok((prepared, false)),
                None => Ok((add(file)?, true)),
            });
        prepared.with_context(|| {
            let path = path.display();
            format!(
                "{path}; where a secret manager keeps it: `zegel key add --out FILE`, and give it that file"
            )
        })
    }

    async fn write_to(&self, out: &Path, report: &ReportArgs) -> Result<()> {
        let file = match self.place.keys.generations.file() {
            Some(path) => KeyFile::read(path)?,
            None => std::env::var(MASTER_KEY_VARIABLE).ok().and_then(|text| KeyFile::from_base64(&text)),
        };
        let mut file = file.context("the master key cannot be read again")?;
        let newest = file.newest().filter(|newest| *newest > self.identity.generation());
        let generation = newest.map_or_else(|| add(&mut file), Ok)?;
        // What nothing needs any more is not carried on.
        let older: Vec<_> =
            file.list().iter().map(|(one, _)| *one).filter(|one| *one < self.identity.generation()).collect();
        for (older, needs) in self.place.needs(&self.identity, &older, Clock::system().now()).await? {
            if needs.are_none() {
                file.retire(older);
            }
        }
        file.write_new(out).with_context(|| out.display().to_string())?;
        match report.json {
            true => print_json(&json!({ "key": generation })),
            false => say!(
                "{}: with key {generation}; give it to every node, then: zegel key rotate",
                out.display()
            ),
        }
        Ok(())
    }

    async fn rotate(&self, report: &ReportArgs) -> Result<()> {
        let (keys, from) = (&self.place.keys, self.identity.generation());
        let prepared = keys.generations.whole().last().copied().filter(|newest| *newest > from);
        let to = match prepared {
            Some(prepared) => prepared,
            None => self.prepare(&self.path()?)?.0,
        };
        // What a rotation has left that was cut off, unless the folder is a secret manager's.
        let _left = keys.generations.file().map(KeyFile::clean_up);
        keys.generations.refresh()?;
        let name = self.name(keys, to).context("the new key is not in master.key any more")?;
        if to != from + 1 {
            bail!(
                "key {to} is in master.key, and key {from} is the current one: the file is not of this store"
            );
        }
        self.wait_for_nodes(to, &name).await?;
        let now = Clock::system().now();
        keys.folder.select(to);
        let mut rotations = self.identity.rotations.clone();
        rotations.push(now);
        let new = Identity::new(self.identity.id.clone(), &keys.folder, rotations);
        let event = operator::actor().event(now, Action::Key, format!("rotate {to}"), EventResult::Ok);
        if !self.place.store.rotate_master_key(self.identity.clone(), new, event).await? {
            bail!("another key has become the current one meanwhile: zegel key list");
        }
        if report.json {
            print_json(&json!({ "key": to, "name": name }));
            return Ok(());
        }
        say!("key {to} ({name}) is the current one; a gateway that runs works with it within seconds");
        say!("key {from} stays while something needs it: zegel key list");
        say!("make a backup now: one from before needs a master.key that has the key of then");
        Ok(())
    }

    /// A node without the key could open nothing that the others make from now on.
    async fn wait_for_nodes(&self, key: Generation, name: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            let lacking = master_keys::without(&self.place.store.nodes().await?, name);
            if lacking.is_empty() {
                return Ok(());
            }
            if begun.elapsed() >= PATIENCE {
                bail!(
                    "key {key} ({name}) is not at these nodes yet: {}; bring them this master.key (zegel key add --from COPY), \
                     then rotate again. Nothing is made with it until then",
                    lacking.join(", ")
                );
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn record(&self, what: &str) -> Result<()> {
        let now = Clock::system().now();
        let event = operator::actor().event(now, Action::Key, what.to_owned(), EventResult::Ok);
        Ok(self.place.store.append_audit(event).await?)
    }
}

fn add(file: &mut KeyFile) -> Result<Generation> {
    file.add().with_context(|| format!("there are {LAST} keys: no more are possible"))
}

fn words(needs: &Needs) -> String {
    let until = |time: &Option<Timestamp>| time.map(|time| format!(" until {time}")).unwrap_or_default();
    let Needs { transfers, transfers_until, mail, browsers, browsers_until, recent_until, nodes } = needs;
    let mut words = Vec::new();
    if *transfers > 0 {
        words.push(format!("{transfers} transfers that can be opened{}", until(transfers_until)));
    }
    if *mail > 0 {
        words.push(format!("{mail} mails in the queue"));
    }
    if *browsers > 0 {
        words.push(format!("{browsers} browsers that are remembered{}", until(browsers_until)));
    }
    if recent_until.is_some() {
        words.push(format!("what was begun with it{}", until(recent_until)));
    }
    if !nodes.is_empty() {
        words.push(format!("nodes that do not work with the current one yet: {}", nodes.join(", ")));
    }
    match words.is_empty() {
        true => "needed by nothing: it is destroyed within an hour".to_owned(),
        false => format!("needed by {}", words.join("; ")),
    }
}
