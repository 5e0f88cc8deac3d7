#!/bin/sh
# Packs the program of the directory $1 into target/dist/$2.tar.gz, as the Action installs it, with
# the guides and the files that they tell people to copy. The same program gives the same tarball,
# byte for byte.
set -eu
programs=$1 name=$2
umask 022
rm -rf "target/dist/$name"
mkdir -p "target/dist/$name"
cp "$programs/gander" "$programs/gander-sandbox-init" README.md LICENSE-APACHE LICENSE-MIT \
  "target/dist/$name/"
mkdir -p "target/dist/$name/docs" "target/dist/$name/packaging"
cp docs/*.md docs/*.png "target/dist/$name/docs/"
cp -R packaging/apparmor packaging/caddy packaging/nginx packaging/systemd \
  packaging/compose.yaml packaging/seccomp.json "target/dist/$name/packaging/"
chmod -R u=rwX,go=rX "target/dist/$name"
chmod 0644 "target/dist/$name/README.md" "target/dist/$name"/LICENSE-*
chmod 0755 "target/dist/$name/gander" "target/dist/$name/gander-sandbox-init"
cd target/dist
tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar "$name" |
  gzip --no-name --best > "$name.tar.gz"
rm -r "$name"
