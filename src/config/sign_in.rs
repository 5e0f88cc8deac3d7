//! What people sign in with: the App's client ID and secret, and the address that leads here.

use std::path::PathBuf;

use secrecy::SecretString;
use url::{Host, Url};

use super::{ConfigError, FileGitHub, secret, url};

/// All that signing in needs. Where a part of it is missing, nobody can.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct SignInSettings {
    /// Where people and GitHub reach this server.
    pub public_url: Url,
    pub client_id: String,
    pub client_secret: SecretString,
}

pub(super) fn read(
    public_url: Option<String>,
    file: &FileGitHub,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<SignInSettings>, ConfigError> {
    let public_url = variable("GANDER_PUBLIC_URL").or(public_url).map(own_address).transpose()?;
    let client_id = variable("GANDER_CLIENT_ID").or_else(|| file.client_id.clone());
    let secret_file = variable("GANDER_CLIENT_SECRET_FILE").map(PathBuf::from);
    let secret_file = secret_file.or_else(|| file.client_secret_file.clone());
    let client_secret = secret(variable("GANDER_CLIENT_SECRET"), secret_file)?;
    let all = public_url.zip(client_id).zip(client_secret);
    Ok(all.map(|((public_url, client_id), client_secret)| SignInSettings {
        public_url,
        client_id,
        client_secret,
    }))
}

/// An address over which a session may go: encrypted, or on this very machine.
fn own_address(text: String) -> Result<Url, ConfigError> {
    let name = "GANDER_PUBLIC_URL";
    let url = url(name, Some(text), "")?;
    let bad = |why: String| Err(ConfigError::Bad { name, why });
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !here {
        return bad(format!("{url} is not https, so sessions would cross the network unencrypted"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return bad(format!(
            "{} holds more than a host and a path",
            url.origin().ascii_serialization()
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(given: &[(&str, &str)]) -> Result<Option<SignInSettings>, ConfigError> {
        let find = |name: &str| {
            let found = given.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        read(None, &FileGitHub::default(), &find)
    }

    const ID: (&str, &str) = ("GANDER_CLIENT_ID", "Iv1");
    const SECRET: (&str, &str) = ("GANDER_CLIENT_SECRET", "shh");
    const URL: (&str, &str) = ("GANDER_PUBLIC_URL", "https://gander.example/bot");

    #[test]
    fn people_can_sign_in_only_where_all_of_it_is_set() {
        for some in [&[][..], &[ID], &[ID, SECRET], &[ID, URL], &[SECRET, URL]] {
            assert!(read_from(some).unwrap().is_none(), "{some:?}");
        }
        let all = read_from(&[ID, SECRET, URL]).unwrap().unwrap();
        assert_eq!((all.client_id.as_str(), all.public_url.path()), ("Iv1", "/bot"));
        assert!(!format!("{all:?}").contains("shh"));
    }

    #[test]
    fn an_address_that_would_show_a_session_to_the_network_is_refused() {
        for (address, why) in [
            ("http://gander.example", "is not https"),
            ("http://127.0.0.1.gander.example", "is not https"),
            ("https://gander.example/?a=b", "more than a host and a path"),
            ("https://me@gander.example/", "more than a host and a path"),
            ("gander.example", "relative URL"),
        ] {
            let error = read_from(&[("GANDER_PUBLIC_URL", address)]).unwrap_err().to_string();
            assert!(error.starts_with("GANDER_PUBLIC_URL cannot be used: "), "{error}");
            assert!(error.contains(why), "{error}");
        }
        for here in ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080"] {
            assert!(read_from(&[("GANDER_PUBLIC_URL", here)]).is_ok(), "{here}");
        }
    }
}
