//! From the operator's settings to a model.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::anthropic::Anthropic;
use super::compatible::Compatible;
use super::key::Key;
use super::{Model, ModelError, Price};
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
#[allow(missing_docs)]
pub struct ModelSettings {
    /// Whose protocol it speaks.
    pub provider: Provider,
    /// Its name there.
    pub model: String,
    /// Where, if not at the provider's own address: up to and including the version, such as
    /// `https://llm.corp/v1/`. Without a path, `/v1/` is meant.
    pub base_url: Option<Url>,
    pub key: SecretString,
    /// What it costs, if not the list price. Without either, [`Price::CAUTIOUS`].
    pub price: Option<Price>,
    /// How long it may be silent.
    pub patience: Duration,
    /// Whether it is shown pictures.
    pub sees: bool,
}

impl ModelSettings {
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
    /// As settings name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }

    /// Whose model this is, where its name says so.
    pub fn of(model: &str) -> Option<Self> {
        // A model that somebody trained further is called `ft:MODEL:WHOSE`.
        let name = model.strip_prefix("ft:").unwrap_or(model);
        let is_o = |name: &str| {
            let rest = name.strip_prefix('o');
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        if name.starts_with("claude") {
            Some(Self::Anthropic)
        } else if name.starts_with("gpt-") || name.starts_with("chatgpt-") || is_o(name) {
            Some(Self::OpenAi)
        } else {
            None
        }
    }

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
pub fn connect(settings: &ModelSettings, egress: &Egress) -> Result<Box<dyn Model>, ModelError> {
    let unusable = |detail: String| ModelError::Unusable { detail };
    let base_url = settings.base_url().map_err(|error| unusable(error.to_string()))?;
    egress.check(base_url.as_str()).map_err(|denied| unusable(denied.to_string()))?;
    let key = Key::new(&settings.key).map_err(|detail| unusable(detail.to_owned()))?;
    let price =
        settings.price.or_else(|| Price::listed(&settings.model)).unwrap_or(Price::CAUTIOUS);
    let (model, patience) = (settings.model.clone(), settings.patience);
    Ok(match settings.provider {
        Provider::Anthropic => Box::new(Anthropic::new(
            egress.clone(),
            &base_url,
            model,
            key,
            price,
            patience,
            settings.sees,
        )?),
        Provider::OpenAi => Box::new(Compatible::new(
            egress,
            &base_url,
            model,
            key,
            price,
            patience,
            settings.sees,
        )?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base_url_of(provider: Provider, base_url: Option<&str>) -> String {
        let settings = ModelSettings {
            provider,
            model: String::new(),
            base_url: base_url.map(|url| url.parse().unwrap()),
            key: SecretString::from(""),
            price: None,
            patience: PATIENCE,
            sees: false,
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
    fn the_name_of_a_model_says_whose_it_is_or_nothing() {
        use Provider::{Anthropic, OpenAi};
        for (model, whose) in [
            ("claude-sonnet-4-5", Some(Anthropic)),
            ("gpt-5", Some(OpenAi)),
            ("chatgpt-4o-latest", Some(OpenAi)),
            ("o3-mini", Some(OpenAi)),
            ("ft:gpt-4o-mini:acme::1", Some(OpenAi)),
            ("olmo-2", None),
            ("llama3:8b", None),
            ("", None),
        ] {
            assert_eq!(Provider::of(model), whose, "{model:?}");
        }
        for provider in [Anthropic, OpenAi] {
            assert_eq!(provider.name().parse(), Ok(provider));
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
}
