#!/bin/sh
# mocha 12.0.3: a test that passed only when it was run again looks like one that passed at once.
#
# Looked at: 2026-11-29, mocha 12.0.3, Node.js 20.20.2, Linux x86_64.
# Expected:  a retry is a warning sign, so the default reporter marks it, as pytest-rerunfailures
#            prints `R` and counts `1 rerun`; at least the exit status or the summary differs.
# Happens:   with `this.retries(2)`, a test that fails once and then passes is printed by the spec,
#            dot and tap reporters byte for byte as a test that never failed: no mark, no count, and
#            nothing of what the first run said. The xunit reporter has no trace either. Only the
#            json reporter tells, in `currentRetry`.
# Way out:   to see that a test wavers, run it again oneself. Gander does, and names new calls of
#            `retries` in a change.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-save --prefix . mocha@12.0.3
cat >wavers.js <<'JS'
const fs = require('node:fs');
it('adds', function () {
  this.retries(2);
  if (!fs.existsSync('seen')) {
    fs.writeFileSync('seen', '');
    throw new Error('the first time');
  }
});
JS
printf "it('adds', function () {\n  this.retries(2);\n});\n" >steady.js

# Without the times.
run() {
  rm -f seen
  node_modules/.bin/mocha --no-config --reporter "$1" "$2" 2>&1 |
    sed -E 's/[0-9]+ms/0ms/g; s/(time|timestamp)="[^"]*"//g; s/file="[^"]*"//g'
}
for reporter in spec dot tap xunit; do
  wavers=$(run "$reporter" wavers.js)
  steady=$(run "$reporter" steady.js)
  printf '%s:\n%s\n\n' "$reporter" "$wavers"
  [ "$wavers" = "$steady" ] || { echo "changed: the $reporter reporter tells"; exit 1; }
done
told=$(run json wavers.js | grep -c '"currentRetry": 1' || true)
steady=$(run json steady.js | grep -c '"currentRetry": 1' || true)
echo "json: currentRetry 1 is there $told times, and $steady times of the steady test"
[ "$told" -gt 0 ] || { echo "changed: the json reporter does not tell"; exit 1; }
[ "$steady" = 0 ] || { echo "changed: the json reporter tells of a steady test"; exit 1; }
echo "as described"
