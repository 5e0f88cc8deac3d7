#!/bin/sh
# Packs the program of the directory $1 into target/dist/$2.tar.gz, as the Action installs it. The
# same program gives the same tarball, byte for byte.
set -eu
programs=$1 name=$2
umask 022
rm -rf "target/dist/$name"
mkdir -p "target/dist/$name"
cp "$programs/gander" "$programs/gander-sandbox-init" README.md LICENSE-APACHE LICENSE-MIT \
  "target/dist/$name/"
chmod 0755 "target/dist/$name" "target/dist/$name/gander" "target/dist/$name/gander-sandbox-init"
chmod 0644 "target/dist/$name/README.md" "target/dist/$name"/LICENSE-*
cd target/dist
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar "$name" |
  gzip --no-name --best > "$name.tar.gz"
rm -r "$name"
