//! `tickpath.toml`.

use std::path::Path;

use tickpath_service::Config;

/// A configuration.
///
/// # Panics
/// If one that is accepted does not read back as itself, or an error does not name the file.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("fuzz.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            let again = Config::parse(&config.to_toml(), path).expect("what was accepted is accepted again");
            assert_eq!(
                again.to_toml(),
                config.to_toml(),
                "a configuration reads back as itself"
            );
        }
        Err(error) => assert!(error.to_string().starts_with("fuzz.toml"), "{error}"),
    }
}
