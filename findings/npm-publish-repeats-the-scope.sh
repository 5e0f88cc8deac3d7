#!/bin/sh
# npm 11.19.1 and 12.2.2: publishing a scoped package names its tarball with the scope twice.
#
# Looked at: 2026-11-30, Node.js 20.20.2, Linux x86_64.
# Expected:  the tarball is named as registry.npmjs.org serves it and as `npm pack` writes it:
#            `/@acme/widgets/-/widgets-1.2.0.tgz`, and no slash in the name of an attachment.
# Happens:   the attachment is called `@acme/widgets-1.2.0.tgz`, and `dist.tarball` ends with
#            `/@acme/widgets/-/@acme/widgets-1.2.0.tgz`. The registry makes another address of it;
#            one that keeps `dist.tarball` as it came has to serve that path, or nobody can install
#            what was published. The package's own place is `@acme%2fwidgets`, in small letters.
# Way out:   whoever publishes without npm sends the same, and never builds an address of a tarball
#            by hand: the registry's own document names it.
set -eu
place=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
server=
cat >"$place/server.js" <<'END'
const http = require('http'), fs = require('fs');
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    if (request.method !== 'PUT') { response.statusCode = 404; return response.end('{}'); }
    const sent = JSON.parse(body), version = Object.values(sent.versions)[0];
    fs.appendFileSync(process.argv[2], [
      request.url,
      Object.keys(sent._attachments)[0],
      new URL(version.dist.tarball).pathname,
    ].join(' ') + '\n');
    response.end('{}');
  });
});
server.listen(0, '127.0.0.1', () => fs.writeFileSync(process.argv[3], String(server.address().port)));
END
node "$place/server.js" "$place/seen" "$place/port" &
server=$!
until [ -s "$place/port" ]; do sleep 0.1; done
port=$(cat "$place/port")
mkdir "$place/package"
cd "$place/package"
echo '{"name": "@acme/widgets", "version": "1.2.0"}' >package.json
echo "//127.0.0.1:$port/:_authToken=anything" >"$place/npmrc"
wanted='/@acme%2fwidgets @acme/widgets-1.2.0.tgz /@acme/widgets/-/@acme/widgets-1.2.0.tgz'
for version in 11.19.1 12.2.2; do
  npm install --silent --no-audit --no-fund --prefix "$place/npm-$version" "npm@$version"
  : >"$place/seen"
  "$place/npm-$version/node_modules/.bin/npm" publish --silent --userconfig "$place/npmrc" \
    --registry "http://127.0.0.1:$port/" >/dev/null
  seen=$(cat "$place/seen")
  echo "npm $version: $seen"
  [ "$seen" = "$wanted" ] || { echo "that has changed" >&2; exit 1; }
done
