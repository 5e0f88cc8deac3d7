#!/bin/sh
# Lets a real Prometheus read a real `gander serve`: the alert rules and every query of the dashboard are
# ones that it takes, and every number that they name is one that Gander tells. All of it on loopback.
#
# try-metrics.sh [DIRECTORY]   where gander and gander-sandbox-init are; target/debug if not given
set -eu
cd "$(dirname "$0")/.."
programs=$(realpath "${1:-target/debug}")
for tool in prometheus promtool curl openssl python3; do
  command -v $tool >/dev/null || { echo "try-metrics.sh: $tool is missing: install it" >&2; exit 1; }
done
folder=$(mktemp -d)
started=
cleanup() {
  for process in $started; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$folder"
}
trap cleanup EXIT

promtool check rules packaging/prometheus/gander-alerts.yml

# Port 9 answers nobody: Gander goes on without GitHub.
openssl genrsa -traditional -out "$folder/private-key.pem" 2048 2>/dev/null
printf '{"attempts": []}' > "$folder/script.json"
printf 'a-webhook-secret-nobody-guesses' > "$folder/webhook-secret"
mkdir "$folder/data" "$folder/home"
chmod 0600 "$folder/private-key.pem" "$folder/webhook-secret"
as_user=
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$folder"
  as_user="setpriv --reuid=nobody --regid=nogroup --clear-groups"
fi
env -i PATH="$PATH" HOME="$folder/home" GANDER_LISTEN=127.0.0.1:8181 GANDER_METRICS=127.0.0.1:9464 \
  GANDER_DATA="$folder/data" GANDER_APP_ID=1 GANDER_PRIVATE_KEY_FILE="$folder/private-key.pem" \
  GANDER_WEBHOOK_SECRET_FILE="$folder/webhook-secret" GANDER_MODEL_SCRIPT="$folder/script.json" \
  GANDER_API_URL=http://127.0.0.1:9 GANDER_WEB_URL=http://127.0.0.1:9 \
  GANDER_ALLOW_PRIVATE_ADDRESSES=true $as_user "$programs/gander" serve 2> "$folder/gander.log" &
started="$started $!"

cat > "$folder/prometheus.yml" <<END
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$PWD/packaging/prometheus/gander-alerts.yml]
scrape_configs:
  - job_name: gander
    static_configs: [{targets: ["127.0.0.1:9464"]}]
END
mkdir "$folder/prometheus"
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/prometheus" \
  --web.listen-address=127.0.0.1:9490 > "$folder/prometheus.log" 2>&1 &
started="$started $!"

waited=0
until curl -sf 'http://127.0.0.1:9490/api/v1/query?query=gander_build_info' | grep -q '"version"'; do
  waited=$((waited + 1))
  [ $waited -lt 60 ] || { cat "$folder/gander.log" "$folder/prometheus.log" >&2; exit 1; }
  sleep 0.5
done
curl -sf http://127.0.0.1:9464/metrics > "$folder/metrics"
promtool check metrics < "$folder/metrics"

# A signed delivery is none of GitHub's by its form, and counts as such.
curl -s -o "$folder/answer" -d '{}' http://127.0.0.1:8181/github/webhook
sleep 3
python3 - "$folder/metrics" <<'END'
import json, re, sys, urllib.parse, urllib.request

def ask(path):
    with urllib.request.urlopen("http://127.0.0.1:9490/api/v1/" + path) as answer:
        return json.load(answer)["data"]

dashboard = json.load(open("packaging/grafana/gander.json"))
rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
assert len(rules) >= 9 and all(rule["health"] == "ok" for rule in rules), rules
queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
for query in queries:
    ask("query?query=" + urllib.parse.quote(query))
told = set(re.findall(r"^# TYPE (\S+)", open(sys.argv[1]).read(), re.M))
# Told once there is something to tell.
later = {"gander_github_rate_limit_remaining", "gander_cost_per_merged_pull_30d_dollars"}
later |= {"gander_missed_deliveries_compared_seconds"}
for query in queries + [rule["query"] for rule in rules]:
    for name in re.findall(r"gander_\w+", query):
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert family in told | later, f"{name} is told by nobody: {query}"
refused = ask("query?query=" + urllib.parse.quote('gander_deliveries_total{result="refused"}'))
assert refused["result"][0]["value"][1] == "1", refused
print(f"{len(rules)} rules and {len(queries)} queries")
END
echo "Prometheus reads Gander, and takes the rules and the dashboard."
