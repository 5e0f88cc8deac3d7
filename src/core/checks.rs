//! How checks on a commit stand.
//!
//! Invariants: GitHub's words for it are read here and nowhere else, so that the server and the
//! publish job never differ; a word that is not known is no success.

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// It has no result yet, or waits for a person to act.
    Pending,
    /// It passed.
    Green,
    /// It failed.
    Red,
    /// It was cut off: timed out, cancelled, never started, or forgotten.
    CutOff,
    /// It did not run, or says neither: no evidence.
    Skipped,
}

impl CheckState {
    /// Reads `status` and `conclusion` of a check run.
    ///
    /// GitHub's API description lists the conclusions. One that it adds later is read as cut off:
    /// nothing is merged or published on it, and no round of repairs is spent on it.
    pub fn of_run(status: Option<&str>, conclusion: Option<&str>) -> Self {
        if status != Some("completed") {
            return Self::Pending;
        }
        match conclusion {
            Some("success") => Self::Green,
            Some("failure") => Self::Red,
            // Such as leave for a newcomer's workflow to run: no failure of anybody's.
            Some("action_required") => Self::Pending,
            Some("neutral" | "skipped") => Self::Skipped,
            _ => Self::CutOff,
        }
    }

    /// Reads `state` of a commit status.
    pub fn of_status(state: &str) -> Self {
        match state {
            "success" => Self::Green,
            "pending" => Self::Pending,
            _ => Self::Red,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_conclusion_that_github_names_is_read_and_a_new_one_is_no_success() {
        for (conclusion, state) in [
            ("success", CheckState::Green),
            ("failure", CheckState::Red),
            ("action_required", CheckState::Pending),
            ("neutral", CheckState::Skipped),
            ("skipped", CheckState::Skipped),
            ("cancelled", CheckState::CutOff),
            ("timed_out", CheckState::CutOff),
            ("startup_failure", CheckState::CutOff),
            ("stale", CheckState::CutOff),
            ("something_new", CheckState::CutOff),
        ] {
            assert_eq!(CheckState::of_run(Some("completed"), Some(conclusion)), state);
            for unfinished in ["queued", "in_progress", "waiting", "requested", "pending"] {
                let state = CheckState::of_run(Some(unfinished), Some(conclusion));
                assert_eq!(state, CheckState::Pending, "{unfinished}");
            }
        }
        assert_eq!(CheckState::of_run(Some("completed"), None), CheckState::CutOff);
        assert_eq!(CheckState::of_run(None, None), CheckState::Pending);
    }
}
