//! Keys of a venue that wants a login: from files or the environment, never from arguments, never in a log.

use std::path::Path;

use tickpath_service::config::{Collector, Secret, Venues};

use super::SessionError;
use crate::dialect::alpaca::auth_frame;

/// Environment variables that hold Alpaca's keys, as its own tools name them.
const KEY_ID_ENV: &str = "APCA_API_KEY_ID";
const SECRET_KEY_ENV: &str = "APCA_API_SECRET_KEY";
/// What the simulator takes.
const SIMULATED: &str = "simulated";

/// A key and its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    id: Key,
    secret: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Real(Secret),
    Simulated,
}

impl Key {
    fn expose(&self) -> &str {
        match self {
            Key::Real(secret) => secret.expose(),
            Key::Simulated => SIMULATED,
        }
    }
}

impl Keys {
    /// The keys that the configuration names; those of the simulator where it names none and venues are simulated.
    ///
    /// # Errors
    /// If one is missing or its file is not fit for a secret.
    pub fn find(collector: &Collector, venues: Venues) -> Result<Keys, SessionError> {
        let id = find(&collector.key_id_file, KEY_ID_ENV)?;
        let secret = find(&collector.secret_key_file, SECRET_KEY_ENV)?;
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Keys {
                id: Key::Real(id),
                secret: Key::Real(secret),
            }),
            _ if venues == Venues::Simulated => Ok(Keys::simulated()),
            (id, _) => {
                let (key, file) = match id {
                    None => (KEY_ID_ENV, "key_id_file"),
                    Some(_) => (SECRET_KEY_ENV, "secret_key_file"),
                };
                Err(SessionError::Configuration(format!(
                    "Alpaca wants keys: set `collectors.alpaca.{file}` to a file that holds it, or {key} in the environment"
                )))
            }
        }
    }

    /// The simulator's.
    #[must_use]
    pub fn simulated() -> Keys {
        Keys {
            id: Key::Simulated,
            secret: Key::Simulated,
        }
    }

    /// The frame of the login.
    pub(super) fn login_frame(&self) -> String {
        auth_frame(self.id(), self.secret())
    }

    pub(super) fn id(&self) -> &str {
        self.id.expose()
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose()
    }
}

fn find(file: &Path, variable: &str) -> Result<Option<Secret>, SessionError> {
    if file.as_os_str().is_empty() {
        return Ok(Secret::from_env(variable));
    }
    match Secret::from_file(file) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) => Err(SessionError::Configuration(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_files_and_are_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            std::fs::write(&path, format!("value of {name}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let collector = Collector {
            key_id_file: file("id"),
            secret_key_file: file("secret"),
            ..Collector::default()
        };
        let keys = Keys::find(&collector, Venues::Live).unwrap();
        assert_eq!((keys.id(), keys.secret()), ("value of id", "value of secret"));
        assert!(!format!("{keys:?}").contains("value"));
        let missing = Collector {
            secret_key_file: dir.path().join("nothing"),
            ..collector
        };
        let error = Keys::find(&missing, Venues::Live).unwrap_err();
        assert_eq!(error.exit_code(), tickpath_service::ExitCode::BadInput);
        assert!(error.to_string().contains("nothing"));
    }
}
