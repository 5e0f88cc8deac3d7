#!/bin/sh
# Builds what is released: for each architecture one static program, which needs nothing of the
# system it runs on, in a tarball. The same commit gives the same bytes, wherever it lies and
# whenever it is built (`make reproduce` looks): the compiler and the linker have exact versions,
# and no path of this machine stands in the program.
#
# dist.sh [x86_64] [aarch64]   both if none is named; the tarballs and SHA256SUMS go to target/dist
set -eu
cd "$(dirname "$0")/.."
RUST=1.95.0
tools=target/tools/zig

[ $# -gt 0 ] || set -- x86_64 aarch64
for architecture in "$@"; do
  case $architecture in
    x86_64 | aarch64) ;;
    *) echo "dist.sh: no $architecture: name x86_64 or aarch64" >&2; exit 2 ;;
  esac
done

sh scripts/need.sh cargo cc git python3-venv
if ! cmp -s packaging/requirements.txt $tools/requirements.txt; then
  rm -rf $tools
  python3 -m venv $tools
  $tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
    --requirement packaging/requirements.txt
  cp packaging/requirements.txt $tools/
fi
PATH=$PWD/$tools/bin:$PATH

if [ "$(rustc --version | cut -d ' ' -f 2)" != $RUST ]; then
  export RUSTUP_TOOLCHAIN=$RUST
  rustup toolchain install $RUST --profile minimal --no-self-update
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="--remap-path-prefix=$PWD=/gander --remap-path-prefix=$cargo_home=/cargo"
RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$(rustc --print sysroot)=/rust"
CFLAGS="-ffile-prefix-map=$PWD=/gander -ffile-prefix-map=$cargo_home=/cargo"
export RUSTFLAGS CFLAGS CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0 LC_ALL=C TZ=UTC

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
rm -rf target/dist
mkdir -p target/dist
for architecture in "$@"; do
  target=$architecture-unknown-linux-musl
  rustup --quiet target add "$target"
  cargo zigbuild --release --locked --target "$target"
  sh packaging/pack.sh "target/$target/release" "gander-$version-$architecture-linux"
done
cd target/dist
sha256sum -- *.tar.gz | tee SHA256SUMS
