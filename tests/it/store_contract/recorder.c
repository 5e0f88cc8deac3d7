/* Loaded before libc by a process under test: records what it does to the files below RECORD_BELOW,
 * and what it says on its standard output, in the order in which it happens. The record is what a
 * disk saw, so a test can make of it what a power cut would have left.
 *
 * One entry: kind (written, truncated, synced, unlinked, acknowledged), then three 64-bit numbers (length of the path, offset or size,
 * length of the data), the path and the data. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static const char *below;

static ssize_t (*real_write)(int, const void *, size_t);

__attribute__((constructor)) static void begin(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    below = getenv("RECORD_BELOW");
    const char *to = getenv("RECORD_TO");
    if (below && to)
        record = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The file of a descriptor, if it is recorded. */
static int recorded(int fd, char *path, size_t size) {
    char link[64];
    if (record < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static void note(char kind, const char *path, uint64_t number, const void *data, uint64_t length) {
    uint64_t numbers[3] = {strlen(path), number, length};
    real_write(record, &kind, 1);
    real_write(record, numbers, sizeof numbers);
    real_write(record, path, numbers[0]);
    real_write(record, data, length);
}

static ssize_t placed(const char *name, int fd, const void *data, size_t length, off_t at) {
    char path[4096];
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
    if (!recorded(fd, path, sizeof path))
        return real(fd, data, length, at);
    pthread_mutex_lock(&order);
    ssize_t written = real(fd, data, length, at);
    if (written > 0)
        note('w', path, at, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    return placed("pwrite", fd, data, length, at);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) {
    return placed("pwrite64", fd, data, length, at);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[4096];
    if (!real_write)
        real_write = dlsym(RTLD_NEXT, "write");
    int said = fd == 1 && record >= 0;
    int file = !said && recorded(fd, path, sizeof path);
    if (!said && !file)
        return real_write(fd, data, length);
    pthread_mutex_lock(&order);
    off_t at = file ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t written = real_write(fd, data, length);
    if (written > 0)
        note(said ? 'a' : 'w', said ? "" : path, at, data, written);
    pthread_mutex_unlock(&order);
    return written;
}

static int resized(const char *name, int fd, off_t size) {
    char path[4096];
    int (*real)(int, off_t) = dlsym(RTLD_NEXT, name);
    if (!recorded(fd, path, sizeof path))
        return real(fd, size);
    pthread_mutex_lock(&order);
    int outcome = real(fd, size);
    if (outcome == 0)
        note('t', path, size, "", 0);
    pthread_mutex_unlock(&order);
    return outcome;
}

int ftruncate(int fd, off_t size) { return resized("ftruncate", fd, size); }
int ftruncate64(int fd, off64_t size) { return resized("ftruncate64", fd, size); }

int unlink(const char *path) {
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    if (record < 0 || strncmp(path, below, strlen(below)) != 0)
        return real(path);
    pthread_mutex_lock(&order);
    int outcome = real(path);
    if (outcome == 0)
        note('u', path, 0, "", 0);
    pthread_mutex_unlock(&order);
    return outcome;
}

/* What is written while a sync is under way is not known to be on the disk, so the entry stands
 * where the sync began, and only after it has succeeded: writers wait. */
static int synced(const char *name, int fd) {
    char path[4096];
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    if (!recorded(fd, path, sizeof path))
        return real(fd);
    pthread_mutex_lock(&order);
    int outcome = real(fd);
    if (outcome == 0)
        note('s', path, 0, "", 0);
    pthread_mutex_unlock(&order);
    return outcome;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }
