//! The clock: where it comes from, and how far it is from the truth. The truth is asked of chrony, which measures it, else of systemd, which
//! says only whether there is a source; where neither answers, it is unknown.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::finding::Findings;
use super::host::Host;

const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0";
/// Sources that are read without a system call.
const FAST: [&str; 4] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
/// Offsets beyond these are worth a look, and make times meaningless, s.
const OFFSET_WARNING_S: f64 = 0.001;
const OFFSET_FAILURE_S: f64 = 1.0;
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
    let systemd = || answer("timedatectl", &["show", "--property=NTPSynchronized", "--value"]);
    match chrony.as_deref().and_then(Tracking::parse) {
        Some(tracking) => tracking.judge(findings),
        None => by_systemd(systemd().as_deref(), findings),
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

fn by_systemd(answer: Option<&str>, findings: &mut Findings) {
    match answer.map(str::trim) {
        Some("yes") => findings.unknown(
            "clock.offset",
            "systemd says that the clock is synchronised, but not how well: chrony would",
        ),
        Some("no") => findings.warn("clock.offset", "systemd says that the clock is not synchronised", FIX),
        _ => findings.unknown(
            "clock.offset",
            format!("neither chronyc nor timedatectl answers, so nobody knows: {FIX}"),
        ),
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
    fn systemd_says_less_and_nobody_says_nothing() {
        assert_eq!(level(|findings| by_systemd(Some("yes\n"), findings)), Level::Unknown);
        assert_eq!(level(|findings| by_systemd(Some("no"), findings)), Level::Warning);
        assert_eq!(level(|findings| by_systemd(None, findings)), Level::Unknown);
        assert_eq!(answer("tickpath-no-such-program", &[]), None);
        assert_eq!(answer("false", &[]), None);
        assert_eq!(answer("echo", &["yes"]).as_deref(), Some("yes\n"));
    }
}
