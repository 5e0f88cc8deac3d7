//! The address of a PostgreSQL server. It holds a password, so it is a secret as a whole.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{ConfigError, key_file, secret};

const NAME: &str = "GANDER_DATABASE";
const EXAMPLE: &str = "postgres://gander@db.example/gander";
/// What may stand behind the question mark.
const PARAMETERS: [&str; 5] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// The address of a PostgreSQL database that was typed; its password may come by variable or file.
///
/// # Errors
/// When it is none, or the password cannot be read.
pub fn database_address(
    typed: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<SecretString, ConfigError> {
    let file = variable("GANDER_DATABASE_PASSWORD_FILE").map(PathBuf::from);
    let password = secret(variable("GANDER_DATABASE_PASSWORD"), file)?;
    Ok(address(Some(typed.to_owned()), None, password)?.unwrap_or_default())
}

/// The address, checked and with its password. None of it is shown in an error: of what cannot be
/// read nobody knows where the password begins.
///
/// # Errors
/// When it is no such address, or a password stands in `file`, which others can read.
pub(super) fn address(
    from_variable: Option<String>,
    in_file: Option<(String, Option<&Path>)>,
    password: Option<SecretString>,
) -> Result<Option<SecretString>, ConfigError> {
    let (text, file) = match (from_variable, in_file) {
        (Some(text), _) => (text, None),
        (None, Some((text, file))) => (text, file),
        (None, None) => return Ok(None),
    };
    let bad = |why: String| ConfigError::Bad { name: NAME, why };
    let mut url = Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
        .ok_or_else(|| bad(format!("it is no address such as {EXAMPLE}")))?;
    if url.username().is_empty() {
        return Err(bad(format!("it names no user, as {EXAMPLE} does before the @")));
    }
    if url.path().trim_matches('/').is_empty() {
        return Err(bad(format!("it names no database, as {EXAMPLE} does at its end")));
    }
    for (name, value) in url.query_pairs() {
        if !PARAMETERS.contains(&&*name) {
            return Err(bad(format!(
                "{name:?} is none of the parameters that it may have: {}",
                PARAMETERS.join(", ")
            )));
        }
        if name == "sslmode" && !MODES.contains(&&*value) {
            return Err(bad(format!("sslmode is one of {}", MODES.join(", "))));
        }
    }
    if url.password().is_some()
        && let Some(path) = file
        && let Some(mode) = key_file::open_to_others(path)
            .map_err(|source| ConfigError::Unreadable(path.to_owned(), source))?
    {
        return Err(ConfigError::OpenToOthers { path: path.to_owned(), mode });
    }
    if let Some(password) = password {
        let cannot = |()| bad("such an address takes no password".to_owned());
        url.set_password(Some(password.expose_secret())).map_err(cannot)?;
    }
    Ok(Some(String::from(url).into()))
}

/// The password in an address, as it is, and as it stands there.
pub(super) fn passwords(address: &SecretString) -> Vec<SecretString> {
    let url = Url::parse(address.expose_secret()).ok();
    let written = url.as_ref().and_then(|url| url.password()).unwrap_or_default();
    let plain = percent_decode_str(written).decode_utf8_lossy().into_owned();
    let mut all = vec![SecretString::from(written.to_owned())];
    if plain != written {
        all.push(plain.into());
    }
    all
}
