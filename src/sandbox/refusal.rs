//! Why a machine gives ordinary users no namespaces of their own, and what its administrator does
//! about it.
//!
//! Invariants: only the kernel's settings are asked, and nothing is tried; where none of them
//! forbids it, nothing is guessed.

/// What says so: a file of the kernel's, and the value that forbids namespaces.
const SETTINGS: [(&str, &str, &str); 3] = [
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "This machine allows no user namespaces (user.max_user_namespaces = 0). As root: \
         `sysctl -w user.max_user_namespaces=15000`, and the same line in /etc/sysctl.d to keep it",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "This machine allows user namespaces to root only (kernel.unprivileged_userns_clone = 0). \
         As root: `sysctl -w kernel.unprivileged_userns_clone=1`, and the same line in \
         /etc/sysctl.d to keep it",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor allows user namespaces only to programs with a profile here \
         (kernel.apparmor_restrict_unprivileged_userns = 1, as on Ubuntu since 23.10). As root: \
         `install -m 0644 packaging/apparmor/gander /etc/apparmor.d/gander` and \
         `apparmor_parser --replace /etc/apparmor.d/gander`; docs/install.md, section Ubuntu, \
         says what that allows",
    ),
];

const USUAL: &str = "Unprivileged user namespaces must be allowed for /usr/bin/bwrap, and every \
                     directory it shows must exist and be readable. In a container, see \
                     docs/install.md, section Container";

/// The next step after a sandbox could not be set up here.
pub(super) fn next_step() -> &'static str {
    next_step_by(&|path| std::fs::read_to_string(path).ok())
}

/// Whether AppArmor keeps namespaces from programs without a profile.
pub fn needs_apparmor_profile() -> bool {
    let [.., (path, forbids, _)] = SETTINGS;
    std::fs::read_to_string(path).is_ok_and(|value| value.trim() == forbids)
}

fn next_step_by(setting: &dyn Fn(&str) -> Option<String>) -> &'static str {
    let forbids =
        |(path, value, _): &&(&str, &str, _)| setting(path).is_some_and(|is| is.trim() == *value);
    SETTINGS.iter().find(forbids).map_or(USUAL, |(_, _, step)| step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_that_forbids_namespaces_is_named_with_what_changes_it() {
        let said = |settings: &[(&str, &str)]| {
            next_step_by(&|path| {
                let found = settings.iter().find(|(name, _)| path.ends_with(name));
                found.map(|(_, value)| format!("{value}\n"))
            })
        };
        let allowed = [("max_user_namespaces", "15000"), ("unprivileged_userns_clone", "1")];
        let ubuntu = [&allowed[..], &[("apparmor_restrict_unprivileged_userns", "1")]].concat();
        assert!(said(&ubuntu).contains("apparmor_parser --replace"), "{}", said(&ubuntu));
        let none = said(&[("max_user_namespaces", "0")]);
        assert!(none.contains("sysctl -w user.max_user_namespaces="), "{none}");
        let debian = said(&[("max_user_namespaces", "9"), ("unprivileged_userns_clone", "0")]);
        assert!(debian.contains("sysctl -w kernel.unprivileged_userns_clone=1"), "{debian}");
        assert_eq!(said(&allowed), USUAL);
        assert_eq!(said(&[]), USUAL);
    }
}
