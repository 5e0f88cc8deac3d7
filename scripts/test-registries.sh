#!/bin/sh
# Publishes to real registries on this machine, in fixed versions, and installs from them with the
# real clients: verdaccio with npm, pypiserver with pip, Debian's docker-registry with skopeo.
set -eu
cd "$(dirname "$0")/.."
VERDACCIO=6.1.6 PYPISERVER=2.4.2
place=$(pwd)/target/registries
rm -rf "$place/run"
mkdir -p "$place/npm" "$place/run/pypi" "$place/run/client"
[ -x "$place/npm/node_modules/.bin/verdaccio" ] || {
  # It asks for node-fetch by a tag, which not every mirror of the registry knows.
  echo "{\"dependencies\": {\"verdaccio\": \"$VERDACCIO\"}, \"overrides\": {\"node-fetch\": \"2.7.0\"}}" \
    >"$place/npm/package.json"
  npm install --silent --no-audit --no-fund --prefix "$place/npm"
}
[ -x "$place/python/bin/pypi-server" ] || {
  python3 -m venv "$place/python"
  "$place/python/bin/pip" install --quiet "pypiserver==$PYPISERVER"
}
cat >"$place/run/verdaccio.yaml" <<'END'
storage: ./storage
auth:
  htpasswd:
    file: ./htpasswd
packages:
  '**':
    access: $all
    publish: $authenticated
log: { type: stdout, level: warn }
END
npm_at=http://127.0.0.1:4873 pypi_at=http://127.0.0.1:8473 image_at=127.0.0.1:5473/acme/widgets
"$place/npm/node_modules/.bin/verdaccio" --config "$place/run/verdaccio.yaml" --listen 127.0.0.1:4873 \
  >"$place/run/verdaccio.log" 2>&1 &
npm_server=$!
cat >"$place/run/images.yaml" <<END
version: 0.1
storage: { filesystem: { rootdirectory: $place/run/images } }
http: { addr: 127.0.0.1:5473 }
auth: { htpasswd: { realm: images, path: $place/run/htpasswd } }
END
htpasswd -nbB robot for-this-run-only >"$place/run/htpasswd" 2>/dev/null
docker-registry serve "$place/run/images.yaml" >"$place/run/images.log" 2>&1 &
image_server=$!
"$place/python/bin/pypi-server" run --interface 127.0.0.1 --port 8473 --passwords . --authenticate . \
  --hash-algo sha256 "$place/run/pypi" >"$place/run/pypi.log" 2>&1 &
pypi_server=$!
trap 'kill $npm_server $pypi_server $image_server 2>/dev/null' EXIT
tries=0
until curl -fs "$npm_at/-/ping" && curl -fs "$pypi_at/simple/"; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || { cat "$place/run/verdaccio.log" "$place/run/pypi.log" >&2; exit 1; }
  sleep 0.5
done >/dev/null
token=$(curl -fsS -X PUT -H 'content-type: application/json' \
  -d '{"name": "gander", "password": "for-this-run-only"}' \
  "$npm_at/-/user/org.couchdb.user:gander" |
  node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).token')
export GANDER_REAL_REGISTRIES="npm=$npm_at/
pypi=$pypi_at/simple/
pypi-upload=$pypi_at/
container=http://$image_at"
export GANDER_REAL_NPM_TOKEN="$token"
"${CARGO:-cargo}" test --locked --workspace --test it -- --nocapture real_registries_take
cd "$place/run/client"
npm install --silent --no-audit --no-fund --ignore-scripts --registry "$npm_at" @acme/widgets@1.2.0
[ "$(node -p "require('@acme/widgets')")" = 6 ]
"$place/python/bin/pip" install --quiet --no-deps --target . --index-url "$pypi_at/simple/" widgets-py==1.2.0
[ "$("$place/python/bin/python" -c 'import widgets_py; print(widgets_py.count)')" = 3 ]
skopeo copy --quiet --all --src-tls-verify=false --src-creds robot:for-this-run-only \
  "docker://$image_at:1.2.0" "oci:$place/run/client/image:1.2.0"
grep -q '"architecture":"arm64"' "$place/run/client/image/blobs/sha256/"*
echo "npm, pip and skopeo took what was published"
