#!/usr/bin/env bash
# Installs one exact Gander into the directory $1: downloaded, compared with the given SHA-256, and
# only then unpacked. Everything else comes by variables. What earlier steps left on the machine
# (settings of curl and tar, a link in the place of the directory) has no say in it.
set -euo pipefail
unset TAR_OPTIONS GZIP

stop() {
  echo "::error title=Gander is not installed::$1"
  exit 1
}

directory=$1
version=${GANDER_INPUT_VERSION:-}
sha256=${GANDER_INPUT_SHA256:-}
url=${GANDER_INPUT_URL:-}

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] ||
  stop "version: give one exact version, such as 0.1.0."
[[ $sha256 =~ ^[0-9a-f]{64}$ ]] ||
  stop "sha256: give the SHA-256 of the download, 64 hex digits, from SHA256SUMS of version $version."

case $(uname -s)-$(uname -m) in
  Linux-x86_64) name=gander-$version-x86_64-linux ;;
  Linux-aarch64) name=gander-$version-aarch64-linux ;;
  *) stop "there is no Gander for $(uname -s) on $(uname -m); use a Linux runner." ;;
esac
url=${url:-https://github.com/gander-app/gander/releases/download/v$version/$name.tar.gz}

# `rm` removes a link and not what it leads to; without `--parents`, `mkdir` fails where anything is.
rm -rf -- "$directory"
mkdir -m 0700 -- "$directory"
# `-q`, which has to come first: no .curlrc.
curl -q --fail --silent --show-error --location --proto '=https,file' --proto-redir '=https' \
  --retry 3 --max-time 300 --output "$directory/download" -- "$url" ||
  stop "version $version could not be downloaded."
sha256sum --check --status <<< "$sha256  $directory/download" ||
  stop "the download of version $version does not have the SHA-256 that was given. Nothing was unpacked."

tar --extract --gzip --file "$directory/download" --directory "$directory" --no-same-owner \
  --strip-components 1 --wildcards -- "$name/gander*"
[[ -f $directory/gander && ! -L $directory/gander ]] ||
  stop "the download of version $version holds no program."
rm -- "$directory/download"
