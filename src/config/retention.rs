//! `[retention]`: how long what is over is kept.

use serde::Deserialize;

use super::ConfigError;
use crate::core::retention::Retention;

/// In days; 0: for good.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct FileRetention {
    jobs: Option<u32>,
    ledger: Option<u32>,
}

/// Deliveries are known for so long, and may come again.
const FEWEST_DAYS_OF_JOBS: u32 = 30;
/// What merged pull requests came to is told of the last 90 days.
const FEWEST_DAYS_OF_LEDGER: u32 = 90;

pub(super) fn read(file: &FileRetention) -> Result<Retention, ConfigError> {
    let usual = Retention::default();
    Ok(Retention {
        jobs: days("[retention] jobs", file.jobs, usual.jobs, FEWEST_DAYS_OF_JOBS)?,
        ledger: days("[retention] ledger", file.ledger, usual.ledger, FEWEST_DAYS_OF_LEDGER)?,
    })
}

fn days(
    name: &'static str,
    given: Option<u32>,
    usual: Option<u32>,
    fewest: u32,
) -> Result<Option<u32>, ConfigError> {
    match given {
        None => Ok(usual),
        Some(0) => Ok(None),
        Some(days) if days < fewest => {
            let why = format!("{days} days are too few: write {fewest} or more, or 0 to keep all");
            Err(ConfigError::Bad { name, why })
        }
        Some(days) => Ok(Some(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_too_short_a_time_is_refused_and_nothing_means_for_good() {
        let of = |text: &str| read(&toml::from_str(text).unwrap());
        assert_eq!(of("").unwrap(), Retention { jobs: Some(365), ledger: Some(400) });
        let all = of("jobs = 0\nledger = 0").unwrap();
        assert_eq!(all, Retention { jobs: None, ledger: None });
        assert_eq!(of("jobs = 30").unwrap().jobs, Some(30));
        for (text, told) in [("jobs = 29", "30 or more"), ("ledger = 89", "90 or more")] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.starts_with("[retention]") && error.contains(told), "{error}");
        }
    }
}
