//! From the operator's settings to a model, and what all providers have in common: how their
//! refusals are read, and that the key is in none of the words we pass on.

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::anthropic::Anthropic;
use super::compatible::Compatible;
use super::{Message, Model, ModelError, Part, Price};
use crate::egress::Egress;

/// How long a provider may be silent, before the answer and within it, unless settings differ.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The Messages API.
    Anthropic,
    /// The chat completions API, of OpenAI or whoever offers the same.
    OpenAi,
}

/// What the operator says about a model.
#[derive(Clone)]
pub struct Settings {
    /// Whose protocol it speaks.
    pub provider: Provider,
    /// Its name there.
    pub model: String,
    /// Where, if not at the provider's own address: up to and including the version, such as
    /// `https://llm.corp/v1/`. Without a path, `/v1/` is meant.
    pub base_url: Option<Url>,
    /// The key.
    pub key: SecretString,
    /// What it costs, if not the list price. Without either, [`Price::CAUTIOUS`].
    pub price: Option<Price>,
    /// How long it may be silent.
    pub patience: Duration,
}

impl Settings {
    /// The address that requests go to: its host must be pinned in the egress policy.
    ///
    /// # Errors
    /// Never for an address of the operator; a constant of ours could be wrong.
    pub fn base_url(&self) -> Result<Url, url::ParseError> {
        let mut url = match &self.base_url {
            Some(url) => url.clone(),
            None => Url::parse(self.provider.own_base_url())?,
        };
        match url.path() {
            "" | "/" => url.set_path("/v1/"),
            path if !path.ends_with('/') => url.set_path(&format!("{path}/")),
            _ => {}
        }
        Ok(url)
    }
}

impl Provider {
    fn own_base_url(self) -> &'static str {
        match self {
            Self::Anthropic => "https://api.anthropic.com/v1/",
            Self::OpenAi => "https://api.openai.com/v1/",
        }
    }
}

impl std::str::FromStr for Provider {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "anthropic" => Ok(Self::Anthropic),
            "openai" => Ok(Self::OpenAi),
            _ => Err(()),
        }
    }
}

/// A model to talk to. Connects to nothing yet.
///
/// # Errors
/// When the settings cannot work: an address the egress policy refuses, or a key that is none.
pub fn connect(settings: &Settings, egress: &Egress) -> Result<Box<dyn Model>, ModelError> {
    let unusable = |detail: String| ModelError::Unusable { detail };
    let base_url = settings.base_url().map_err(|error| unusable(error.to_string()))?;
    egress.check(base_url.as_str()).map_err(|denied| unusable(denied.to_string()))?;
    let key = Key::new(&settings.key).map_err(|detail| unusable(detail.to_owned()))?;
    let price =
        settings.price.or_else(|| Price::listed(&settings.model)).unwrap_or(Price::CAUTIOUS);
    let (model, patience) = (settings.model.clone(), settings.patience);
    Ok(match settings.provider {
        Provider::Anthropic => {
            Box::new(Anthropic::new(egress.clone(), &base_url, model, key, price, patience)?)
        }
        Provider::OpenAi => {
            Box::new(Compatible::new(egress, &base_url, model, key, price, patience)?)
        }
    })
}

/// A key that can be sent, and that can be taken out of what others say.
pub(super) struct Key(SecretString);

impl Key {
    fn new(secret: &SecretString) -> Result<Self, &'static str> {
        let key = secret.expose_secret().trim();
        if key.is_empty() {
            return Err("the model key is empty");
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("the model key has characters in it that no key has");
        }
        Ok(Self(SecretString::from(key)))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Somebody else's words, fit to be shown: one short line without the key.
    pub(super) fn quote(&self, words: &str) -> String {
        const LONGEST: usize = 300;
        let clean = words.replace(self.expose(), "[key]");
        let mut line: String =
            clean.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        line.truncate(line.trim_end().len());
        if line.is_empty() { "(it gives no reason)".to_owned() } else { line }
    }
}

/// A provider's answer of a bad status, as an error.
pub(super) fn refusal(
    status: u16,
    headers: &HeaderMap,
    body: &str,
    model: &str,
    key: &Key,
) -> ModelError {
    let words = serde_json::from_str::<Value>(body).ok();
    let words = words.as_ref().and_then(|body| {
        let error = body.get("error")?;
        error.get("message").or(Some(error))?.as_str()
    });
    let detail = key.quote(words.unwrap_or(body));
    ModelError::of_status(status, retry_after(headers), model, detail)
}

/// How long the provider asks us to wait: in seconds or milliseconds. A date is not understood,
/// since this module has no clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds =
        number("retry-after-ms").map(|millis| millis / 1000.0).or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Gives a new id to every call whose id is empty or was used before in the conversation: some
/// providers count from zero in each answer.
pub(super) fn make_ids_unique(parts: &mut [Part], messages: &[Message]) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for message in messages {
        let Message::Assistant(parts) = message else { continue };
        seen.extend(parts.iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(id.clone()),
            _ => None,
        }));
    }
    for part in parts {
        let Part::ToolCall { id, .. } = part else { continue };
        if id.is_empty() || seen.contains(id) {
            let unused = (seen.len()..).map(|n| format!("call_{n}")).find(|id| !seen.contains(id));
            *id = unused.unwrap_or_default();
        }
        seen.insert(id.clone());
    }
}

/// The arguments as an object, which is all that providers take back.
pub(super) fn as_object(arguments: &Value) -> Value {
    match arguments {
        Value::Object(_) => arguments.clone(),
        Value::Null => serde_json::json!({}),
        broken => serde_json::json!({ "unreadable_arguments": broken }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> Key {
        Key::new(&SecretString::from(" sk-very-secret\n")).unwrap_or_else(|_| unreachable!())
    }

    fn base_url_of(provider: Provider, base_url: Option<&str>) -> String {
        let settings = Settings {
            provider,
            model: String::new(),
            base_url: base_url.map(|url| url.parse().unwrap()),
            key: SecretString::from(""),
            price: None,
            patience: PATIENCE,
        };
        settings.base_url().unwrap().into()
    }

    #[test]
    fn a_base_url_may_be_written_in_several_ways() {
        for (written, meant) in [
            ("https://llm.corp", "https://llm.corp/v1/"),
            ("https://llm.corp/v1", "https://llm.corp/v1/"),
            ("https://llm.corp/anthropic/v1/", "https://llm.corp/anthropic/v1/"),
        ] {
            assert_eq!(base_url_of(Provider::Anthropic, Some(written)), meant);
        }
    }

    #[test]
    fn a_provider_is_written_as_people_say_it_and_known_where_it_lives() {
        for (written, meant) in [
            ("anthropic", "https://api.anthropic.com/v1/"),
            ("openai", "https://api.openai.com/v1/"),
        ] {
            let provider: Provider = serde_json::from_value(json!(written)).unwrap();
            assert_eq!(base_url_of(provider, None), meant);
        }
    }

    #[test]
    fn what_a_provider_says_is_one_short_line_without_the_key() {
        assert_eq!(key().quote("bad key\r\n sk-very-secret "), "bad key   [key]");
        assert_eq!(key().quote("  \n"), "(it gives no reason)");
        assert_eq!(key().quote(&"x".repeat(5000)).len(), 300);
    }

    #[test]
    fn a_key_is_trimmed_and_must_be_one() {
        assert_eq!(key().expose(), "sk-very-secret");
        for bad in ["", " \n", "two words", "a\u{0}b", "ключ"] {
            assert!(Key::new(&SecretString::from(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_wait_a_provider_asks_for_is_understood() {
        for (name, value, seconds) in [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", "0.5", Some(0.5)),
            ("retry-after-ms", "1500", Some(1.5)),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", None),
            ("retry-after", "-1", None),
            ("retry-after", "1e300", None),
            ("retry-after", "NaN", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(retry_after(&headers).map(|wait| wait.as_secs_f64()), seconds, "{value}");
        }
    }

    #[test]
    fn repeated_call_ids_are_replaced() {
        let call = |id: &str| Part::ToolCall {
            id: id.to_owned(),
            name: "read".to_owned(),
            arguments: json!({}),
        };
        let earlier = [Message::Assistant(vec![call("call_0"), call("call_1")])];
        let mut parts = [call("call_0"), call(""), call("own"), call("own")];
        make_ids_unique(&mut parts, &earlier);
        let ids: BTreeSet<_> = parts
            .iter()
            .map(|part| match part {
                Part::ToolCall { id, .. } => id.as_str(),
                _ => unreachable!(),
            })
            .collect();
        assert_eq!(ids.len(), 4);
        assert!(ids.contains("own") && !ids.contains("") && !ids.contains("call_0"));
    }
}
