//! `[slack]`: off unless something of it is set, and then all of it is needed.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{ConfigError, MissingSetting, secret, url};

/// Slack, and who we are there.
#[derive(Debug)]
pub struct SlackSettings {
    /// Our App, `A…`.
    pub app_id: String,
    /// The one workspace, `T…`.
    pub team_id: String,
    /// The bot's token, `xoxb-…`.
    pub bot_token: SecretString,
    /// What Slack signs its requests with.
    pub signing_secret: SecretString,
    /// The Web API.
    pub api_url: Url,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileSlack {
    app_id: Option<String>,
    team_id: Option<String>,
    bot_token_file: Option<PathBuf>,
    signing_secret_file: Option<PathBuf>,
    api_url: Option<String>,
}

const BOT_TOKEN: MissingSetting = MissingSetting {
    name: "GANDER_SLACK_BOT_TOKEN",
    key: "[slack] bot_token_file",
    help: "The App's page on Slack shows it under OAuth & Permissions, once it is installed.",
};
const SIGNING_SECRET: MissingSetting = MissingSetting {
    name: "GANDER_SLACK_SIGNING_SECRET",
    key: "[slack] signing_secret_file",
    help: "The App's page on Slack shows it under Basic Information.",
};
const APP_ID: MissingSetting = MissingSetting {
    name: "GANDER_SLACK_APP_ID",
    key: "[slack] app_id",
    help: "The App's page on Slack shows it under Basic Information; it begins with A.",
};
const TEAM_ID: MissingSetting = MissingSetting {
    name: "GANDER_SLACK_TEAM_ID",
    key: "[slack] team_id",
    help: "It stands in the workspace's address, app.slack.com/client/T…",
};

pub(super) fn read(
    file: FileSlack,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<SlackSettings>, ConfigError> {
    let path = |name: &str| variable(name).map(PathBuf::from);
    let bot_token = secret(
        variable(BOT_TOKEN.name),
        path("GANDER_SLACK_BOT_TOKEN_FILE").or(file.bot_token_file),
    )?;
    let signing_secret = secret(
        variable(SIGNING_SECRET.name),
        path("GANDER_SLACK_SIGNING_SECRET_FILE").or(file.signing_secret_file),
    )?;
    let app_id = variable(APP_ID.name).or(file.app_id);
    let team_id = variable(TEAM_ID.name).or(file.team_id);
    let (app_id, team_id, bot_token, signing_secret) =
        match (app_id, team_id, bot_token, signing_secret) {
            (None, None, None, None) => return Ok(None),
            (Some(app), Some(team), Some(token), Some(secret)) => (app, team, token, secret),
            (app, team, token, secret) => {
                let all = [
                    (app.is_none(), APP_ID),
                    (team.is_none(), TEAM_ID),
                    (token.is_none(), BOT_TOKEN),
                    (secret.is_none(), SIGNING_SECRET),
                ];
                let missing = all.into_iter().filter_map(|(is, it)| is.then_some(it));
                return Err(ConfigError::Missing(missing.collect()));
            }
        };
    let api_url = url("[slack] api_url", file.api_url, "https://slack.com/api/")?;
    Ok(Some(SlackSettings { app_id, team_id, bot_token, signing_secret, api_url }))
}

impl SlackSettings {
    /// Its secrets, by the names that people are told.
    pub(super) fn secrets(&self) -> [(&'static str, &SecretString); 2] {
        [("Slack's bot token", &self.bot_token), ("Slack's signing secret", &self.signing_secret)]
    }
}
