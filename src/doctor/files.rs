//! Outside the database: settings, the secret key, and the folder of an SQLite database.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use usher_shared::foundation::config::Config;

use super::finding::Finding;

/// Where settings come from.
pub(super) fn settings(config: &Config) -> Finding {
    Finding::Ok(match &config.settings_file {
        Some(file) => format!("readable, also from {}", file.display()),
        None => format!("readable; there is no config/{}.toml", config.environment),
    })
}

pub(super) fn secret_key(config: &Config) -> Finding {
    if !config.has_secret_key {
        return Finding::Warning(
            "not set: api, admin and worker need it, and so does the check of the audit log".to_owned(),
        );
    }
    if let Some(weakness) = config.secret_key.weakness() {
        return Finding::Wrong(format!("{weakness}: create one with openssl rand -base64 48"));
    }
    Finding::Ok(match config.secret_key.is_being_replaced() {
        true => "random; keys in SECRET_KEY_OLD are accepted too".to_owned(),
        false => "random".to_owned(),
    })
}

/// Whether other users of this machine can read the database file and those beside it.
pub(super) fn folder(config: &Config) -> Finding {
    let Some(file) = config.database_url.strip_prefix("sqlite://") else {
        return Finding::Ok("not needed: nothing is kept on disk".to_owned());
    };
    let file = Path::new(file.split('?').next().unwrap_or(file));
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let open = |path: &Path| {
        let mode = fs::metadata(path).map(|about| about.permissions().mode() & 0o777);
        mode.map(|mode| (mode & 0o077 != 0, mode))
    };
    match open(folder) {
        Err(error) => Finding::Wrong(format!("{}: {error}", folder.display())),
        Ok((false, _)) => Finding::Ok(format!("only its owner can read {}", folder.display())),
        Ok((true, mode)) => match open(file) {
            Ok((false, _)) => Finding::Ok(format!("only its owner can read {}", file.display())),
            _ => Finding::Warning(format!(
                "{} has mode {mode:o}: other users of this machine can read the database; chmod 700",
                folder.display()
            )),
        },
    }
}
