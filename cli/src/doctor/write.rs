//! `tickpath doctor --write DIR`: drop-ins for the units and a file for sysctl, below a directory laid out as `/etc`. Written again they stay as
//! they are; one that the configuration asks for no longer is removed; a file that somebody else wrote is never touched.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tickpath_service::exit::{Context, ExitCode, ProcessError};

use super::host::{Cores, Host};
use super::plan::Plan;

/// First line of every file that is ours.
const MARK: &str = "# Written by `tickpath doctor --write`, which overwrites and removes it.";
const NAME: &str = "50-tickpath-doctor.conf";
const SYSCTL: &str = "sysctl.d/60-tickpath-doctor.conf";
/// Units that may have had a drop-in of ours.
const UNITS: [&str; 8] = [
    "tickpath-relay",
    "tickpath-bridge",
    "tickpath-recorder",
    "tickpath-engine",
    "tickpath-collector@binance",
    "tickpath-collector@coinbase",
    "tickpath-collector@kraken",
    "tickpath-collector@alpaca",
];

/// Writes the files and says what became of each.
///
/// # Errors
/// If one of them is there and not ours, or cannot be written; then none is changed, or the rest is not.
pub fn write(host: &Host, plan: &Plan, dir: &Path) -> Result<String, ProcessError> {
    let wanted = files(plan, host.cores("/sys/devices/system/cpu/online").as_ref());
    let known = UNITS.iter().map(|unit| PathBuf::from(drop_in(unit)));
    let obsolete: Vec<PathBuf> = known
        .filter(|path| wanted.iter().all(|(name, _)| name != path))
        .map(|path| dir.join(path))
        .collect();
    // First look at all, so that a refusal leaves nothing half done.
    for path in wanted.iter().map(|(path, _)| dir.join(path)) {
        if let Existing::Foreign = existing(&path).or_exit(ExitCode::Failed, path.display().to_string())? {
            return Err(ProcessError::message(
                ExitCode::Unavailable,
                format!(
                    "{} is there and was not written by `tickpath doctor`: move it away, or name another directory",
                    path.display()
                ),
            ));
        }
    }
    let mut said = String::new();
    for (path, text) in &wanted {
        let path = dir.join(path);
        let done = replace(&path, text).or_exit(ExitCode::Failed, format!("writing {}", path.display()))?;
        said.push_str(&format!("{done:<9} {}\n", path.display()));
    }
    for path in obsolete {
        if let Existing::Ours(_) = existing(&path).or_exit(ExitCode::Failed, path.display().to_string())? {
            fs::remove_file(&path).or_exit(ExitCode::Failed, format!("removing {}", path.display()))?;
            said.push_str(&format!("{:<9} {}\n", "removed", path.display()));
        }
    }
    Ok(said)
}

fn drop_in(unit: &str) -> String {
    format!("systemd/system/{unit}.service.d/{NAME}")
}

/// Path and text of each file.
fn files(plan: &Plan, online: Option<&Cores>) -> Vec<(PathBuf, String)> {
    let pinned = plan.pinned();
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for unit in &plan.units {
        let pins = Cores(
            plan.pins
                .iter()
                .filter(|pin| pin.unit == *unit)
                .map(|pin| pin.core)
                .collect(),
        );
        files.push((drop_in(unit).into(), unit_text(plan, &pins, &pinned, online)));
    }
    files.push((SYSCTL.into(), sysctl_text()));
    files
}

fn unit_text(plan: &Plan, pins: &Cores, pinned: &Cores, online: Option<&Cores>) -> String {
    let mut text = format!(
        "{MARK}\n[Service]\n# What the rings take, in whole MiB.\nLimitMEMLOCK={}M\n",
        plan.memory_bytes.div_ceil(1 << 20)
    );
    if !pins.is_empty() {
        // Threads that are not hot need a core as well, and must not take a hot one.
        let shared = online.map(|online| online.without(pinned)).unwrap_or_default();
        text.push_str("# The core of the hot thread, and those that nothing is pinned to for the others.\n# An empty assignment first: the unit's own list is replaced, not added to.\nCPUAffinity=\n");
        text.push_str(&format!("CPUAffinity={}\n", pins.with(&shared)));
    }
    text
}

fn sysctl_text() -> String {
    [
        MARK,
        "# Swap for need alone: a page of a ring that was swapped out costs milliseconds.",
        "vm.swappiness = 1",
        "# No moving of pages between memory nodes behind a pinned thread's back.",
        "-kernel.numa_balancing = 0",
        "# Memory statistics are gathered on every core: once in ten seconds is enough.",
        "vm.stat_interval = 10",
        "",
    ]
    .join("\n")
}

enum Existing {
    None,
    Ours(String),
    Foreign,
}

fn existing(path: &Path) -> io::Result<Existing> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Existing::None),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_file() => return Ok(Existing::Foreign),
        Ok(_) => {}
    }
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    Ok(if text.starts_with(MARK) {
        Existing::Ours(text)
    } else {
        Existing::Foreign
    })
}

/// Makes the file hold this text, at once and as a whole.
fn replace(path: &Path, text: &str) -> io::Result<&'static str> {
    let done = match existing(path)? {
        Existing::Ours(old) if old == text => return Ok("unchanged"),
        Existing::None => "written",
        _ => "replaced",
    };
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    // A name that neither systemd nor sysctl reads: they take *.conf alone.
    let temporary = dir.join(format!(".{NAME}.{}", std::process::id()));
    let mut file = fs::File::create(&temporary)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        fs::remove_file(&temporary)?;
    }
    written.map(|()| done)
}

#[cfg(test)]
mod tests {
    use tickpath_service::Config;

    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::of(&Config::parse(text, Path::new("t")).unwrap(), None)
    }

    /// A host with eight cores, and where to write.
    fn place() -> (tempfile::TempDir, Host, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("host/sys/devices/system/cpu")).unwrap();
        fs::write(dir.path().join("host/sys/devices/system/cpu/online"), "0-7\n").unwrap();
        let (host, etc) = (Host::at(&dir.path().join("host")), dir.path().join("etc"));
        (dir, host, etc)
    }

    const PINNED: &str = "[relay]\npin = 2\n[collectors.kraken]\npin = 3\n";

    #[test]
    fn a_second_time_changes_nothing_and_another_plan_what_it_must() {
        let (_dir, host, etc) = place();
        let first = write(&host, &plan(PINNED), &etc).unwrap();
        assert_eq!(first.lines().count(), first.matches("written").count(), "{first}");
        let relay = fs::read_to_string(etc.join(drop_in("tickpath-relay"))).unwrap();
        assert!(
            relay.starts_with(MARK) && relay.contains("\nCPUAffinity=\nCPUAffinity=0-2,4-7\n"),
            "{relay}"
        );
        assert!(relay.contains("\nLimitMEMLOCK="), "{relay}");
        let kraken = fs::read_to_string(etc.join(drop_in("tickpath-collector@kraken"))).unwrap();
        assert!(kraken.contains("CPUAffinity=0-1,3-7\n"), "{kraken}");
        let bridge = fs::read_to_string(etc.join(drop_in("tickpath-bridge"))).unwrap();
        assert!(!bridge.contains("CPUAffinity"), "{bridge}");
        let second = write(&host, &plan(PINNED), &etc).unwrap();
        assert_eq!(second.lines().count(), second.matches("unchanged").count(), "{second}");
        let third = write(
            &host,
            &plan("[relay]\npin = 4\n[collectors.kraken]\nenabled = false\n"),
            &etc,
        )
        .unwrap();
        assert!(third.contains("replaced") && third.contains("removed"), "{third}");
        assert!(!etc.join(drop_in("tickpath-collector@kraken")).exists());
        let names: Vec<_> = fs::read_dir(etc.join("sysctl.d"))
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        assert_eq!(names, ["60-tickpath-doctor.conf"], "nothing temporary stays");
    }

    #[test]
    fn what_others_wrote_is_refused_and_nothing_is_changed() {
        let (_dir, host, etc) = place();
        let path = etc.join(SYSCTL);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "vm.swappiness = 60\n").unwrap();
        let error = write(&host, &plan(PINNED), &etc).unwrap_err();
        assert_eq!(error.code(), ExitCode::Unavailable);
        assert!(error.to_string().contains("60-tickpath-doctor.conf"), "{error}");
        assert!(!etc.join("systemd").exists());
        assert_eq!(fs::read_to_string(&path).unwrap(), "vm.swappiness = 60\n");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(write(&host, &plan(PINNED), &etc).is_err(), "no way through a link");
        fs::remove_file(&path).unwrap();
        let foreign = etc.join(drop_in("tickpath-engine"));
        fs::create_dir_all(foreign.parent().unwrap()).unwrap();
        fs::write(&foreign, "[Service]\n").unwrap();
        write(&host, &plan("[engine]\nenabled = false\n"), &etc).unwrap();
        assert!(foreign.exists(), "what is not ours is not removed");
    }

    #[test]
    fn every_unit_of_a_plan_is_known() {
        let text = "[engine]\nenabled = true\n[collectors.alpaca]\nenabled = true\n";
        for unit in plan(text).units {
            assert!(UNITS.contains(&unit.as_str()), "{unit}");
        }
    }
}
