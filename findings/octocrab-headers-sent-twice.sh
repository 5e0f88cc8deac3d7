#!/bin/sh
# octocrab 0.54.9 appends its own headers to those a request has already.
#
# Looked at: 2026-11-28, octocrab 0.54.9 with reqwest 0.13, Rust 1.95, Linux x86_64.
# Expected:  a header that the caller sets on the request, or the user agent of the reqwest client that is
#            handed to `build_with_reqwest`, takes the place of octocrab's default, as reqwest's own
#            default headers do.
# Happens:   `build_request` adds X-GitHub-Api-Version beside the caller's, so that it goes out twice;
#            a User-Agent given by `add_header` goes out beside "octocrab"; the client's own user agent
#            goes out nowhere. A server that joins equal headers then answers 400 ("2022-11-28,
#            2022-11-28" is no version of the API).
# Way out:   `OctocrabBuilder::new_empty()` with a `ReqwestConnector`, an `AuthHeaderLayer` and
#            `AuthState::None`; leave the version to octocrab. src/forge/mod.rs does so.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2024"

[dependencies]
http = "=1.5.0"
octocrab = { version = "=0.54.9", default-features = false, features = ["reqwest", "jwt-aws-lc-rs"] }
reqwest = { version = "0.13", default-features = false }
tokio = { version = "1", features = ["macros", "net", "rt", "io-util"] }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut seen, mut part) = (String::new(), [0; 4096]);
        while !seen.contains("\r\n\r\n") {
            let read = stream.read(&mut part).await.unwrap();
            seen.push_str(&String::from_utf8_lossy(&part[..read]));
        }
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        seen
    };
    let client = reqwest::Client::builder().user_agent("from-the-client/1").build().unwrap();
    let octocrab = octocrab::Octocrab::builder()
        .base_uri(base.as_str())
        .unwrap()
        .add_header(http::header::USER_AGENT, "from-add-header/1".to_owned())
        .build_with_reqwest(client)
        .unwrap();
    let request = http::Request::builder()
        .uri(format!("{base}/"))
        .header("x-github-api-version", "2022-11-28");
    let request = octocrab.build_request(request, None::<&()>).unwrap();
    let (seen, answer) = tokio::join!(server, octocrab.execute(request));
    answer.unwrap();
    for line in seen.lines().filter(|line| line.contains(':')) {
        println!("{line}");
    }
}
RUST
(cd "$folder" && cargo run --quiet > seen.txt)
cat "$folder/seen.txt"
count() { grep -ci "^$1" "$folder/seen.txt" || true; }
version=$(count 'x-github-api-version: 2022-11-28')
agents=$(count 'user-agent:')
theirs=$(count 'user-agent: octocrab')
clients=$(count 'user-agent: from-the-client')
echo "version $version times, user agents $agents, octocrab's $theirs, the client's $clients"
if [ "$version $agents $theirs $clients" != "2 2 1 0" ]; then
  echo "this has changed" >&2
  exit 1
fi
