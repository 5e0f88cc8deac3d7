#!/bin/sh
# musl 1.2.3 (Debian 12: musl-dev 1.2.3-1): a program that is linked with it statically cannot set
# the scheduling class of a process by the C library, though the kernel lets it.
#
# Looked at: 2026-12-01, gcc 12.2.0, Linux 6.18 x86_64.
# Expected:  sched_setscheduler(2) is a thin wrapper: what the kernel allows, it does, as with glibc.
# Happens:   musl's asks the kernel for nothing and returns ENOSYS always. A program that ignores the
#            failure, as is usual for "run this with less urgency", loses the class without a word
#            once it is built for musl.
# Way out:   make the system call itself, and test the static build and not only the other one.
set -eu
version=1.2.3-1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
apt-get download -qq "musl-dev=$version" >/dev/null 2>&1
dpkg -x musl-dev_*.deb musl
cat >class.c <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifndef SCHED_BATCH
#define SCHED_BATCH 3
#endif
static void said(const char *what, long end) {
    printf("%s: %s\n", what, end == 0 ? "done" : errno == ENOSYS ? "ENOSYS" : "refused");
}
int main(void) {
    struct sched_param none;
    memset(&none, 0, sizeof none);
    said("library", sched_setscheduler(0, SCHED_BATCH, &none));
    said("kernel", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &none));
    return 0;
}
END
include=musl/usr/include/x86_64-linux-musl
lib=musl/usr/lib/x86_64-linux-musl
gcc -o with-glibc class.c
gcc -static -nostdinc -isystem "$include" -nostdlib -o with-musl \
    "$lib/crt1.o" "$lib/crti.o" class.c "$lib/libc.a" "$(gcc -print-libgcc-file-name)" "$lib/crtn.o"
seen=$(for libc in glibc musl; do "./with-$libc" | sed "s/^/$libc, /"; done)
echo "$seen"
wanted='glibc, library: done
glibc, kernel: done
musl, library: ENOSYS
musl, kernel: done'
[ "$seen" = "$wanted" ] || { echo "that has changed" >&2; exit 1; }
