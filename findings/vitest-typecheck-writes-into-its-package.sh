#!/bin/sh
# vitest 4.0.16: a type check writes into vitest's own package, whatever the cache directory is.
#
# Looked at: 2026-11-29, vitest 4.0.16, TypeScript 5.9.3, Node 20.20.2, Linux x86_64.
# Expected:  what a test run keeps goes where `cacheDir` says (`node_modules/.vite` if it says
#            nothing), so with that elsewhere the installed packages can be read-only.
# Happens:   `vitest run --typecheck.only` has the compiler leave `tsconfig.tmp.tsbuildinfo` in
#            `node_modules/vitest/dist`. On a read-only `node_modules` all tests pass and the run is
#            red: "Errors 1 error", TS5033. `cacheDir` moves the other files, and not this one.
# Way out:   packages below an overlay of the run's own. src/sandbox/overlay.rs does so.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf '{"private":true,"type":"module"}\n' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts vitest@4.0.16 typescript@5.9.3
mkdir test
cat >test/a.test-d.ts <<'END'
import { expectTypeOf, test } from 'vitest'
test('a number is one', () => { expectTypeOf(1).toBeNumber() })
END
cat >tsconfig.json <<'END'
{"compilerOptions":{"strict":true,"module":"esnext","moduleResolution":"bundler","skipLibCheck":true}}
END
printf "export default { cacheDir: './cache' }\n" >vitest.config.js
find node_modules -type f | sort >before
ended=0
npx vitest run --typecheck.only >said 2>&1 || ended=$?
find node_modules -type f | sort >after
written=$(comm -13 before after)
elsewhere=$(find cache -type f 2>/dev/null | head -3)
printf '%s\n' "exit code: $ended" "in node_modules: $written" "in the cache directory: $elsewhere"

case $ended in 0) ;; *) echo "changed: the check is red"; exit 1 ;; esac
case $elsewhere in ?*) ;; *) echo "changed: nothing is kept where cacheDir says"; exit 1 ;; esac
case $written in
    node_modules/vitest/dist/*.tsbuildinfo) echo "as described" ;;
    *) echo "changed: it is not (only) in vitest's own package"; exit 1 ;;
esac
