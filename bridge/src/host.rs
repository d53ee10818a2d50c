//! What the observing thread itself looks at once a second: the clock, the kill latch. On the bridge's page, where `/metrics` and everyone else finds it.

use tickpath_transport::{CounterPage, Discipline, Gauge, now_ns};

/// Gauges of what belongs to the host and to no process.
#[derive(Debug)]
pub struct Host {
    page: CounterPage,
    observed: Gauge,
    clock: Option<Clock>,
    latched: Option<Gauge>,
    is_clock_denied: bool,
}

#[derive(Debug)]
struct Clock {
    synchronised: Gauge,
    offset: Gauge,
    error_max: Gauge,
}

impl Host {
    /// Gauges on the bridge's page; those of the clock and of the latch come with their first values.
    #[must_use]
    pub fn new(page: &CounterPage) -> Host {
        Host {
            observed: page.gauge(
                "tickpath_bridge_observed_timestamp_ns",
                "",
                "When the bridge last read all counter pages; what /metrics says is of then.",
            ),
            page: page.clone(),
            clock: None,
            latched: None,
            is_clock_denied: false,
        }
    }

    /// Shows how things are now; `killed` is `None` while there is no latch.
    pub fn show(&mut self, killed: Option<bool>) {
        self.observed.set(now_ns());
        if let Some(killed) = killed {
            let page = &self.page;
            let gauge = self.latched.get_or_insert_with(|| {
                page.gauge(
                    "tickpath_kill_latched",
                    "",
                    "1 while the kill switch is latched, also without an engine.",
                )
            });
            gauge.set(killed.into());
        }
        match Discipline::read() {
            Ok(discipline) => self.show_clock(discipline),
            Err(error) if !self.is_clock_denied => {
                self.is_clock_denied = true;
                tracing::info!(%error, "the kernel does not tell how well the clock is kept: there are no metrics of it");
            }
            Err(_) => {}
        }
    }

    fn show_clock(&mut self, discipline: Discipline) {
        let page = &self.page;
        let clock = self.clock.get_or_insert_with(|| Clock {
            synchronised: page.gauge(
                "tickpath_clock_synchronised",
                "",
                "1 while a daemon keeps the clock synchronised, by the kernel.",
            ),
            offset: page.gauge(
                "tickpath_clock_offset_ns",
                "",
                "What the kernel has still to correct of the clock; negative if it is ahead.",
            ),
            error_max: page.gauge(
                "tickpath_clock_error_max_ns",
                "",
                "The largest error that the clock may have, by the kernel.",
            ),
        });
        clock.synchronised.set(discipline.is_synchronised.into());
        clock.offset.set(discipline.offset_ns);
        clock.error_max.set(discipline.error_max_ns);
    }
}
