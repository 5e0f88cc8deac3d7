//! Other servers that keep GitHub's description: what it leaves optional is not there, and what it
//! leaves open is otherwise.

use serde_json::Value;

use super::answer::{Answer, Content};
use super::{Emulator, Trouble};

/// How answers differ from those of github.com.
#[derive(Debug, Default)]
pub(crate) struct ServerProfile {
    left_out: Vec<String>,
    other_host: Option<String>,
}

impl ServerProfile {
    /// Changes an answer as the other server would give it.
    pub(crate) fn apply(&self, answer: &mut Answer) {
        if let Content::Json(json) = &mut answer.content {
            self.leave_out(json);
        }
        let Some(host) = &self.other_host else { return };
        for (_, value) in answer.headers.iter_mut().filter(|(name, _)| name == "link") {
            *value = value.split("://127.0.0.1").collect::<Vec<_>>().join(&format!("://{host}"));
        }
    }

    fn leave_out(&self, json: &mut Value) {
        match json {
            Value::Object(fields) => {
                fields.retain(|name, _| !self.left_out.contains(name));
                fields.values_mut().for_each(|value| self.leave_out(value));
            }
            Value::Array(items) => items.iter_mut().for_each(|value| self.leave_out(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl Emulator {
    /// From now on these fields, which GitHub's description calls optional, stand in no answer.
    pub fn leave_out(&self, fields: &[&str]) {
        self.lock().profile.left_out = fields.iter().map(|field| (*field).to_owned()).collect();
    }

    /// From now on links to the next page name this host, by which the server also goes.
    ///
    /// # Errors
    /// When it is no name of a host.
    pub fn goes_by(&self, host: &str) -> Result<(), Trouble> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if host.is_empty() || !host.chars().all(plain) {
            return Err(Trouble::unknown("host", host));
        }
        self.lock().profile.other_host = Some(host.to_owned());
        Ok(())
    }
}
