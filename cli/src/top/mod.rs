//! `tickpath top`: the pipeline on a terminal, once a second. It reads what `tickpath status` reads, the pages of counters that every process
//! shares through the relay, and `/proc`; no process is asked, so looking costs the hot path nothing.
//!
//! A thread of its own looks, because a relay that hangs must not make the keys hang; [`model`] holds what is shown, [`sections`] makes tables
//! of it, [`view`] draws them.

mod look;
mod model;
mod process;
mod sections;
mod storage;
#[cfg(test)]
mod tests;
mod trading;
mod view;

use std::io::{IsTerminal, Write};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use tickpath_service::exit::{Context, ExitCode, ProcessError};
use tickpath_service::{Config, Shutdown};

use look::{Look, Looker};
use model::{Flow, Model};
use view::Palette;

/// How long the screen waits for a key before it sees whether there is something new to draw.
const KEY_WAIT: Duration = Duration::from_millis(100);
/// Environment variable that asks programs for no colour: <https://no-color.org>.
const NO_COLOR: &str = "NO_COLOR";

/// Arguments of `tickpath top`.
#[derive(Args)]
pub struct TopArgs {
    /// Print everything once as plain text, as is done when standard output is no terminal.
    #[arg(long)]
    once: bool,
}

/// Shows the pipeline until `q`; or once, and then there must be a relay.
///
/// # Errors
/// If the terminal fails, or there is no relay to print once.
pub fn top(config: &Config, args: &TopArgs) -> Result<(), ProcessError> {
    if args.once || !std::io::stdout().is_terminal() {
        return once(config);
    }
    let shutdown = Shutdown::on_signals().or_exit(ExitCode::Failed, "signals")?;
    // One waits: a screen that was not drawn for long gets the newest look but one, never a queue of old ones.
    let (sender, looks) = mpsc::sync_channel(1);
    let stop = shutdown.clone();
    let looker = Looker::new(config);
    let thread = std::thread::Builder::new().name("look".into());
    let thread = thread
        .spawn(move || looker.run(&stop, &sender))
        .or_exit(ExitCode::Failed, "starting a thread")?;
    let palette = Palette::of_environment(std::env::var_os(NO_COLOR).as_deref());
    let mut model = Model::new(config.relay_socket());
    let shown =
        ratatui::try_init().and_then(|mut terminal| show(&mut terminal, &mut model, palette, &looks, &shutdown));
    ratatui::restore();
    shutdown.request();
    drop(looks);
    if thread.join().is_err() {
        return Err(ProcessError::message(ExitCode::Failed, "the looking thread panicked"));
    }
    shown.or_exit(ExitCode::Failed, "terminal")
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    model: &mut Model,
    palette: Palette,
    looks: &mpsc::Receiver<Look>,
    shutdown: &Shutdown,
) -> std::io::Result<()> {
    let mut is_stale = true;
    while !shutdown.is_requested() {
        for look in looks.try_iter() {
            is_stale |= model.take(look);
        }
        if is_stale {
            terminal.draw(|frame| view::draw(frame, model, palette))?;
            is_stale = false;
        }
        if event::poll(KEY_WAIT)? {
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    if model.press(key) == Flow::Quit {
                        return Ok(());
                    }
                    is_stale = true;
                }
                Event::Resize(..) => is_stale = true,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Two looks a second apart, as text.
fn once(config: &Config) -> Result<(), ProcessError> {
    let mut looker = Looker::new(config);
    let mut model = Model::new(config.relay_socket());
    for pause in [Duration::ZERO, look::INTERVAL] {
        std::thread::sleep(pause);
        let look = looker.look();
        if let Err(error) = &look.sample {
            return Err(ProcessError::message(
                ExitCode::Unavailable,
                format!("no relay answers on {}: {error}", config.relay_socket().display()),
            ));
        }
        model.take(look);
    }
    let text = view::text(&model);
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.or_exit(ExitCode::Failed, "standard output"),
    }
}
