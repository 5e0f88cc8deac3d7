#!/bin/sh
# Sees to it that these programs are there: installs what is missing where we may, else names it.
set -eu

package_of() {
  case $1 in
    bwrap) echo bubblewrap ;;
    chromium) echo "chromium fonts-dejavu-core" ;;
    cc) echo build-essential ;;
    git) echo git ;;
    htpasswd) echo apache2-utils ;;
    node) echo nodejs ;;
    npm) echo npm ;;
    prlimit | unshare) echo util-linux ;;
    pytest) echo python3-pytest ;;
    *) echo "$1" ;;
  esac
}

if ! command -v cargo >/dev/null; then
  echo "Rust is missing: install 1.95 or newer with rustup (https://rustup.rs), then try again." >&2
  exit 1
fi

packages=
for program in "$@"; do
  if [ "$program" = python3-venv ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
  elif [ "$program" = pytest ] && [ ! -x /usr/bin/pytest ] && [ ! -x /usr/bin/pytest-3 ]; then
    packages="$packages python3-pytest"
  elif [ "$program" = initdb ]; then
    # Debian puts the server's programs beside each other by version, and on nobody's path.
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages="$packages postgresql"
  elif ! command -v "$program" >/dev/null && [ "$program" != pytest ]; then
    packages="$packages $(package_of "$program")"
  fi
done
[ -z "$packages" ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing:$packages"
  apt-get update -qq
  # shellcheck disable=SC2086 # several packages, by intent
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
else
  echo "Missing here. Install it and try again:" >&2
  echo "  sudo apt-get install$packages" >&2
  exit 1
fi
