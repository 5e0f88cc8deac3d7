//! Which files a build tool has to take for new, where a tree differs from the one that was built.
//!
//! Invariants: in doubt too many. Cargo learns from the compiler which sources it read; what macros
//! and build scripts read besides, nobody tells it. So a package of which any source differs is
//! built again whole, so is one with a build script, and all are where anything but a source
//! differs.

use std::collections::BTreeSet;

use super::confined::split;

/// The file that makes a directory a package of cargo's.
const MANIFEST: &[u8] = b"Cargo.toml";
/// What cargo runs before it builds a package.
const BUILD_SCRIPT: &[u8] = b"build.rs";

/// Those of the files of a tree. `differing`: what was added, changed and removed since the build.
pub(super) fn files<'t>(tree: &[&'t [u8]], differing: &BTreeSet<Vec<u8>>) -> Vec<&'t [u8]> {
    if differing.is_empty() {
        return Vec::new();
    }
    let named = |name: &'static [u8]| {
        let with_name = tree.iter().filter(move |path| split(path).1 == name);
        with_name.map(|path| split(path).0)
    };
    let packages: BTreeSet<&[u8]> = named(MANIFEST).collect();
    let mut again: BTreeSet<&[u8]> = named(BUILD_SCRIPT).collect();
    for path in differing {
        let owner = owner(&packages, path);
        let (Some(owner), true) = (owner, path.ends_with(b".rs")) else { return tree.to_vec() };
        again.insert(owner);
    }
    let is_built_again =
        |path: &&&[u8]| owner(&packages, path).is_some_and(|owner| again.contains(owner));
    tree.iter().filter(is_built_again).copied().collect()
}

/// The package that a file is in: the nearest one above it.
fn owner<'p>(packages: &BTreeSet<&'p [u8]>, path: &[u8]) -> Option<&'p [u8]> {
    let mut directory = split(path).0;
    loop {
        match packages.get(directory) {
            Some(package) => return Some(package),
            None if directory.is_empty() => return None,
            None => directory = split(directory).0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: [&str; 9] = [
        "Cargo.toml",
        "README.md",
        "a/Cargo.toml",
        "a/src/lib.rs",
        "a/src/more.rs",
        "b/Cargo.toml",
        "b/build.rs",
        "b/src/lib.rs",
        "c/Cargo.toml",
    ];

    fn again(differing: &[&str]) -> Vec<&'static str> {
        let tree: Vec<&[u8]> = TREE.iter().map(|path| path.as_bytes()).collect();
        let differing = differing.iter().map(|path| path.as_bytes().to_vec()).collect();
        let again = files(&tree, &differing);
        again.into_iter().map(|path| std::str::from_utf8(path).unwrap()).collect()
    }

    #[test]
    fn a_package_with_another_source_is_new_and_so_is_one_with_a_build_script() {
        let of_a = &TREE[2..5];
        let of_b = &TREE[5..8];
        assert_eq!(again(&["a/src/more.rs"]), [of_a, of_b].concat());
        assert_eq!(again(&["a/src/gone.rs"]), [of_a, of_b].concat(), "a removed one counts");
        assert_eq!(again(&["b/src/lib.rs"]), of_b);
        assert_eq!(again(&[]), [] as [&str; 0]);
    }

    #[test]
    fn where_more_than_a_source_differs_all_is_new() {
        for other in ["README.md", "a/data.json", "c/Cargo.toml", "Cargo.lock", "x/y.txt"] {
            assert_eq!(again(&["a/src/lib.rs", other]), TREE, "{other}");
        }
        let loose: [&[u8]; 2] = [b"a/Cargo.toml", b"x.rs"];
        assert_eq!(files(&loose, &[b"x.rs".to_vec()].into()), loose, "it is in no package");
    }
}
