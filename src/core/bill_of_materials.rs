//! The packages that a release is made with, as a bill of materials in `CycloneDX`.
//!
//! Invariants: the same lockfiles make the same bytes, so no time and no random number stands in it;
//! what it lists is what lockfiles pin, and a lockfile that cannot be read is a reason to stop.

use std::collections::BTreeMap;

use serde::Serialize;

use super::locked::{LockedDigest, LockedPackage, locked_packages};

/// The file of a release that holds it.
pub const BILL_FILE: &str = "gander-sbom.cdx.json";
/// Directories whose lockfiles are of something else: of packages, of tests, of what was built.
const ASIDE: [&str; 12] = [
    ".git",
    "bench",
    "benches",
    "example",
    "examples",
    "fixtures",
    "node_modules",
    "target",
    "test",
    "testdata",
    "tests",
    "vendor",
];
/// The version of the format.
const SPEC: &str = "1.6";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bill {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: BillMetadata,
    components: Vec<BillEntry>,
}

#[derive(Serialize)]
struct BillMetadata {
    tools: Tools,
    component: BillEntry,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<BillEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct BillEntry {
    #[serde(rename = "type")]
    kind: &'static str,
    bom_ref: String,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<BillHash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenceChoice>,
}

#[derive(Serialize)]
struct BillHash {
    alg: &'static str,
    content: String,
}

impl BillHash {
    fn of(digest: &LockedDigest) -> Self {
        Self { alg: digest.algorithm, content: digest.content.clone() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenceChoice {
    Expression(String),
    License(NamedLicence),
}

#[derive(Serialize)]
struct NamedLicence {
    name: String,
}

/// A lockfile that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be read, so its packages cannot be listed")]
pub struct UnreadableLockError(pub String);

/// Whether a path is that of a lockfile whose packages belong in it.
pub fn belongs(path: &str) -> bool {
    super::locked::is_lockfile(path) && !path.split('/').any(|part| ASIDE.contains(&part))
}

/// What is written for a release of this name and version with these lockfiles, by path.
///
/// # Errors
/// The first lockfile that cannot be read.
pub fn bill_of_materials(
    (name, version): (&str, &str),
    lockfiles: &[(String, String)],
) -> Result<String, UnreadableLockError> {
    // By what they are: of two lockfiles that name one package, one may know its digest.
    let mut components: BTreeMap<String, BillEntry> = BTreeMap::new();
    for (path, text) in lockfiles {
        let packages = locked_packages(path, text);
        let packages = packages.ok_or_else(|| UnreadableLockError(path.clone()))?;
        for (name, versions) in packages {
            let named = versions.iter().filter(|it| !it.own && !it.version.is_empty());
            for entry in named.map(|package| library(path, &name, package)) {
                match components.get(&entry.bom_ref) {
                    Some(known) if !known.hashes.is_empty() || entry.hashes.is_empty() => {}
                    _ => drop(components.insert(entry.bom_ref.clone(), entry)),
                }
            }
        }
    }
    let program = |name: &str, version: &str| BillEntry {
        kind: "application",
        bom_ref: format!("{name}@{version}"),
        name: name.to_owned(),
        version: version.to_owned(),
        hashes: Vec::new(),
        purl: None,
        licenses: Vec::new(),
    };
    let bill = Bill {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: SPEC,
        version: 1,
        metadata: BillMetadata {
            tools: Tools { components: vec![program("gander", env!("CARGO_PKG_VERSION"))] },
            component: program(name, version),
        },
        components: components.into_values().collect(),
    };
    // Only text and lists: it can always be written.
    Ok(serde_json::to_string_pretty(&bill).map(|text| text + "\n").unwrap_or_default())
}

fn library(lockfile: &str, name: &str, package: &LockedPackage) -> BillEntry {
    let purl = package_url(lockfile, name, package);
    let licenses = match package.licence.as_str() {
        "" => Vec::new(),
        // What npm writes for a file in the package, or for nothing at all, is no expression.
        other if other.contains("SEE ") || other == "UNLICENSED" || other == "UNKNOWN" => {
            vec![LicenceChoice::License(NamedLicence { name: other.to_owned() })]
        }
        expression => vec![LicenceChoice::Expression(expression.replace(" or ", " OR "))],
    };
    BillEntry {
        kind: "library",
        bom_ref: purl.clone(),
        name: name.to_owned(),
        version: package.version.clone(),
        hashes: package.digest.iter().map(BillHash::of).collect(),
        purl: Some(purl),
        licenses,
    }
}

/// As the specification of package URLs spells it.
fn package_url(lockfile: &str, name: &str, package: &LockedPackage) -> String {
    let file = lockfile.rsplit('/').next().unwrap_or(lockfile);
    let (kind, name) = match file {
        "Cargo.lock" => ("cargo", name.to_owned()),
        "uv.lock" | "poetry.lock" | "pdm.lock" => {
            ("pypi", name.to_ascii_lowercase().replace('_', "-"))
        }
        "composer.lock" => ("composer", name.to_ascii_lowercase()),
        "Gemfile.lock" => ("gem", name.to_owned()),
        "go.sum" => ("golang", name.to_owned()),
        _ => ("npm", name.to_owned()),
    };
    let name = name.split('/').map(escaped).collect::<Vec<_>>().join("/");
    let mut url = format!("pkg:{kind}/{name}@{}", escaped(&package.version));
    if !package.source.is_empty() {
        let key = if package.source.contains("git") { "vcs_url" } else { "download_url" };
        url = format!("{url}?{key}={}", escaped(&package.source));
    }
    url
}

/// All but what may stand in a part of such an address.
fn escaped(part: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const PART: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':');
    utf8_percent_encode(part, PART).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lockfiles_pin_is_listed_once_without_what_is_the_projects_own() {
        let lock = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let cargo = "[[package]]\nname = \"own\"\nversion = \"1.0.0\"\n\n[[package]]\n\
                     name = \"serde\"\nversion = \"1.0.2+x\"\n\
                     source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
                     checksum = \"9a8e94ea7f378bd32cbbd37198a4a91436180c5bb472411e48b5ec2e2124ae9e\"\n";
        let npm = r#"{"packages": {"": {}, "node_modules/@s/b": {"version": "2.0.0",
            "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "license": "(MIT or Apache-2.0)"}, "packages/own": {"version": "1.0.0"},
            "node_modules/own": {"link": true}}}"#;
        let uv = "[[package]]\nname = \"own\"\nversion = \"1.0.0\"\nsource = { editable = \".\" }\n\
                  [[package]]\nname = \"Typing_Ext\"\nversion = \"4.0\"\n\
                  source = { registry = \"https://pypi.org/simple\" }\n";
        let locks = [
            lock("Cargo.lock", cargo),
            lock("web/package-lock.json", npm),
            lock("uv.lock", uv),
            lock("sub/Cargo.lock", cargo),
        ];
        let text = bill_of_materials(("widgets", "1.2.0"), &locks).unwrap();
        let urls: Vec<&str> =
            text.lines().filter_map(|line| line.trim().strip_prefix("\"purl\": ")).collect();
        assert_eq!(
            urls,
            [
                "\"pkg:cargo/serde@1.0.2%2Bx\"",
                "\"pkg:npm/%40s/b@2.0.0\",",
                "\"pkg:pypi/typing-ext@4.0\"",
            ]
        );
        let hashes: Vec<&str> =
            text.lines().filter(|line| line.contains("\"content\"")).map(str::trim).collect();
        assert_eq!(
            hashes,
            [
                "\"content\": \"9a8e94ea7f378bd32cbbd37198a4a91436180c5bb472411e48b5ec2e2124ae9e\"",
                "\"content\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
            ]
        );
        assert!(text.contains("\"expression\": \"(MIT OR Apache-2.0)\""), "{text}");
        assert_eq!(text, bill_of_materials(("widgets", "1.2.0"), &locks).unwrap());
        assert_eq!(
            bill_of_materials(("widgets", "1.2.0"), &[lock("Cargo.lock", "{")]),
            Err(UnreadableLockError("Cargo.lock".to_owned()))
        );
    }

    #[test]
    fn lockfiles_of_tests_and_packages_do_not_belong() {
        for (path, does) in [
            ("Cargo.lock", true),
            ("web/yarn.lock", true),
            ("web/node_modules/a/yarn.lock", false),
            ("tests/fixtures/Cargo.lock", false),
            ("src/lib.rs", false),
        ] {
            assert_eq!(belongs(path), does, "{path}");
        }
    }
}
