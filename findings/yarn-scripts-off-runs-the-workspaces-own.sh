#!/bin/sh
# yarn 3.8.7 and 4.5.3: `enableScripts: false` leaves the scripts of the project itself on.
#
# Looked at: 2026-11-29, @yarnpkg/cli-dist 3.8.7 and 4.5.3, Node 20.20.2, Linux x86_64.
# Expected:  YARN_ENABLE_SCRIPTS=0 is yarn's word for `--ignore-scripts` of npm, pnpm and yarn 1,
#            with which nothing runs at an install.
# Happens:   scripts of dependencies are off. The `postinstall` of the project and of each member of
#            its workspace runs, within `yarn install`, with the network that the install has.
# Way out:   `--mode=skip-build`, or manifests without scripts. src/environment/node/mod.rs takes the
#            scripts out of what is laid for the package manager.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export YARN_ENABLE_SCRIPTS=0 YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_GLOBAL_CACHE=0
export YARN_NODE_LINKER=node-modules YARN_ENABLE_IMMUTABLE_INSTALLS=0

# $1: version of yarn; $2: option. Which of the two scripts ran.
ran() {
    rm -rf project && mkdir -p project/member
    cat >project/package.json <<'END'
{"name":"top","private":true,"workspaces":["member"],
 "scripts":{"postinstall":"echo top >>ran"},"dependencies":{"is-odd":"3.0.1"}}
END
    cat >project/member/package.json <<'END'
{"name":"member","scripts":{"postinstall":"echo member >>../ran"}}
END
    : >project/yarn.lock
    (cd project && node "../yarn-$1/node_modules/@yarnpkg/cli-dist/bin/yarn.js" install $2 >../said)
    test -d project/node_modules/is-odd || { echo "changed: nothing was installed"; exit 1; }
    if [ -f project/ran ]; then sort project/ran | tr '\n' ' '; else echo none; fi
}

for version in 3.8.7 4.5.3; do
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "yarn-$version" \
        "@yarnpkg/cli-dist@$version"
    off=$(ran "$version" "")
    skipped=$(ran "$version" --mode=skip-build)
    echo "yarn $version: with scripts off ran: $off; with --mode=skip-build ran: $skipped"
    case $off in "member top "*) ;; *) echo "changed: they do not run"; exit 1 ;; esac
    case $skipped in none) ;; *) echo "changed: they run in spite of it"; exit 1 ;; esac
done
echo "as described"
