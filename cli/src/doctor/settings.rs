//! The configuration, and who may read the secrets that it names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tickpath_engine::process::setup;
use tickpath_service::Config;

use super::finding::Findings;

/// Bits of a mode that let users other than owner and group in.
const OTHERS: u32 = 0o007;

/// The configuration, which is the default one if the file is wrong.
pub fn check(path: Option<&Path>, findings: &mut Findings) -> Config {
    let name = path.unwrap_or(Path::new("tickpath.toml"));
    let config = Config::load(path).and_then(|config| setup::check(&config, name).map(|()| config));
    let config = match config {
        Ok(config) => {
            let what = if path.is_some() || name.is_file() {
                name.display().to_string()
            } else {
                "the defaults".into()
            };
            findings.ok("config.valid", format!("{what}: valid"));
            config
        }
        Err(error) => {
            findings.fail(
                "config.valid",
                error.to_string(),
                "correct it; `tickpath check` names the line. Everything below is judged by the defaults",
            );
            Config::default()
        }
    };
    secret_files(&config, findings);
    passwords(&config, name, findings);
    config
}

/// Every file that the configuration names as a secret: a key that ends in `_file`.
fn secret_files(config: &Config, findings: &mut Findings) {
    let mut named = Vec::new();
    collect(&serde_json::to_value(config).unwrap_or_default(), "", &mut named);
    let mut fine = 0;
    for (key, path) in &named {
        let fix = |what: &str| format!("{what} {}", path.display());
        match fs::metadata(path) {
            Err(error) => findings.fail(
                "secrets.files",
                format!("`{key}`: {}: {error}", path.display()),
                fix("put the secret, mode 600, into"),
            ),
            Ok(metadata) if metadata.permissions().mode() & OTHERS != 0 => {
                let mode = metadata.permissions().mode() & 0o777;
                findings.fail(
                    "secrets.files",
                    format!("`{key}`: others may read {} (mode {mode:o})", path.display()),
                    fix("chmod 600"),
                );
            }
            Ok(_) => fine += 1,
        }
    }
    if fine == named.len() {
        let found = match fine {
            0 => "the configuration names no files with secrets".to_owned(),
            fine => format!("{fine} files with secrets, none open to others"),
        };
        findings.ok("secrets.files", found);
    }
}

/// Non-empty texts under keys that end in `_file`, by their full key.
fn collect(value: &Value, prefix: &str, named: &mut Vec<(String, PathBuf)>) {
    let Value::Object(table) = value else { return };
    for (key, value) in table {
        let full = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::String(path) if key.ends_with("_file") && !path.is_empty() => named.push((full, path.into())),
            value => collect(value, &full, named),
        }
    }
}

/// The configuration itself, if a password stands in it, and what `tickpath up` made of it.
fn passwords(config: &Config, path: &Path, findings: &mut Findings) {
    let effective = config.runtime_dir().join("effective.toml");
    let read = |path: &Path| {
        Config::load(Some(path))
            .ok()
            .is_some_and(|config| has_password(config.database.url.expose()))
    };
    let open = [path, &effective].into_iter().filter_map(|path| {
        let mode = fs::metadata(path).ok()?.permissions().mode();
        (mode & OTHERS != 0 && read(path)).then(|| (path.to_owned(), mode & 0o777))
    });
    let open: Vec<(PathBuf, u32)> = open.collect();
    for (path, mode) in &open {
        findings.fail(
            "secrets.config",
            format!(
                "{} holds the database's password, and others may read it (mode {mode:o})",
                path.display()
            ),
            format!(
                "chmod 600 {}; or `database.url_file` instead of `database.url`",
                path.display()
            ),
        );
    }
    if open.is_empty() {
        findings.ok("secrets.config", "no configuration with a password is open to others");
    }
}

/// Whether `postgres://user:password@host/…` has a password.
fn has_password(url: &str) -> bool {
    let authority = url
        .split_once("://")
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty()) || url.contains("password=")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn levels(text: &str, mode: u32, secret_mode: Option<u32>) -> Vec<(&'static str, Level)> {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("token");
        if let Some(mode) = secret_mode {
            fs::write(&secret, "t0ken").unwrap();
            fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = dir.path().join("tickpath.toml");
        let text = text.replace("SECRET", &secret.display().to_string());
        fs::write(&path, format!("runtime_dir = \"{}\"\n{text}", dir.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let mut findings = Findings::default();
        check(Some(&path), &mut findings);
        assert!(findings.text().find("s3cret").is_none(), "{}", findings.text());
        findings
            .all()
            .iter()
            .map(|finding| (finding.id, finding.level))
            .collect()
    }

    #[test]
    fn modes_of_secrets() {
        let fine = [
            ("config.valid", Level::Ok),
            ("secrets.files", Level::Ok),
            ("secrets.config", Level::Ok),
        ];
        let token = "[bridge]\ntoken_file = \"SECRET\"\n";
        let database = "[database]\nurl = \"postgres://me:s3cret@localhost/ticks\"\n";
        assert_eq!(levels("", 0o644, None), fine);
        assert_eq!(levels(token, 0o644, Some(0o640)), fine);
        assert_eq!(levels(token, 0o644, Some(0o644))[1], ("secrets.files", Level::Failure));
        assert_eq!(levels(token, 0o644, None)[1], ("secrets.files", Level::Failure));
        assert_eq!(levels(database, 0o600, None), fine);
        assert_eq!(levels(database, 0o644, None)[2], ("secrets.config", Level::Failure));
        assert_eq!(
            levels("[database]\nurl = \"postgres://me@localhost/ticks\"\n", 0o644, None),
            fine
        );
    }

    #[test]
    fn a_wrong_configuration_is_a_finding_and_not_the_end() {
        let found = levels("[relay]\nwait = \"nap\"\n", 0o644, None);
        assert_eq!(found[0], ("config.valid", Level::Failure));
        assert_eq!(found.len(), 3);
        let mut findings = Findings::default();
        check(Some(Path::new("/nowhere/tickpath.toml")), &mut findings);
        assert_eq!(findings.all()[0].level, Level::Failure);
    }

    #[test]
    fn passwords_in_addresses() {
        for (url, expected) in [
            ("postgres://me:s3cret@localhost/ticks", true),
            ("postgres://me:@localhost/ticks", false),
            ("postgres://me@localhost:5432/ticks", false),
            ("postgres:///ticks?host=/run&password=x", true),
            ("", false),
        ] {
            assert_eq!(has_password(url), expected, "{url}");
        }
    }
}
