//! What is printed, and written into docs/performance.md: only between its own two comments, and there only the
//! rows that were measured.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where the results go.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
const START: &str = "<!-- measured: written by `./run bench`, do not edit -->";
const END: &str = "<!-- /measured -->";

/// One line of the table.
pub struct Line {
    /// What was done.
    pub what: String,
    /// zegel's number, with its unit.
    pub zegel: String,
    /// The number beside it.
    pub beside: String,
    /// One by the other.
    pub ratio: String,
    /// What the ratio, or the number, must be.
    pub target: String,
    /// Whether it is; `None` where nothing was promised.
    pub reached: Option<bool>,
}

/// The number of decimals that says enough.
pub fn number(value: f64) -> String {
    match value.abs() {
        value if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Bytes as MiB.
pub fn mib(octets: u64) -> f64 {
    octets as f64 / 1_048_576.0
}

impl Line {
    /// zegel's number by the other must be `factor` or more.
    pub fn at_least(
        what: impl Into<String>,
        unit: &str,
        zegel: f64,
        beside: (&str, f64),
        factor: f64,
    ) -> Self {
        let ratio = zegel / beside.1;
        Self::ratio(what, unit, zegel, beside, format!("≥ {factor} ×"), ratio >= factor)
    }

    /// zegel's number by the other must be `factor` or less.
    pub fn at_most(
        what: impl Into<String>,
        unit: &str,
        zegel: f64,
        beside: (&str, f64),
        factor: f64,
    ) -> Self {
        let ratio = zegel / beside.1;
        Self::ratio(what, unit, zegel, beside, format!("≤ {factor} ×"), ratio <= factor)
    }

    fn ratio(
        what: impl Into<String>,
        unit: &str,
        zegel: f64,
        (name, beside): (&str, f64),
        target: String,
        reached: bool,
    ) -> Self {
        Self {
            what: what.into(),
            zegel: format!("{} {unit}", number(zegel)),
            beside: format!("{name}: {} {unit}", number(beside)),
            ratio: number(zegel / beside),
            target,
            reached: Some(reached),
        }
    }

    /// A number that must not be above `most`; `beside` is there to compare.
    pub fn limit(what: impl Into<String>, unit: &str, zegel: f64, beside: String, most: f64) -> Self {
        Self {
            what: what.into(),
            zegel: format!("{} {unit}", number(zegel)),
            beside,
            ratio: String::new(),
            target: format!("≤ {most} {unit}"),
            reached: Some(zegel <= most),
        }
    }

    /// Two numbers of which nothing was promised.
    pub fn compare(what: impl Into<String>, unit: &str, zegel: f64, beside: (&str, f64)) -> Self {
        Self::ratio(what, unit, zegel, beside, String::new(), false).without_target()
    }

    /// What nobody can surpass, by what stands beside zegel.
    pub fn ceiling(what: impl Into<String>, unit: &str, most: (&str, f64), beside: (&str, f64)) -> Self {
        let line = Self::compare(what, unit, most.1, beside);
        Self { beside: format!("{}: {} {unit}", most.0, number(most.1)), zegel: String::new(), ..line }
    }

    /// A number with nothing beside it.
    pub fn alone(what: impl Into<String>, unit: &str, zegel: f64) -> Self {
        let zegel = format!("{} {unit}", number(zegel));
        Self {
            what: what.into(),
            zegel,
            beside: String::new(),
            ratio: String::new(),
            target: String::new(),
            reached: None,
        }
    }

    /// Nothing was promised of it.
    pub fn without_target(self) -> Self {
        Self { target: String::new(), reached: None, ..self }
    }

    fn cells(&self) -> [&str; 6] {
        let reached = match self.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        [&self.what, &self.zegel, &self.beside, &self.ratio, &self.target, reached]
    }
}

/// What a row of the benchmark has found.
pub struct Section {
    /// The row's name on the command line.
    pub name: String,
    /// How it was measured, in a sentence or two.
    pub how: String,
    /// The numbers.
    pub lines: Vec<Line>,
}

impl Section {
    fn table(&self) -> String {
        let mut text =
            String::from("| What | zegel | beside | ratio | target | reached |\n|---|---|---|---|---|---|\n");
        for line in &self.lines {
            text += &format!("| {} |\n", line.cells().join(" | "));
        }
        text
    }

    /// As it stands in the file.
    fn markdown(&self, made: &str) -> String {
        format!("<!-- row {} -->\n### {}\n\n{}\n\n{made}\n\n{}", self.name, self.name, self.how, self.table())
    }

    /// For the terminal: the same, in columns.
    pub fn print(&self) {
        let head = ["What", "zegel", "beside", "ratio", "target", "reached"];
        let rows: Vec<[&str; 6]> = std::iter::once(head).chain(self.lines.iter().map(Line::cells)).collect();
        println!("\n== {}: {}", self.name, self.how);
        for row in &rows {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let width = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                format!("{cell:width$}")
            });
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// Puts these sections in the place of their former selves; others stay, in the order of `names`.
pub fn write(sections: &[Section], names: &[&str], command: &str) {
    let text = fs::read_to_string(FILE).expect(FILE);
    let (before, rest) = text.split_once(START).expect("the comment where the measured part starts");
    let (old, after) = rest.split_once(END).expect("the comment where the measured part ends");
    let made = format!("{} · {} · `{command}`", date(), machine());
    let mut measured = String::new();
    for name in names {
        let new =
            sections.iter().find(|section| section.name == *name).map(|section| section.markdown(&made));
        if let Some(block) = new.or_else(|| block(old, name)) {
            measured += &format!("\n{}\n", block.trim());
        }
    }
    fs::write(FILE, format!("{before}{START}\n{measured}\n{END}{after}")).expect(FILE);
    println!("\nwritten to {}", Path::new(FILE).display());
}

/// The block of a row that is in the file already.
fn block(measured: &str, name: &str) -> Option<String> {
    let start = format!("<!-- row {name} -->");
    let block = measured.split_once(&start)?.1.split("<!-- row ").next()?;
    Some(start + block)
}

/// Now, in UTC.
fn date() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Processor, cores, memory, kernel and the file system that the data are on.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or(String::new(), |(_, value)| value.trim().to_owned())
    };
    let kilobytes: f64 = field(&read("/proc/meminfo"), "MemTotal").replace(" kB", "").parse().unwrap_or(0.0);
    let output = |program: &str, arguments: &[&str]| {
        let output =
            Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let folder = std::env::temp_dir().display().to_string();
    let fs_type = output("df", &["--output=fstype", &folder]);
    format!(
        "{}, {} cores, {:.1} GiB, {}, data on {}",
        field(&read("/proc/cpuinfo"), "model name"),
        std::thread::available_parallelism().map_or(1, usize::from),
        kilobytes / 1_048_576.0,
        output("uname", &["-sr"]),
        fs_type.lines().last().unwrap_or_default(),
    )
}
