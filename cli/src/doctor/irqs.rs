//! Interrupts that come to pinned cores.

use super::finding::Findings;
use super::host::{Cores, Host};
use super::plan::Plan;

/// Interrupts that are named in a finding; the rest is a number.
const NAMED_MAX: usize = 5;

/// One line of `/proc/interrupts` that is a device's.
#[derive(Debug, PartialEq, Eq)]
struct Interrupt {
    number: u32,
    name: String,
    /// How often it came to each core of the header, in its order.
    counts: Vec<u64>,
}

/// Checks which interrupts have come to pinned cores, and may come again.
pub fn check(host: &Host, plan: &Plan, findings: &mut Findings) {
    let pinned = plan.pinned();
    if pinned.is_empty() {
        return;
    }
    let Some((cores, interrupts)) = host.text("/proc/interrupts").as_deref().and_then(parse) else {
        findings.unknown("irqs.pinned", "/proc/interrupts cannot be read");
        return;
    };
    let busy: Vec<(&Interrupt, Cores, u64)> = interrupts
        .iter()
        .filter_map(|interrupt| {
            let allowed = allowed(host, interrupt.number)?;
            let hit: Vec<(usize, u64)> = cores.iter().copied().zip(interrupt.counts.iter().copied()).collect();
            let hit = hit
                .into_iter()
                .filter(|(core, count)| pinned.0.contains(core) && allowed.0.contains(core) && *count > 0);
            let count: u64 = hit.fold(0, |sum, (_, count)| sum.saturating_add(count));
            (count > 0).then_some((interrupt, allowed, count))
        })
        .collect();
    if busy.is_empty() {
        findings.ok("irqs.pinned", format!("no device interrupts cores {pinned}"));
        return;
    }
    report(&pinned, &cores, busy, findings);
}

/// The cores that may be given it: those that it goes to in fact, if the kernel says so.
fn allowed(host: &Host, number: u32) -> Option<Cores> {
    let names = ["effective_affinity_list", "smp_affinity_list"];
    let lists = names
        .iter()
        .filter_map(|name| host.cores(&format!("/proc/irq/{number}/{name}")));
    lists.into_iter().find(|cores| !cores.is_empty())
}

fn report(pinned: &Cores, cores: &[usize], mut busy: Vec<(&Interrupt, Cores, u64)>, findings: &mut Findings) {
    busy.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    let named: Vec<String> = busy
        .iter()
        .take(NAMED_MAX)
        .map(|(interrupt, allowed, count)| {
            format!(
                "{} {} ({count} since boot, goes to {allowed})",
                interrupt.number, interrupt.name
            )
        })
        .collect();
    let more = busy.len().saturating_sub(NAMED_MAX);
    let others = Cores(cores.iter().copied().collect()).without(pinned);
    let fix = if others.is_empty() {
        "every core is pinned: leave one to the interrupts".to_owned()
    } else {
        let numbers: Vec<String> = busy
            .iter()
            .map(|(interrupt, ..)| interrupt.number.to_string())
            .collect();
        format!(
            "for irq in {}; do echo {others} > /proc/irq/$irq/smp_affinity_list; done\nso that irqbalance leaves them there: IRQBALANCE_BANNED_CPULIST={pinned} in /etc/default/irqbalance",
            numbers.join(" ")
        )
    };
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    findings.warn(
        "irqs.pinned",
        format!("devices interrupt cores {pinned}: {}{more}", named.join(", ")),
        fix,
    );
}

/// The cores of the header and the devices' lines; `None` if there is no header. Lines that make no sense are left out.
fn parse(text: &str) -> Option<(Vec<usize>, Vec<Interrupt>)> {
    let mut lines = text.lines();
    let head = lines.next()?.split_whitespace();
    let cores: Vec<usize> = head
        .map(|word| word.strip_prefix("CPU")?.parse().ok())
        .collect::<Option<_>>()?;
    if cores.is_empty() {
        return None;
    }
    let interrupts = lines.filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let mut words = rest.split_whitespace();
        let counts: Vec<u64> = words
            .by_ref()
            .take(cores.len())
            .map(|word| word.parse().ok())
            .collect::<Option<_>>()?;
        Some(Interrupt {
            number: number.trim().parse().ok()?,
            name: words.last().unwrap_or("of nobody").to_owned(),
            counts,
        })
    });
    let interrupts = interrupts.collect();
    Some((cores, interrupts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_the_kernel_s_own_lines_are_not() {
        let text = "           CPU0       CPU1\n 36:          0    8137553 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0\n 37:  1\nLOC:   23726892   23883067   Local timer interrupts\nERR:          0\n 38: x y z\n";
        let (cores, interrupts) = parse(text).unwrap();
        assert_eq!(cores, [0, 1]);
        assert_eq!(interrupts.len(), 2);
        assert_eq!(interrupts[0].name, "virtio1-req.0");
        assert_eq!(interrupts[0].counts, [0, 8_137_553]);
        assert_eq!(interrupts[1].counts, [1]);
        for garbage in ["", "\n", "CPUx", "36: 1 2", "CPU0 CPU99999999999999999999"] {
            assert_eq!(parse(garbage), None, "{garbage:?}");
        }
    }
}
