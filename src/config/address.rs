//! How people address Gander: a slash command, and maybe a mention that means the same.

use super::ConfigError;

pub(super) fn prefix(text: Option<String>) -> Result<String, ConfigError> {
    let text = text.unwrap_or_else(|| "/gander".to_owned());
    let good = text.len() > 1
        && text.starts_with('/')
        && text[1..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if good {
        return Ok(text);
    }
    let why = format!("{text:?} is not a slash command such as /gander");
    Err(ConfigError::Bad { name: "[github] prefix", why })
}

pub(super) fn mention(text: Option<String>) -> Result<Option<String>, ConfigError> {
    let named = |text: &str| text.len() > 1 && text.starts_with('@') && !text.contains(' ');
    match text {
        Some(text) if !named(&text) => {
            let why = format!("{text:?} is not a mention such as @my-gander");
            Err(ConfigError::Bad { name: "[github] mention", why })
        }
        text => Ok(text),
    }
}
