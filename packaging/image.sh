#!/bin/sh
# Builds the container image from the x86_64 program that `dist.sh` packed: a minimal Debian with git,
# bubblewrap and that program, in OCI's layout, as target/dist/gander.oci.tar. The same packages of
# Debian and the same program give the same bytes. Needs mmdebstrap, umoci and skopeo of Debian.
#
# What checks your repositories (compilers, interpreters) is not in it: add that in an image made
# from this one.
set -eu
cd "$(dirname "$0")/.."
SUITE=trixie
sh scripts/need.sh mmdebstrap umoci skopeo

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
packed=target/dist/gander-$version-x86_64-linux
[ -f "$packed.tar.gz" ] || { echo "image.sh: run packaging/dist.sh x86_64 first" >&2; exit 1; }
export SOURCE_DATE_EPOCH=0 LC_ALL=C TZ=UTC
created=1970-01-01T00:00:00Z
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Caches, logs and machine ids differ each time.
mmdebstrap --quiet --variant=minbase --include=git,bubblewrap,ca-certificates \
  --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --customize-hook='rm -rf "$1"/var/log/* "$1"/var/cache/ldconfig/aux-cache "$1"/etc/hostname "$1"/etc/resolv.conf' \
  --customize-hook='useradd --root "$1" --system --uid 900 --create-home --home-dir /var/lib/gander gander' \
  $SUITE "$folder/debian.tar"

mkdir -p "$folder/program/usr/local/bin" "$folder/program/usr/local/share/gander"
tar --extract --gzip --file "$packed.tar.gz" --directory "$folder"
cp "$folder/gander-$version-x86_64-linux"/gander* "$folder/program/usr/local/bin/"
cp "$folder/gander-$version-x86_64-linux"/LICENSE-* "$folder/program/usr/local/share/gander/"
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar \
  --directory "$folder/program" --file "$folder/program.tar" usr

image=$folder/image:latest
umoci init --layout "$folder/image"
umoci new --image "$image"
umoci raw add-layer --image "$image" --history.created $created --history.created_by mmdebstrap "$folder/debian.tar"
umoci raw add-layer --image "$image" --history.created $created --history.created_by "gander $version" "$folder/program.tar"
umoci config --image "$image" --no-history --created $created --architecture amd64 --os linux \
  --config.user gander --config.workingdir /var/lib/gander --config.entrypoint /usr/local/bin/gander \
  --config.cmd serve --config.label org.opencontainers.image.title=gander \
  --config.label org.opencontainers.image.version="$version" \
  --config.label org.opencontainers.image.licenses="MIT OR Apache-2.0" \
  --config.label org.opencontainers.image.source=https://github.com/gander-app/gander
umoci gc --layout "$folder/image"
skopeo --insecure-policy copy --quiet "oci:$image" "oci-archive:$folder/gander.oci.tar:latest"
# An archive in which the order and the times of the files are always the same.
mkdir "$folder/layout"
tar --extract --file "$folder/gander.oci.tar" --directory "$folder/layout"
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar --mode=u=rwX,go=rX \
  --directory "$folder/layout" --file target/dist/gander.oci.tar .
sha256sum target/dist/gander.oci.tar
