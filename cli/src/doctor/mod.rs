//! `tickpath doctor`: whether this host gives the pipeline what the configuration asks for. Each check is a small function from files of the
//! host and the configuration to findings; [`catalog`] names all of them, and docs/doctor.md lists them.
//!
//! It changes nothing but with `--write`, and takes a second or two to measure jitter and syncs.

mod catalog;
mod clock;
mod cores;
mod disk;
mod finding;
mod host;
mod irqs;
mod jitter;
mod limits;
mod memory;
mod plan;
mod power;
mod settings;
#[cfg(test)]
mod tests;
mod write;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tickpath_service::Config;
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_transport::observer::Observer;

use finding::Findings;
use host::{Cores, Host};
use plan::Plan;

/// Arguments of `tickpath doctor`.
#[derive(Args)]
pub struct DoctorArgs {
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Measure nothing: no jitter, no syncs.
    #[arg(long)]
    quick: bool,
    /// Look at these cores as well, as if threads were pinned to them, such as 1-3,8.
    #[arg(long, value_name = "LIST")]
    cores: Option<Cores>,
    /// Milliseconds that each pinned core's jitter is measured for.
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    jitter_ms: u64,
    /// Judge the files of another host, a copy of its /proc and /sys below this directory; measures nothing.
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// List all checks, with what each looks at, the worst that it says, and why it matters; check nothing.
    #[arg(long, conflicts_with_all = ["json", "quick", "write"])]
    list: bool,
    /// Write drop-ins for the systemd units and a file for sysctl below this directory, which is laid out as /etc; check nothing else.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["json", "quick"])]
    write: Option<PathBuf>,
}

/// Checks the host; exit code 0, or 4 with warnings, or 5 with failures.
///
/// # Errors
/// If something is wrong with the host, or files cannot be written.
pub fn doctor(config_path: Option<&Path>, args: &DoctorArgs) -> Result<(), ProcessError> {
    if args.list {
        println!("{}", catalog::rows().join("\n"));
        return Ok(());
    }
    let host = Host::at(&args.root);
    if !args.root.is_dir() {
        return Err(ProcessError::message(
            ExitCode::BadInput,
            format!("{} is no directory", args.root.display()),
        ));
    }
    if let Some(dir) = &args.write {
        let config = Config::load(config_path).or_exit(ExitCode::BadInput, "configuration")?;
        let said = write::write(&host, &Plan::of(&config, None), dir)?;
        println!("{said}then: systemctl daemon-reload && sysctl --system");
        return Ok(());
    }
    let findings = examine(config_path, args, &host);
    let text = match args.json {
        true => serde_json::to_string(&findings.report()).or_exit(ExitCode::Failed, "report")? + "\n",
        false => findings.text(),
    };
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .or_exit(ExitCode::Failed, "standard output")?;
    match findings.exit_code() {
        ExitCode::Ok => Ok(()),
        code => Err(ProcessError::silent(code)),
    }
}

fn examine(config_path: Option<&Path>, args: &DoctorArgs, host: &Host) -> Findings {
    let mut findings = Findings::default();
    let config = settings::check(config_path, &mut findings);
    let plan = Plan::of(&config, args.cores.as_ref());
    by_files(host, &plan, &mut findings);
    if host.is_this() {
        disk::check(&config, !args.quick, &mut findings);
        if !args.quick {
            let is_up = Observer::attach(&config.relay_socket()).is_ok();
            jitter::check(&plan, Duration::from_millis(args.jitter_ms), is_up, &mut findings);
        }
    }
    findings
}

/// The checks that look at files of the host alone.
fn by_files(host: &Host, plan: &Plan, findings: &mut Findings) {
    cores::check(host, plan, findings);
    irqs::check(host, plan, findings);
    power::check(host, plan, findings);
    memory::check(host, plan, findings);
    clock::check(host, findings);
    limits::check(host, plan, findings);
}
