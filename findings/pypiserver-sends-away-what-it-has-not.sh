#!/bin/sh
# pypiserver 2.4.2: asked for a project that it does not have, it names another's of that name.
#
# Looked at: 2026-11-30, pypiserver 2.4.2, Python 3.11, Linux x86_64.
# Expected:  404, as PyPI answers, so that a program can ask whether a file is there before it
#            uploads one.
# Happens:   303 to the project of that name on pypi.org, which may be a stranger's: who follows it
#            compares a private package with a public one. With `--disable-fallback` it is 404.
# Way out:   a redirect to another host means "not here". Gander reads it so, and follows none.
set -eu
place=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT
server=
python3 -m venv "$place/python"
"$place/python/bin/pip" install --quiet pypiserver==2.4.2
mkdir "$place/files"
answers() {
  port=$("$place/python/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$place/python/bin/pypi-server" run --interface 127.0.0.1 --port "$port" "$@" "$place/files" \
    >"$place/log" 2>&1 &
  server=$!
  until curl -fs "http://127.0.0.1:$port/simple/" >/dev/null; do sleep 0.2; done
  curl -s -o /dev/null -w '%{http_code} %{redirect_url}' "http://127.0.0.1:$port/simple/acme-widgets/"
  kill "$server"
}
by_default=$(answers)
without=$(answers --disable-fallback)
echo "by default: $by_default"
echo "with --disable-fallback: $without"
[ "$by_default" = '303 https://pypi.org/simple/acme-widgets/' ] || { echo "that has changed" >&2; exit 1; }
[ "$without" = '404 ' ] || { echo "that has changed" >&2; exit 1; }
