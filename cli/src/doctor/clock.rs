//! The clock: where it comes from, and how far it is from the truth. The truth is asked of chrony, which measures it, else of the kernel, which has what some daemon told it
//! last; where neither answers, it is unknown.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tickpath_transport::Discipline;

use super::finding::Findings;
use super::host::Host;

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0";
/// Sources that are read without a system call.
const FAST: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
/// Offsets beyond these are worth a look, and make times meaningless, s.
const OFFSET_WARNING_S: f64 = 0.001;
const OFFSET_FAILURE_S: f64 = 1.0;
/// The largest error that the kernel vouches for, of which it is worth a look, ns: as the alert `TickpathClockOffset` has it. It grows until the daemon looks again.
const ERROR_WARNING_NS: i64 = 250_000_000;
/// How long a program may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
const FIX: &str = "apt-get install chrony && systemctl enable --now chrony";

/// Checks the clock.
pub fn check(host: &Host, findings: &mut Findings) {
    source(host, findings);
    tsc(host, findings);
    if !host.is_this() {
        findings.unknown(
            "clock.offset",
            "this is a copy of a host's files: its clock cannot be asked",
        );
        return;
    }
    let chrony = answer("chronyc", &["-n", "-c", "tracking"]);
    match chrony.as_deref().and_then(Tracking::parse) {
        Some(tracking) => tracking.judge(findings),
        None => by_kernel(Discipline::read(), findings),
    }
}

fn source(host: &Host, findings: &mut Findings) {
    let Some(current) = host.text(&format!("{SOURCE}/current_clocksource")) else {
        findings.unknown("clock.source", "this kernel does not name its clock source");
        return;
    };
    if FAST.contains(&current.as_str()) {
        findings.ok("clock.source", format!("{current}, read without a system call"));
        return;
    }
    let available = host
        .text(&format!("{SOURCE}/available_clocksource"))
        .unwrap_or_default();
    let better = FAST
        .iter()
        .find(|fast| available.split_whitespace().any(|name| name == **fast));
    let fix = match better {
        Some(better) => format!(
            "echo {better} > {SOURCE}/current_clocksource; for good: clocksource={better} on the kernel's command line"
        ),
        None => "the kernel offers no faster one: its log (`dmesg | grep -i tsc`) says why".to_owned(),
    };
    findings.warn(
        "clock.source",
        format!("{current}, which each look at the clock has to ask for"),
        fix,
    );
}

fn tsc(host: &Host, findings: &mut Findings) {
    let text = host.text("/proc/cpuinfo").unwrap_or_default();
    let flags = text
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.trim_start().strip_prefix(':'));
    let Some(flags) = flags else {
        findings.unknown(
            "clock.tsc",
            "/proc/cpuinfo lists no flags: the processor has no such counter, or does not say",
        );
        return;
    };
    let missing: Vec<&str> = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .filter(|flag| !flags.split_whitespace().any(|has| has == *flag))
        .collect();
    if missing.is_empty() {
        findings.ok("clock.tsc", "the counter runs at one rate, in sleep as well");
    } else {
        let fix =
            "use a processor or a guest type that has them: the host of a guest decides (for QEMU: -cpu host,+invtsc)";
        findings.warn(
            "clock.tsc",
            format!("the processor lacks {}", missing.join(" and ")),
            fix,
        );
    }
}

/// What `chronyc -c tracking` says that matters here.
#[derive(Debug, PartialEq)]
struct Tracking {
    offset_s: f64,
    is_synchronised: bool,
}

impl Tracking {
    /// Of fourteen fields: the fifth is the offset of the system's clock, the last the leap status.
    fn parse(line: &str) -> Option<Tracking> {
        let fields: Vec<&str> = line.trim().split(',').collect();
        let [_, _, _, _, offset, .., leap] = fields.as_slice() else {
            return None;
        };
        let offset_s = offset.parse::<f64>().ok().filter(|offset| offset.is_finite())?;
        (fields.len() == 14).then_some(Tracking {
            offset_s,
            is_synchronised: *leap != "Not synchronised",
        })
    }

    fn judge(&self, findings: &mut Findings) {
        let found = format!("chrony: the clock is {:+.6} s off", self.offset_s);
        match self.offset_s.abs() {
            _ if !self.is_synchronised => findings.warn(
                "clock.offset",
                "chrony has no source to go by",
                "chronyc sources -v; check /etc/chrony/chrony.conf",
            ),
            offset if offset >= OFFSET_FAILURE_S => findings.fail("clock.offset", found, "chronyc makestep"),
            offset if offset >= OFFSET_WARNING_S => findings.warn(
                "clock.offset",
                found,
                "chronyc sources -v; a nearer source, or hardware time stamps, helps",
            ),
            _ => findings.ok("clock.offset", found),
        }
    }
}

fn by_kernel(discipline: io::Result<Discipline>, findings: &mut Findings) {
    let discipline = match discipline {
        Ok(discipline) => discipline,
        Err(error) => {
            let found = format!("chronyc does not answer, and the kernel tells nothing ({error}): {FIX}");
            findings.unknown("clock.offset", found);
            return;
        }
    };
    let seconds = |ns: i64| ns as f64 / 1e9;
    let (offset_s, error_s) = (seconds(discipline.offset_ns), seconds(discipline.error_max_ns));
    let found = format!("the kernel: {offset_s:+.6} s still to correct, at most {error_s:.3} s off");
    if !discipline.is_synchronised {
        findings.warn("clock.offset", "the kernel says that no daemon keeps the clock", FIX);
    } else if offset_s.abs() >= OFFSET_WARNING_S || discipline.error_max_ns > ERROR_WARNING_NS {
        let fix = format!("timedatectl timesync-status; a better daemon: {FIX}");
        findings.warn("clock.offset", found, fix);
    } else {
        findings.ok("clock.offset", found);
    }
}

/// What a program prints, if there is such a program and it ends well and soon.
fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + ANSWER_LIMIT;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                // It may have ended in between, which is as good.
                child.kill().ok();
                child.wait().ok();
                return None;
            }
        }
    };
    let mut text = String::new();
    child
        .stdout
        .take()?
        .take(ANSWER_BYTES_MAX)
        .read_to_string(&mut text)
        .ok()?;
    status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn level(judge: impl FnOnce(&mut Findings)) -> Level {
        let mut findings = Findings::default();
        judge(&mut findings);
        assert_eq!(findings.all().len(), 1);
        findings.all()[0].level
    }

    #[test]
    fn chrony_s_word_is_judged() {
        let line = |offset: &str, leap: &str| {
            format!(
                "A9FEA97B,169.254.169.123,4,1700000000.1,{offset},-0.000001,0.00001,-7.1,0.0,0.1,0.0003,0.0001,16.1,{leap}\n"
            )
        };
        for (offset, leap, expected) in [
            ("0.000012", "Normal", Level::Ok),
            ("-0.0025", "Normal", Level::Warning),
            ("3.5", "Normal", Level::Failure),
            ("0.000000", "Not synchronised", Level::Warning),
        ] {
            let tracking = Tracking::parse(&line(offset, leap)).unwrap();
            assert_eq!(level(|findings| tracking.judge(findings)), expected, "{offset} {leap}");
        }
        for garbage in [
            "",
            "506 Cannot talk to daemon",
            &line("soon", "Normal"),
            &line("nan", "Normal"),
            "a,b,c,d,0.1,f",
        ] {
            assert_eq!(Tracking::parse(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn without_chrony_the_kernel_is_asked() {
        let kept = Discipline {
            is_synchronised: true,
            offset_ns: -20_000,
            error_max_ns: 3_000_000,
        };
        for (discipline, expected) in [
            (kept, Level::Ok),
            (
                Discipline {
                    offset_ns: -2_000_000,
                    ..kept
                },
                Level::Warning,
            ),
            (
                Discipline {
                    error_max_ns: 16_000_000_000,
                    ..kept
                },
                Level::Warning,
            ),
            (
                Discipline {
                    is_synchronised: false,
                    ..kept
                },
                Level::Warning,
            ),
        ] {
            assert_eq!(
                level(|findings| by_kernel(Ok(discipline), findings)),
                expected,
                "{discipline:?}"
            );
        }
        let forbidden = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(level(|findings| by_kernel(Err(forbidden), findings)), Level::Unknown);
    }

    #[test]
    fn a_program_answers_or_is_as_if_it_were_not_there() {
        assert_eq!(answer("tickpath-no-such-program", &[]), None);
        assert_eq!(answer("false", &[]), None);
        assert_eq!(answer("echo", &["yes"]).as_deref(), Some("yes\n"));
    }
}
