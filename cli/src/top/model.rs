//! What is shown: the newest look and the one before, and what the keys chose.

use std::path::PathBuf;
use std::time::Instant;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::look::Look;
use super::process::Usage;
use crate::sample::{Sample, Window};

/// A part of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// All others, one below the other.
    All,
    /// Processes.
    Processes,
    /// Venues.
    Venues,
    /// Hops.
    Latency,
    /// Journal and database.
    Storage,
    /// The engine.
    Trading,
}

impl Section {
    /// In the order of the screen.
    pub const ALL: [Section; 6] = [
        Section::All,
        Section::Processes,
        Section::Venues,
        Section::Latency,
        Section::Storage,
        Section::Trading,
    ];

    /// The word on the screen.
    pub fn name(self) -> &'static str {
        ["all", "processes", "venues", "latency", "storage", "trading"][self as usize]
    }

    fn moved(self, by: usize) -> Section {
        Section::ALL[(self as usize + by) % Section::ALL.len()]
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    On,
    /// The user has seen enough.
    Quit,
}

/// See the module.
#[derive(Debug)]
pub struct Model {
    /// Where the relay is looked for.
    pub socket: PathBuf,
    /// What is on the screen.
    pub section: Section,
    /// Lines that are above the screen.
    pub scroll: usize,
    /// Whether the screen stands still.
    pub is_paused: bool,
    /// Why the last look saw nothing.
    pub absent: Option<String>,
    /// Since when it has not been seen.
    pub absent_since: Option<Instant>,
    now: Option<Seen>,
    before: Option<Seen>,
    kill: Option<(String, bool)>,
    restarts: Vec<(String, u64)>,
}

/// A sample and what the kernel said of its processes then.
#[derive(Debug)]
struct Seen {
    sample: Sample,
    usage: Vec<Option<Usage>>,
}

impl Model {
    /// Nothing seen yet.
    pub fn new(socket: PathBuf) -> Model {
        Model {
            socket,
            section: Section::All,
            scroll: 0,
            is_paused: false,
            absent: None,
            absent_since: None,
            now: None,
            before: None,
            kill: None,
            restarts: Vec::new(),
        }
    }

    /// Takes a look, and says whether the screen changes by it.
    pub fn take(&mut self, look: Look) -> bool {
        if self.is_paused {
            return false;
        }
        self.kill = look.kill;
        self.restarts = look.restarts;
        match look.sample {
            Ok(sample) => {
                self.before = self.now.take();
                self.now = Some(Seen {
                    sample,
                    usage: look.usage,
                });
                self.absent = None;
                self.absent_since = None;
            }
            Err(error) => {
                self.absent = Some(error);
                self.absent_since.get_or_insert_with(Instant::now);
            }
        }
        true
    }

    /// Does what a key asks for.
    pub fn press(&mut self, key: KeyEvent) -> Flow {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if is_control => return Flow::Quit,
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Flow::Quit,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.go(self.section.moved(1)),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => {
                self.go(self.section.moved(Section::ALL.len() - 1))
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(10),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char(digit @ '1'..='6') => self.go(Section::ALL[digit as usize - '1' as usize]),
            _ => {}
        }
        Flow::On
    }

    fn go(&mut self, section: Section) {
        self.section = section;
        self.scroll = 0;
    }

    /// The counters, if any were seen.
    pub fn window(&self) -> Option<Window<'_>> {
        Some(Window {
            now: &self.now.as_ref()?.sample,
            before: self.before.as_ref().map(|before| &before.sample),
        })
    }

    /// What the kernel says of the process at this place of the sample, and percent of a core that it used since the look before.
    pub fn usage(&self, at: usize) -> Option<(&Usage, Option<f64>)> {
        let now = self.now.as_ref()?;
        let usage = now.usage.get(at)?.as_ref()?;
        let pid = now.sample.processes.get(at)?.pid;
        let past = self.before.as_ref().and_then(|before| {
            let at = before.sample.processes.iter().position(|process| process.pid == pid)?;
            before.usage.get(at)?.as_ref()
        });
        Some((usage, past.and_then(|past| usage.percent_since(past))))
    }

    /// One line on the kill switch, and whether it is latched.
    pub fn kill(&self) -> Option<(&str, bool)> {
        self.kill.as_ref().map(|(text, is_killed)| (text.as_str(), *is_killed))
    }

    /// How often `tickpath up` restarted the process of this name.
    pub fn restarts(&self, name: &str) -> Option<i64> {
        let known = self.restarts.iter().find(|(known, _)| known == name);
        known.map(|(_, restarts)| i64::try_from(*restarts).unwrap_or(i64::MAX))
    }
}
