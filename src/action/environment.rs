//! What of a job's environment *test* and *build* keep, and what of that a command is given.
//!
//! Invariants: a variable is kept because it is named here, not because it looks harmless; none
//! that is named holds a token, or is a file that the runner obeys.

/// What the modes ask for themselves. No command is given these.
const OWN: &[&str] = &[
    "GANDER_INPUT_CHEATS",
    "GANDER_INPUT_COMMIT",
    "GANDER_INPUT_DIRECTORY",
    "GANDER_INPUT_PACKAGE",
    "GANDER_INPUT_PULL",
    "GANDER_INPUT_RELEASE",
    "GANDER_LOG",
    "GANDER_LOG_FORMAT",
    "GITHUB_OUTPUT",
    "GITHUB_STEP_SUMMARY",
    "RUNNER_ENVIRONMENT",
];

/// What builds ask for.
const GIVEN: &[&str] = &[
    // The machine, and the person's settings.
    "HOME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PKG_CONFIG_PATH",
    "SHELL",
    "SOURCE_DATE_EPOCH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "TZ",
    "USER",
    // Toolchains.
    "AGENT_TOOLSDIRECTORY",
    "ANDROID_HOME",
    "ANDROID_NDK_HOME",
    "ANDROID_SDK_ROOT",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "CC",
    "CXX",
    "DOTNET_ROOT",
    "GEM_HOME",
    "GOPATH",
    "GOROOT",
    "GOTOOLCHAIN",
    "JAVA_HOME",
    "NODE_EXTRA_CA_CERTS",
    "NVM_DIR",
    "PNPM_HOME",
    "PYENV_ROOT",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "VIRTUAL_ENV",
    "VOLTA_HOME",
    "pythonLocation",
    // The job.
    "CI",
    "GITHUB_ACTOR",
    "GITHUB_API_URL",
    "GITHUB_BASE_REF",
    "GITHUB_EVENT_NAME",
    "GITHUB_HEAD_REF",
    "GITHUB_JOB",
    "GITHUB_REF",
    "GITHUB_REF_NAME",
    "GITHUB_REF_TYPE",
    "GITHUB_REPOSITORY",
    "GITHUB_REPOSITORY_ID",
    "GITHUB_REPOSITORY_OWNER",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_RUN_ID",
    "GITHUB_RUN_NUMBER",
    "GITHUB_SERVER_URL",
    "GITHUB_SHA",
    "GITHUB_WORKFLOW",
    "GITHUB_WORKSPACE",
    "RUNNER_ARCH",
    "RUNNER_OS",
    "RUNNER_TEMP",
    "RUNNER_TOOL_CACHE",
];

/// Beginnings of such names: `JAVA_HOME_17_X64`.
const GIVEN_FAMILIES: &[&str] = &["GOROOT_", "JAVA_HOME_", "LC_"];

/// Given where no password stands in them.
const PROXIES: &[&str] = &["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];

/// What *test* and *build* go on with.
pub fn kept(environment: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let kept =
        |(name, value): &(String, String)| OWN.contains(&name.as_str()) || is_given(name, value);
    environment.into_iter().filter(kept).collect()
}

/// What a command is given where the runner itself is the sandbox.
pub fn given(environment: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    environment.into_iter().filter(|(name, value)| is_given(name, value)).collect()
}

fn is_given(name: &str, value: &str) -> bool {
    let proxy = PROXIES.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
    GIVEN.contains(&name)
        || GIVEN_FAMILIES.iter().any(|family| name.starts_with(family))
        || proxy && !value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_whose_name_says_that_it_is_a_secret_or_obeyed() {
        let secret = ["TOKEN", "SECRET", "PASSWORD", "KEY", "AUTH", "ACTIONS_", "BASH_ENV"];
        let obeyed = ["GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"];
        for name in OWN.iter().chain(GIVEN).chain(GIVEN_FAMILIES).chain(PROXIES) {
            assert!(!secret.iter().any(|part| name.contains(part)), "{name}");
            assert!(!obeyed.contains(name), "{name}");
        }
        assert!(GIVEN.iter().all(|name| !OWN.contains(name)));
    }

    #[test]
    fn a_proxy_is_given_unless_its_password_would_be() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let open = [pair("https_proxy", "http://proxy:3128"), pair("NO_PROXY", "localhost")];
        assert_eq!(given(open.clone()), open);
        assert!(kept([pair("HTTPS_PROXY", "http://mona:secret@proxy:3128")]).is_empty());
    }
}
