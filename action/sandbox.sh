#!/usr/bin/env bash
# Sees to it that the sandbox can work, on a machine that GitHub made for this one job: installs
# bubblewrap, and lets it make user namespaces, where either is missing. On any other machine it
# changes nothing: there the sandbox is its administrator's matter, and Gander says what is missing.
set -euo pipefail

works() {
  /usr/bin/bwrap --unshare-all --ro-bind / / /bin/true 2> /dev/null
}

works && exit 0
if [[ ${RUNNER_ENVIRONMENT:-} != github-hosted ]]; then
  exit 0
fi
if [[ ! -x /usr/bin/bwrap ]]; then
  sudo apt-get update --quiet
  sudo apt-get install --quiet --yes --no-install-recommends bubblewrap
fi
# Ubuntu lets no program make user namespaces that has no profile of its own.
works || sudo sysctl --quiet --write kernel.apparmor_restrict_unprivileged_userns=0
