#!/bin/sh
check() {
  want=$1; shift
  got=$(sh mean.sh "$@" 2>&1)
  [ "$got" = "$want" ] || { echo "FAIL: mean of ($*): expected $want, got $got"; exit 1; }
}
check 3 1 2 6
echo ok
