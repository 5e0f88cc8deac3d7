#!/bin/sh
# Runs the guide's Caddy and nginx, as docs/install.md shows them, in front of a real `gander serve`:
# signed deliveries small and large, one that is too large, /setup, what must not be reachable, and a
# peer that stops in the middle of a body. All of it on loopback. Only what a test cannot have is
# changed: the name, the ports and the certificate.
#
# try-recipes.sh [DIRECTORY]   where gander and gander-sandbox-init are; target/debug if not given
set -eu
cd "$(dirname "$0")/.."
programs=$(realpath "${1:-target/debug}")
for tool in caddy nginx curl openssl; do
  command -v $tool >/dev/null || { echo "try-recipes.sh: $tool is missing: install it" >&2; exit 1; }
done
folder=$(mktemp -d)
secret=a-webhook-secret-nobody-guesses
started=
cleanup() {
  for process in $started; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$folder"
}
trap cleanup EXIT

# The block that the guide shows of a file.
shown() {
  awk -v mark="<!-- file: $1 -->" '
    $0 == mark { found = 1; next }
    found && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }' docs/install.md
}

# Port 9 answers nobody: Gander goes on without GitHub, and takes deliveries all the same.
openssl genrsa -traditional -out "$folder/private-key.pem" 2048 2>/dev/null
printf '{"attempts": []}' > "$folder/script.json"
printf '%s' $secret > "$folder/webhook-secret"
mkdir "$folder/data" "$folder/home"
chmod 0600 "$folder/private-key.pem" "$folder/webhook-secret"
as_user=
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$folder"
  as_user="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
env -i PATH="$PATH" HOME="$folder/home" GANDER_LISTEN=127.0.0.1:8180 GANDER_DATA="$folder/data" \
  GANDER_APP_ID=1 GANDER_PRIVATE_KEY_FILE="$folder/private-key.pem" \
  GANDER_WEBHOOK_SECRET_FILE="$folder/webhook-secret" GANDER_MODEL_SCRIPT="$folder/script.json" \
  GANDER_API_URL=http://127.0.0.1:9 GANDER_WEB_URL=http://127.0.0.1:9 \
  GANDER_ALLOW_PRIVATE_ADDRESSES=true $as_user "$programs/gander" serve 2> "$folder/gander.log" &
started="$started $!"

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$folder/tls.key" -out "$folder/tls.pem" 2>/dev/null
shown packaging/nginx/gander.conf | sed -e '/listen \[::\]/d' -e 's/listen 443/listen 127.0.0.1:8444/' \
  -e 's/gander\.example\.org;/localhost;/' -e "s|ssl_certificate .*|ssl_certificate $folder/tls.pem;|" \
  -e "s|ssl_certificate_key .*|ssl_certificate_key $folder/tls.key;|" -e 's/127\.0\.0\.1:8080/127.0.0.1:8180/' \
  > "$folder/site.conf"
mkdir "$folder/nginx"
printf 'pid %s/nginx.pid;\nerror_log %s/nginx.log;\ndaemon off;\nevents {}\nhttp {\naccess_log off;\n' \
  "$folder" "$folder" > "$folder/nginx.conf"
for kind in client_body proxy fastcgi uwsgi scgi; do
  echo "${kind}_temp_path $folder/nginx/$kind;" >> "$folder/nginx.conf"
done
printf 'include %s/site.conf;\n}\n' "$folder" >> "$folder/nginx.conf"
chmod 0755 "$folder"
nginx -q -e "$folder/nginx.log" -c "$folder/nginx.conf" &
started="$started $!"

shown packaging/caddy/Caddyfile | sed -e '0,/^{/s//{\nadmin off\nskip_install_trust\nhttp_port 8081\nhttps_port 8443/' \
  -e 's/^gander\.example\.org {/localhost {\nbind 127.0.0.1\ntls internal/' -e 's/127\.0\.0\.1:8080/127.0.0.1:8180/' \
  > "$folder/Caddyfile"
XDG_DATA_HOME="$folder/caddy" XDG_CONFIG_HOME="$folder/caddy" HOME="$folder/home" \
  caddy run --adapter caddyfile --config "$folder/Caddyfile" 2> "$folder/caddy.log" &
started="$started $!"

for port in 8443 8444; do
  tries=0
  until curl --silent --insecure --output /dev/null "https://localhost:$port/setup"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { cat "$folder"/*.log >&2; echo "nothing answers on $port" >&2; exit 1; }
    sleep 0.2
  done
done

failed=0
expect() { # WHAT WANTED GOT
  if [ "$2" = "$3" ]; then echo "ok      $1: $3"; else echo "FAILED  $1: $3, not $2"; failed=1; fi
}
# 000: there was no answer.
status() { curl --silent --insecure --max-time 60 --output /dev/null --write-out '%{http_code}' "$@" || true; }

# A signed delivery of this many bytes.
number=0
deliver() { # PORT BYTES
  number=$((number + 1))
  { printf '{"zen":"'; head -c $(($2 - 22)) /dev/zero | tr '\0' a; printf '","hook_id":1}'; } > "$folder/body"
  signature=$(openssl dgst -sha256 -hmac $secret -hex < "$folder/body" | sed 's/.* //')
  status --header "X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc09$((10 + number))" \
    --header 'X-GitHub-Hook-ID: 1' --header 'X-GitHub-Event: ping' --header 'Expect:' \
    --header 'Content-Type: application/json' --header "X-Hub-Signature-256: sha256=$signature" \
    --data-binary "@$folder/body" "https://localhost:$1/github/webhook"
}

# Seconds until a peer that stops in the middle of a body is let go.
stalls() { # PORT
  began=$(date +%s)
  { printf 'POST /github/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n'
    printf 'X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0999\r\nX-GitHub-Hook-ID: 1\r\n'
    printf 'X-GitHub-Event: ping\r\nX-Hub-Signature-256: sha256=%064d\r\n\r\n{' 0
    sleep 25; } | timeout 30 openssl s_client -quiet -servername localhost -connect "localhost:$1" > "$folder/answer" 2>/dev/null &
  peer=$!
  expect "another is served meanwhile" 200 "$(status "https://localhost:$1/setup")"
  # What it was told, if anything, or that the connection is closed.
  while kill -0 $peer 2>/dev/null && [ ! -s "$folder/answer" ] && [ $(($(date +%s) - began)) -lt 24 ]; do
    sleep 0.2
  done
  kill $peer 2>/dev/null || true
  echo $(($(date +%s) - began)) > "$folder/seconds"
}

for proxy in caddy:8443 nginx:8444; do
  name=${proxy%:*} port=${proxy#*:}
  echo "$name"
  expect "/setup" 200 "$(status "https://localhost:$port/setup")"
  expect "/setup with a repository" 200 "$(status "https://localhost:$port/setup?repository=acme/widgets")"
  expect "/healthz from outside" 404 "$(status "https://localhost:$port/healthz")"
  expect "an unsigned delivery" 401 "$(status --request POST "https://localhost:$port/github/webhook")"
  expect "a delivery" 202 "$(deliver $port 100)"
  expect "a delivery of 25 MiB" 202 "$(deliver $port $((25 * 1024 * 1024)))"
  # Gander answers 413 and hangs up. Where the body is still coming, that may be all that is seen.
  code=$(deliver $port $((25 * 1024 * 1024 + 1)))
  case $code in 413 | 000) refused=yes ;; *) refused=no ;; esac
  expect "a delivery of more is refused ($code)" yes $refused
  stalls $port
  seconds=$(cat "$folder/seconds")
  expect "a silent peer is let go within 15 s ($seconds s)" yes "$([ "$seconds" -le 15 ] && echo yes || echo no)"
done
exit $failed
