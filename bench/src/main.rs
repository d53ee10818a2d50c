//! `tickpath-bench`: runs the measurements and reports them. `scripts/bench` builds everything it needs and calls it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tickpath_bench::context::{self, BenchError, Context, Result, Tried};
use tickpath_bench::groups::{self, Group};
use tickpath_bench::measurement::Measurement;
use tickpath_bench::report::document::{Document, Failure};
use tickpath_bench::report::environment::Environment;
use tickpath_bench::report::{files, section, table};
use tickpath_bench::role;

/// Measures Tickpath beside its floors and its peers, and prints what came out as a table.
#[derive(Debug, Parser)]
#[command(name = "tickpath-bench", version, after_help = groups_help())]
struct Arguments {
    /// A short run that shows that everything works; its figures mean nothing.
    #[arg(long)]
    quick: bool,
    /// Writes the result as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes report.html, result.json, plots and percentile files there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Puts the table into this file, between its marks `<!-- bench:begin -->` and `<!-- bench:end -->`.
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    readme: Option<PathBuf>,
    /// Only groups whose name begins so, separated by commas.
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    only: Vec<String>,
    /// Recorded feeds, a folder a venue; left out: the small ones that the project carries.
    #[arg(long, value_name = "DIR")]
    captures: Option<PathBuf>,
    /// Cores to pin to, the first for the nearer party; left out: the first ones there are.
    #[arg(long, value_name = "CORE", value_delimiter = ',')]
    cores: Vec<usize>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Puts the table of an earlier run into a file, between its marks.
    Readme {
        /// What `--json` wrote.
        json: PathBuf,
        /// The file with the marks.
        readme: PathBuf,
    },
    /// Another process of a measurement.
    #[command(hide = true)]
    Role { name: String, arguments: Vec<String> },
}

fn groups_help() -> String {
    let lines = groups::ALL
        .iter()
        .map(|group| format!("  {:<12}{}\n", group.name, group.about));
    format!("Groups:\n{}", lines.collect::<String>())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Role { name, arguments }) => role::run(name, arguments),
        Some(Command::Readme { json, readme }) => {
            Document::read(json).and_then(|document| section::write_into(readme, &document))
        }
        None => run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tickpath-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let scratch = tempfile::tempdir().tried("a directory for files of the run")?;
    let groups = groups::selected(&arguments.only)?;
    let context = context(arguments, scratch.path())?;
    check_places(arguments)?;
    groups::check_binaries(&context, &groups)?;
    let environment = Environment::now(&context);
    let (measurements, failures) = measure(&context, &groups);
    let document = Document::new(environment, &measurements, failures);
    print!("{}", table::text(&document));
    if let Some(path) = &arguments.json {
        document.write(path)?;
    }
    if let Some(dir) = &arguments.out {
        files::write(dir, &document, &measurements)?;
        println!("\nreport: {}", dir.join("report.html").display());
    }
    match document.failures.as_slice() {
        [] => write_readme(arguments, &document),
        failures => {
            let names: Vec<&str> = failures.iter().map(|failure| failure.group.as_str()).collect();
            Err(BenchError::new(
                names.join(", "),
                "could not be measured, as said above",
            ))
        }
    }
}

/// Every group in turn. One that fails is noted, and the others still run: a full run is long.
fn measure(context: &Context, groups: &[&Group]) -> (Vec<Measurement>, Vec<Failure>) {
    let mut measurements = Vec::new();
    let mut failures = Vec::new();
    for group in groups {
        eprintln!("== {}", group.name);
        match (group.measure)(context) {
            Ok(more) => measurements.extend(more),
            Err(error) => {
                eprintln!("   failed: {error}");
                failures.push(Failure {
                    group: group.name.to_owned(),
                    error: error.to_string(),
                });
            }
        }
    }
    (measurements, failures)
}

fn context(arguments: &Arguments, scratch: &Path) -> Result<Context> {
    let own = std::env::current_exe().tried("the path of this program")?;
    if let Some(captures) = arguments.captures.as_ref().filter(|captures| !captures.is_dir()) {
        let why = "no such folder; expected one with a folder a venue, such as kraken/ws.tsv";
        return Err(BenchError::new(format!("--captures {}", captures.display()), why));
    }
    Ok(Context {
        quick: arguments.quick,
        scratch: scratch.to_owned(),
        binaries: own.parent().unwrap_or(Path::new(".")).to_owned(),
        captures: arguments.captures.clone(),
        cores: context::cores(&arguments.cores)?,
    })
}

/// What cannot be written is better known before a long run than after it.
fn check_places(arguments: &Arguments) -> Result<()> {
    if let Some(path) = &arguments.json {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.tried(format!("--json {}", path.display()))?;
    }
    if let Some(dir) = &arguments.out {
        files::prepare(dir)?;
    }
    match &arguments.readme {
        Some(readme) => section::check(readme),
        None => Ok(()),
    }
}

fn write_readme(arguments: &Arguments, document: &Document) -> Result<()> {
    match &arguments.readme {
        Some(readme) => section::write_into(readme, document),
        None => Ok(()),
    }
}
