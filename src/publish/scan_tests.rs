//! Workflows as people write them, and what they would have on a branch of ours.

use proptest::prelude::*;

use super::*;

fn branch(name: &str) -> Branch {
    name.parse().unwrap()
}

fn scanned(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(p, text)| (*p, text.as_bytes())).collect();
    let found = risks(&files, &branch("gander/7-abc"), &branch("main"));
    found.iter().map(Risk::to_string).collect()
}

/// The complaints about one job that runs on every push, in a file that may only look.
fn of_job(job: &str) -> Vec<String> {
    let file = format!("on: push\npermissions: read-all\njobs:\n  test:\n    {job}\n");
    scanned(&[(".github/workflows/ci.yml", &file)])
}

const HARMLESS: &str = "on: [push, pull_request]\npermissions: {contents: read}\njobs:\n  test:\n    \
     runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: make test\n";

#[test]
fn an_ordinary_test_workflow_that_only_looks_is_no_risk() {
    assert_eq!(scanned(&[(".github/workflows/ci.yml", HARMLESS)]), [""; 0]);
    for job in [
        "runs-on: ubuntu-24.04-arm",
        "runs-on: macos-15-xlarge",
        "runs-on: windows-2025",
        "runs-on: [ubuntu-22.04]",
        "{runs-on: '${{ matrix.os }}', strategy: {matrix: {os: [ubuntu-latest, macos-latest]}}}",
        "{runs-on: '${{matrix.os}}', strategy: {matrix: {include: [{os: ubuntu-latest}, {n: 1}]}}}",
        "{runs-on: ubuntu-latest, env: {T: '${{ secrets.GITHUB_TOKEN }}'}}",
        "{runs-on: ubuntu-latest, env: {T: '${{ github.token }}'}}",
        "{runs-on: ubuntu-latest, steps: [{run: 'grep secrets.toml *'}]}",
        "{runs-on: ubuntu-latest, steps: [{run: '${{ inputs.my_secrets }}'}]}",
        "{runs-on: ubuntu-latest, permissions: {contents: read, security-events: write}}",
        "{runs-on: ubuntu-latest, permissions: {}}",
    ] {
        assert_eq!(of_job(job), [""; 0], "{job}");
    }
}

#[test]
fn each_power_is_seen_and_named() {
    for (job, words) in [
        (
            "{runs-on: ubuntu-latest, env: {K: '${{ secrets.npm_token }}'}}",
            "gets the secret `NPM_TOKEN`",
        ),
        (
            "{runs-on: ubuntu-latest, steps: [{if: \"secrets.DEPLOY != ''\"}]}",
            "gets the secret `DEPLOY`",
        ),
        (
            "{runs-on: ubuntu-latest, env: {K: '${{ toJSON(secrets) }}'}}",
            "gets all of the repository's secrets",
        ),
        ("{runs-on: ubuntu-latest, env: {K: \"${{ Secrets['A'] }}\"}}", "gets the secret `A`"),
        ("{runs-on: ubuntu-latest, env: {K: '${{ secrets . KEY }}'}}", "gets the secret `KEY`"),
        ("{runs-on: ubuntu-latest, environment: prod}", "gets the secrets of an environment"),
        ("{runs-on: ubuntu-latest, permissions: write-all}", "gets a token with `write-all`"),
        (
            "{runs-on: ubuntu-latest, permissions: {contents: write}}",
            "gets a token with `contents: write`",
        ),
        (
            "{runs-on: ubuntu-latest, permissions: {id-token: write}}",
            "gets a token with `id-token: write`",
        ),
        ("{runs-on: self-hosted}", "runs on `self-hosted`, which may be a machine of your own"),
        ("{runs-on: [ubuntu-latest, gpu]}", "runs on `gpu`, which may be a machine of your own"),
        (
            "{runs-on: {group: big}}",
            "runs on `a group of runners`, which may be a machine of your own",
        ),
        (
            "{runs-on: '${{ inputs.where }}'}",
            "runs on `${{ inputs.where }}`, which may be a machine of your own",
        ),
        (
            "{runs-on: '${{ matrix.os }}', strategy: {matrix: {os: [ubuntu-latest, mine]}}}",
            "runs on `${{ matrix.os }} (mine)`, which may be a machine of your own",
        ),
        (
            "{runs-on: '${{ matrix.os }}', strategy: {matrix: '${{ fromJSON(x) }}'}}",
            "runs on `${{ matrix.os }} (its values are not known)`, which may be a machine of your own",
        ),
        (
            "{uses: acme/shared/.github/workflows/x.yml@main}",
            "calls `acme/shared/.github/workflows/x.yml@main`, which was not looked into",
        ),
        (
            "{uses: ./.github/workflows/gone.yml}",
            "calls `./.github/workflows/gone.yml`, which was not looked into",
        ),
    ] {
        let expected = format!("`.github/workflows/ci.yml`, job `test`: {words}");
        assert_eq!(of_job(job), [expected], "{job}");
    }
}

#[test]
fn a_file_that_says_nothing_of_permissions_counts_and_says_why() {
    let file = "on: push\njobs: {t: {runs-on: ubuntu-latest}}\n";
    let found = risks(&[("ci.yml", file.as_bytes())], &branch("gander/7-a"), &branch("main"));
    assert!(found[0].to_string().contains("names no `permissions`"), "{}", found[0]);
    // What the job says itself counts alone.
    let file =
        "on: push\npermissions: write-all\njobs: {t: {runs-on: ubuntu-latest, permissions: {}}}\n";
    assert_eq!(scanned(&[("ci.yml", file)]), [""; 0]);
}

#[test]
fn what_does_not_run_on_our_branch_may_have_what_it_wants() {
    let deploy = "on: {push: {branches: [main]}}\njobs: {d: {runs-on: self-hosted, env: {K: '${{ secrets.K }}'}}}\n";
    assert_eq!(scanned(&[("deploy.yml", deploy)]), [""; 0]);
    let risky = deploy.replace("[main]", "[main, 'gander/**']");
    assert_eq!(scanned(&[("deploy.yml", &risky)]).len(), 3);
}

#[test]
fn what_follows_a_run_of_ours_is_judged_too() {
    let after = "on: {workflow_run: {workflows: [CI]}}\npermissions: {}\njobs: {d: {runs-on: ubuntu-latest, env: {K: '${{ secrets.K }}'}}}\n";
    let ci = format!("name: CI\n{HARMLESS}");
    assert_eq!(scanned(&[("ci.yml", &ci), ("after.yml", after)]).len(), 1);
    assert_eq!(scanned(&[("after.yml", after)]), [""; 0]);
}

#[test]
fn a_workflow_in_the_repository_is_followed_one_call_deep() {
    let caller = "on: push\npermissions: {}\njobs: {c: {uses: ./.github/workflows/called.yml}}\n";
    let called = "on: workflow_call\njobs: {d: {runs-on: self-hosted}}\n";
    let further = "on: workflow_call\njobs: {d: {uses: ./.github/workflows/further.yml}}\n";
    let (one, two) = (".github/workflows/ci.yml", ".github/workflows/called.yml");
    assert_eq!(
        scanned(&[(one, caller), (two, called)]),
        [
            "`.github/workflows/called.yml`, job `d`: runs on `self-hosted`, which may be a machine of your own"
        ]
    );
    assert_eq!(
        scanned(&[(one, caller), (two, further)]),
        [
            "`.github/workflows/called.yml`, job `d`: calls `./.github/workflows/further.yml`, which was not looked into"
        ]
    );
    let inherits = caller.replace("called.yml}", "called.yml, secrets: inherit}");
    let quiet = "on: workflow_call\njobs: {d: {runs-on: ubuntu-latest}}\n";
    assert_eq!(
        scanned(&[(one, &inherits), (two, quiet)]),
        ["`.github/workflows/ci.yml`, job `c`: gets all of the repository's secrets"]
    );
}

#[test]
fn a_secret_outside_the_jobs_counts_for_the_file() {
    let file = "on: push\nenv: {K: '${{ secrets.K }}'}\npermissions: {}\njobs: {t: {runs-on: ubuntu-latest}}\n";
    assert_eq!(scanned(&[("ci.yml", file)]), ["`ci.yml`: gets the secret `K`"]);
}

#[test]
fn what_cannot_be_read_is_a_risk_and_files_beside_are_none() {
    for (text, why) in [
        ("on: push\n  jobs: [", "line"),
        ("jobs: {}\n", "it has no \\`on\\`"),
        ("on: push\njobs: [a]\n", "its \\`jobs\\` cannot be understood"),
        ("\u{0}", "line"),
    ] {
        let found = scanned(&[("ci.yaml", text)]);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert!(found[0].starts_with("`ci.yaml`: cannot be read"), "{found:?}");
        assert!(found[0].contains(why), "{found:?}");
    }
    assert_eq!(scanned(&[("README.md", "::: no yaml")]), [""; 0]);
}

proptest! {
    #[test]
    fn a_secret_anywhere_in_a_job_that_runs_is_found(
        before in "[a-z ]{0,10}",
        name in "[A-Z][A-Z0-9_]{0,12}",
        spaces in " {0,3}",
        repo in 0..5_usize,
    ) {
        prop_assume!(name != "GITHUB_TOKEN");
        let value = format!("{before}${{{{{spaces}secrets.{name}{spaces}}}}}");
        let job = match repo {
            0 => format!("{{runs-on: ubuntu-latest, env: {{K: \"{value}\"}}}}"),
            1 => format!("{{runs-on: ubuntu-latest, steps: [{{with: {{a: {{b: \"{value}\"}}}}}}]}}"),
            2 => format!("{{runs-on: ubuntu-latest, steps: [{{run: \"{value}\"}}]}}"),
            3 => format!("{{runs-on: ubuntu-latest, container: {{credentials: {{p: \"{value}\"}}}}}}"),
            _ => format!("{{runs-on: ubuntu-latest, if: \"secrets.{name} == ''\"}}"),
        };
        let expected = format!("gets the secret `{name}`");
        let found = of_job(&job);
        prop_assert!(found.iter().any(|line| line.ends_with(&expected)), "{job}: {found:?}");
    }

    #[test]
    fn no_file_makes_it_panic_or_break_its_line(
        text in "(on: push\njobs:\n  a:\n    )?(?s:[a-z:\\-\\[\\]{}$`|.'\"# \n]{0,80})"
    ) {
        for line in scanned(&[("ci.yml", &text)]) {
            prop_assert!(!line.contains('\n'));
        }
    }
}

#[test]
fn every_permission_to_write_is_a_power_and_an_unknown_level_too() {
    for name in [
        "checks",
        "statuses",
        "actions",
        "deployments",
        "pages",
        "issues",
        "pull-requests",
        "attestations",
        "discussions",
        "something-new",
    ] {
        let job = format!("{{runs-on: ubuntu-latest, permissions: {{{name}: write}}}}");
        let expected =
            format!("`.github/workflows/ci.yml`, job `test`: gets a token with `{name}: write`");
        assert_eq!(of_job(&job), [expected]);
    }
    let unknown = "{runs-on: ubuntu-latest, permissions: {contents: all}}";
    assert!(of_job(unknown)[0].ends_with("gets a token with `contents: all`"));
    assert_eq!(of_job("{runs-on: ubuntu-latest, permissions: {contents: none}}"), [""; 0]);
}

#[test]
fn a_secret_behind_a_string_with_two_braces_is_found() {
    let job = "{runs-on: ubuntu-latest, steps: [{run: \"${{ format('{0}}}', secrets.K) }}\"}]}";
    assert!(of_job(job)[0].ends_with("gets the secret `K`"), "{:?}", of_job(job));
}

#[test]
fn other_ci_systems_are_named_once_each_by_a_file_of_theirs() {
    let paths = ["src/a.rs", ".circleci/config.yml", ".circleci/more.yml", "Jenkinsfile"];
    let found: Vec<String> = other_ci(paths.into_iter()).iter().map(Risk::to_string).collect();
    assert_eq!(
        found,
        [
            "`.circleci/config.yml`: CircleCI may run it, with secrets that GitHub does not show to Apps",
            "`Jenkinsfile`: Jenkins may run it, with secrets that GitHub does not show to Apps",
        ]
    );
}

#[test]
fn workflows_without_end_are_judged_once_each() {
    let jobs =
        |job: &str| -> String { (0..4_000).map(|i| format!("  j{i}:\n    {job}\n")).collect() };
    let calls = format!("on: push\npermissions: read-all\njobs:\n{}", jobs("uses: ./b.yml"));
    let called = format!("on: workflow_call\njobs:\n{}", jobs("environment: x"));
    assert_eq!(scanned(&[("a.yml", &calls), ("b.yml", &called)]).len(), 4_000);
    // Each follows the one before it.
    let chain: Vec<(String, String)> = (0..3_000)
        .map(|i| {
            let on = format!("{{workflow_run: {{workflows: [w{}]}}}}", i + 1);
            let on = if i == 2_999 { "push".to_owned() } else { on };
            let job = "{runs-on: ubuntu-latest, environment: x}";
            let file = format!("name: w{i}\non: {on}\npermissions: read-all\njobs: {{a: {job}}}\n");
            (format!("{i}.yml"), file)
        })
        .collect();
    let files: Vec<(&str, &str)> = chain.iter().map(|(path, file)| (&**path, &**file)).collect();
    assert_eq!(scanned(&files).len(), 3_000);
    let keys: String = (0..24_000).map(|i| format!("a{i}: 1\n")).collect();
    assert_eq!(scanned(&[("keys.yml", &format!("{HARMLESS}{keys}"))]), [""; 0]);
}
