//! `tickpath check`: whether the configuration is right, and what it comes to.

use std::path::Path;

use tickpath_engine::process::setup;
use tickpath_service::Config;
use tickpath_service::config::engine::ExecutionVenue;
use tickpath_service::config::{Pattern, Venues};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

/// Prints what the configuration comes to.
///
/// # Errors
/// If it is wrong; the message names file and line.
pub fn check(path: Option<&Path>) -> Result<(), ProcessError> {
    let config = Config::load(path).or_exit(ExitCode::BadInput, "configuration")?;
    setup::check(&config, path.unwrap_or(Path::new("tickpath.toml"))).or_exit(ExitCode::BadInput, "configuration")?;
    let venues = match config.venues {
        Venues::Simulated => "simulated venues",
        Venues::Live => "real venues",
    };
    println!("configuration is valid: {venues}");
    println!(
        "relay      {}, {} slots",
        config.relay_socket().display(),
        config.relay.capacity.0
    );
    let token = config.bridge.token().or_exit(ExitCode::BadInput, "configuration")?;
    config.database.url().or_exit(ExitCode::BadInput, "configuration")?;
    let who = if token.is_some() {
        "with the token"
    } else {
        "without a token"
    };
    println!("bridge     {} {who}", config.bridge.url());
    for (venue, collector) in config.enabled_collectors() {
        let symbols = collector.symbols.unwrap_or_default();
        let symbols: Vec<&str> = symbols.iter().map(Pattern::as_str).collect();
        let url = collector.ws_url.map(String::from).unwrap_or_default();
        println!("collector  {venue}: {} from {url}", symbols.join(", "));
    }
    if config.engine.enabled {
        for strategy in &config.engine.strategy {
            let markets: Vec<String> = strategy.instruments.iter().cloned().map(String::from).collect();
            println!(
                "strategy   {}: {} on {}, {}",
                strategy.name,
                strategy.kind,
                markets.join(", "),
                match config.engine.venue {
                    ExecutionVenue::Paper => "on paper",
                    ExecutionVenue::Simulated => "at the simulated venue",
                }
            );
        }
        println!("kill latch {}", config.kill_latch().display());
    }
    Ok(())
}
