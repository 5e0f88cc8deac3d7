#!/bin/sh
# Whether the tarballs of the present commit come out the same elsewhere: they are built twice, in
# two directories, with two homes of cargo. Takes half an hour for each architecture.
#
# reproduce.sh [x86_64] [aarch64]
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
home=${CARGO_HOME:-$HOME/.cargo}
for place in first second/of-another-length; do
  mkdir -p "$folder/$place/gander" "$folder/$place/cargo"
  git archive HEAD | tar --extract --directory "$folder/$place/gander"
  # Where packages come from here is no part of what is built.
  [ ! -f "$home/config.toml" ] || cp "$home/config.toml" "$folder/$place/cargo/"
  (cd "$folder/$place/gander" && CARGO_HOME=$folder/$place/cargo sh packaging/dist.sh "$@")
done
cmp "$folder/first/gander/target/dist/SHA256SUMS" \
  "$folder/second/of-another-length/gander/target/dist/SHA256SUMS"
echo "both came out the same"
