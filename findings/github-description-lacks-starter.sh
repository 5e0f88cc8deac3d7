#!/bin/sh
# @octokit/openapi 23.0.2 (GitHub's own OpenAPI description): a release's file may be in a state that
# its schema does not list, as the same description says in prose.
#
# Looked at: 2026-11-30, Node.js 20.20.2, Linux x86_64.
# Expected:  the schema of a release's file lists every state that it can have, so that a client made
#            from the description, with one case for each state, reads all of GitHub's answers.
# Happens:   the operation that uploads a file says in prose that an upload which breaks off (502) may
#            leave an empty file in the state `starter`; the schema allows `uploaded` and `open` only.
#            Such a client cannot read the release, nor the whole list that it stands in, from the
#            first upload that breaks off until somebody removes what it left; and the name of that
#            file is taken as long.
# Way out:   read the state as any text, and count a file as there only when it is `uploaded`.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
npm install --silent --no-audit --no-fund @octokit/openapi@23.0.2 ajv@8.20.0
cat >look.js <<'END'
const Ajv = require('ajv');
const all = require('@octokit/openapi/generated/api.github.com.json');
const upload = all.paths['/repos/{owner}/{repo}/releases/{release_id}/assets'].post;
const state = all.components.schemas['release-asset'].properties.state;
const fits = new Ajv({ strict: false }).compile(state);
console.log('in prose:', /state of `starter`/.test(upload.description));
console.log('answers listed:', Object.keys(upload.responses).join(' '));
for (const value of ['uploaded', 'starter']) console.log(`schema takes ${value}:`, fits(value));
END
seen=$(node look.js)
echo "$seen"
wanted='in prose: true
answers listed: 201 422
schema takes uploaded: true
schema takes starter: false'
[ "$seen" = "$wanted" ] || { echo "that has changed" >&2; exit 1; }
