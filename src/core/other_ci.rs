//! CI systems besides GitHub Actions, by the files that tell them what to run.
//!
//! Invariants: only names are looked at; a file of that name counts whether or not the system is
//! connected, for GitHub tells an App of neither.

/// A system, and where its files stand.
struct CiSystem {
    name: &'static str,
    /// From the root, folded: names (with one `*` for anything), and directories (`x/`).
    files: &'static str,
    /// Whether its files may stand in any directory.
    anywhere: bool,
}

const fn at_root(name: &'static str, files: &'static str) -> CiSystem {
    CiSystem { name, files, anywhere: false }
}

const fn anywhere(name: &'static str, files: &'static str) -> CiSystem {
    CiSystem { name, files, anywhere: true }
}

const SYSTEMS: &[CiSystem] = &[
    at_root("CircleCI", ".circleci/"),
    at_root("GitLab CI", ".gitlab-ci.yml .gitlab-ci.yaml"),
    anywhere("Azure Pipelines", "azure-pipelines* .azure-pipelines* .azure-pipelines/"),
    anywhere("Jenkins", "jenkinsfile* *.jenkinsfile"),
    at_root("Travis CI", ".travis.yml .travis.yaml"),
    at_root("Buildkite", ".buildkite/ buildkite.yml buildkite.yaml .buildkite.yml"),
    at_root("Drone", ".drone.yml .drone.yaml .drone.jsonnet .drone.star"),
    at_root("Woodpecker", ".woodpecker.yml .woodpecker.yaml .woodpecker/"),
    at_root("Cirrus CI", ".cirrus.yml .cirrus.yaml .cirrus.star"),
    at_root("Bitbucket Pipelines", "bitbucket-pipelines.yml"),
    at_root("AppVeyor", "appveyor.yml appveyor.yaml .appveyor.yml .appveyor.yaml"),
    at_root("Semaphore", ".semaphore/"),
    at_root("TeamCity", ".teamcity/"),
    at_root("AWS CodeBuild", "buildspec.yml buildspec.yaml"),
    at_root("AWS Amplify", "amplify.yml"),
    at_root("Google Cloud Build", "cloudbuild.yml cloudbuild.yaml cloudbuild.json"),
    at_root("Bitrise", "bitrise.yml"),
    at_root("Codefresh", "codefresh.yml .codefresh/"),
    at_root("Codemagic", "codemagic.yaml"),
    at_root("CodeShip", "codeship-services.yml codeship-steps.yml"),
    at_root("Wercker", "wercker.yml"),
    at_root("Harness", ".harness/"),
    at_root("Tekton", ".tekton/"),
    at_root("Zuul", ".zuul.yaml zuul.yaml .zuul.d/ zuul.d/"),
    at_root("Prow", ".prow.yaml .prow/"),
    at_root("Packit", ".packit.yaml .packit.yml packit.yaml"),
    at_root("Taskcluster", ".taskcluster.yml"),
    at_root("SourceHut", ".build.yml .builds/"),
    at_root("Gitea Actions", ".gitea/"),
    at_root("Forgejo Actions", ".forgejo/"),
    at_root("Netlify", "netlify.toml"),
    at_root("Vercel", "vercel.json"),
    at_root("Render", "render.yaml"),
    at_root("Heroku", "heroku.yml"),
    at_root("Railway", "railway.json railway.toml"),
];

/// The CI system that a file of this path tells what to run. `path` is from the root, with `/`.
pub fn ci_system(path: &str) -> Option<&'static str> {
    let folded = path.to_ascii_lowercase();
    let below = folded.match_indices('/').map(|(at, _)| &folded[at + 1..]);
    let mut places = std::iter::once((&*folded, true)).chain(below.map(|rest| (rest, false)));
    places.find_map(|(place, is_root)| {
        let system = SYSTEMS.iter().find(|it| (is_root || it.anywhere) && it.has(place));
        system.map(|system| system.name)
    })
}

impl CiSystem {
    fn has(&self, place: &str) -> bool {
        self.files.split_ascii_whitespace().any(|file| match file.strip_suffix('/') {
            Some(directory) => {
                place.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
            }
            None => !place.contains('/') && fits(file, place),
        })
    }
}

/// Whether a name is this one, with `*` for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_known_by_its_files_where_they_are_looked_for() {
        for (path, name) in [
            (".circleci/config.yml", "CircleCI"),
            (".CircleCI/config.yml", "CircleCI"),
            (".gitlab-ci.yml", "GitLab CI"),
            ("azure-pipelines.yml", "Azure Pipelines"),
            ("ci/azure-pipelines-nightly.yaml", "Azure Pipelines"),
            ("ci/.azure-pipelines/a.yml", "Azure Pipelines"),
            ("Jenkinsfile", "Jenkins"),
            ("deploy/Jenkinsfile.release", "Jenkins"),
            (".travis.yml", "Travis CI"),
            (".buildkite/pipeline.yml", "Buildkite"),
            (".drone.star", "Drone"),
            (".woodpecker/test.yaml", "Woodpecker"),
            (".cirrus.yml", "Cirrus CI"),
            ("bitbucket-pipelines.yml", "Bitbucket Pipelines"),
            (".appveyor.yml", "AppVeyor"),
            (".semaphore/semaphore.yml", "Semaphore"),
            ("netlify.toml", "Netlify"),
        ] {
            assert_eq!(ci_system(path), Some(name), "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for path in [
            "vendor/lib/.travis.yml",
            "docs/.circleci/config.yml",
            ".circleci",
            "circleci/config.yml",
            "jenkins.md",
            "src/vercel.json",
            ".gitlab/issue_templates/bug.md",
            ".github/workflows/ci.yml",
            "",
        ] {
            assert_eq!(ci_system(path), None, "{path}");
        }
    }
}
