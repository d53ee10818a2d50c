//! What the configuration asks of the host: cores, memory, files.

use std::collections::BTreeMap;

use tickpath_service::Config;
use tickpath_service::config::Wait;

use super::host::Cores;

/// Bytes of a slot of the broadcast ring, and of a record of any other.
const SLOT_BYTES: u64 = 64;
const RECORD_BYTES: u64 = 48;
/// What counters and headers of all processes take at most.
const PAGES_BYTES: u64 = 16 << 20;
/// Descriptors that a process has beside its clients: rings, pages, logs, the journal.
const FILES_SPARE: u64 = 256;

/// A hot thread that has a core of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The key in the configuration: `relay.pin`.
    pub key: String,
    /// The unit of its process: `tickpath-relay`.
    pub unit: String,
    /// The core.
    pub core: usize,
    /// How the thread waits.
    pub wait: Wait,
}

/// Pins and needs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is configured to be pinned, and runs.
    pub pins: Vec<Pin>,
    /// Every unit whose process runs, pinned or not.
    pub units: Vec<String>,
    /// Bytes of shared memory that the process with the most of it maps, the relay.
    pub memory_bytes: u64,
    /// Files that the process with the most of them has open, the bridge.
    pub files: u64,
}

impl Plan {
    /// What `config` asks for. `more` are cores to look at as well, as if a thread that spins were pinned to each.
    pub fn of(config: &Config, more: Option<&Cores>) -> Plan {
        let collectors = config.enabled_collectors();
        let mut processes = vec![
            (
                "relay".to_owned(),
                "tickpath-relay".to_owned(),
                config.relay.pin,
                config.relay.wait,
            ),
            (
                "bridge".into(),
                "tickpath-bridge".into(),
                config.bridge.pin,
                config.bridge.wait,
            ),
        ];
        if config.recorder.enabled {
            let recorder = &config.recorder;
            processes.push((
                "recorder".into(),
                "tickpath-recorder".into(),
                recorder.pin,
                recorder.wait,
            ));
        }
        if config.engine.enabled {
            processes.push((
                "engine".into(),
                "tickpath-engine".into(),
                config.engine.pin,
                config.engine.wait,
            ));
        }
        for (venue, collector) in &collectors {
            let unit = format!("tickpath-collector@{venue}");
            processes.push((format!("collectors.{venue}"), unit, collector.pin, collector.wait));
        }
        let pins = processes.iter().filter_map(|(key, unit, core, wait)| {
            Some(Pin {
                key: format!("{key}.pin"),
                unit: unit.clone(),
                core: (*core)?,
                wait: *wait,
            })
        });
        let asked = more.into_iter().flat_map(|cores| &cores.0).map(|core| Pin {
            key: "--cores".into(),
            unit: String::new(),
            core: *core,
            wait: Wait::Spin,
        });
        let rings = collectors
            .iter()
            .map(|(_, collector)| collector.ring_capacity.0)
            .chain([config.engine.ring_capacity.0]);
        let records = rings.fold(0, |sum: u64, records| sum.saturating_add(records as u64));
        Plan {
            pins: pins.chain(asked).collect(),
            units: processes.iter().map(|(_, unit, ..)| unit.clone()).collect(),
            memory_bytes: (config.relay.capacity.0 as u64 * SLOT_BYTES)
                .saturating_add(records.saturating_mul(RECORD_BYTES))
                .saturating_add(PAGES_BYTES),
            files: (config.bridge.clients_max as u64).saturating_add(FILES_SPARE),
        }
    }

    /// The pinned cores, and who is pinned to each.
    pub fn cores(&self) -> BTreeMap<usize, Vec<&Pin>> {
        let mut cores: BTreeMap<usize, Vec<&Pin>> = BTreeMap::new();
        for pin in &self.pins {
            cores.entry(pin.core).or_default().push(pin);
        }
        cores
    }

    /// The pinned cores.
    pub fn pinned(&self) -> Cores {
        Cores(self.pins.iter().map(|pin| pin.core).collect())
    }

    /// The keys that pin something to this core.
    pub fn keys(&self, core: usize) -> String {
        let keys = self
            .pins
            .iter()
            .filter(|pin| pin.core == core)
            .map(|pin| pin.key.as_str());
        keys.collect::<Vec<&str>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_planned_for_and_what_does_not_run_is_not() {
        let text = "[relay]\npin = 1\nwait = \"spin\"\ncapacity = 1024\n[engine]\nenabled = false\npin = 3\n[collectors.kraken]\npin = 2\n[collectors.binance]\nenabled = false\npin = 4\n";
        let config = Config::parse(text, std::path::Path::new("t")).unwrap();
        let plan = Plan::of(&config, None);
        let keys: Vec<&str> = plan.pins.iter().map(|pin| pin.key.as_str()).collect();
        assert_eq!(keys, ["relay.pin", "collectors.kraken.pin"]);
        assert_eq!(plan.pinned().to_string(), "1-2");
        assert!(
            plan.units.contains(&"tickpath-collector@kraken".to_owned()),
            "{:?}",
            plan.units
        );
        assert!(!plan.units.contains(&"tickpath-engine".to_owned()), "{:?}", plan.units);
        assert_eq!(plan.files, 1_256);
        let more = Plan::of(&config, Some(&"1,5".parse().unwrap()));
        assert_eq!(more.pinned().to_string(), "1-2,5");
        assert_eq!(more.keys(1), "relay.pin, --cores");
        assert_eq!(more.cores()[&1].len(), 2);
    }
}
