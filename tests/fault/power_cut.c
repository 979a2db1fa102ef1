/* A file layer that can lose power, put under a process with LD_PRELOAD.
 *
 * It remembers, for every file written below POWER_CUT_DIR, which bytes were written since the file was last synced.
 * When the file POWER_CUT_TRIGGER appears, it takes those bytes back, as a machine losing power may, and ends the
 * process at once. kill -9 cannot show this: the kernel still holds what was written.
 *
 *   POWER_CUT_KEEP=none|half   how much of the unsynced bytes survives (half: a torn write)
 *   POWER_CUT_SYNC=true|lie|fail   lie: report success, sync nothing (shows that the test can fail);
 *                                  fail: once POWER_CUT_TRIGGER.fail exists, syncing fails with EIO
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FILES = 4096, MAX_SPANS = 1 << 16 };

struct span { off_t from, to; unsigned long turn; };
struct file { dev_t dev; ino_t ino; int fd; off_t synced_size; struct span *spans; size_t count; };

static struct file files[MAX_FILES];
static size_t file_count;
static unsigned long turn;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root, *trigger, *keep, *sync_mode;
static char fail_trigger[PATH_MAX];

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

static void cut_power(void) {
    static const char zeros[1 << 16];
    pthread_mutex_lock(&lock); /* never released: nobody writes any more */
    for (size_t i = 0; i < file_count; i++) {
        struct file *file = &files[i];
        struct stat now;
        if (fstat(file->fd, &now) != 0) continue;
        off_t kept = file->synced_size;
        for (size_t s = 0; s < file->count; s++) {
            struct span span = file->spans[s];
            if (strcmp(keep, "half") == 0) {
                span.from += (span.to - span.from) / 2;
                if (span.from > kept) kept = span.from;
            }
            for (off_t at = span.from; at < span.to && at < now.st_size;) {
                size_t size = sizeof zeros;
                if ((off_t)size > span.to - at) size = (size_t)(span.to - at);
                if (real_pwrite(file->fd, zeros, size, at) <= 0) break;
                at += (off_t)size;
            }
        }
        if (file->count > 0 && kept < now.st_size && ftruncate(file->fd, kept) != 0) perror("power cut");
    }
    _exit(137);
}

static void *watch(void *unused) {
    (void)unused;
    while (access(trigger, F_OK) != 0) usleep(1000);
    cut_power();
    return NULL;
}

__attribute__((constructor)) static void start(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    root = getenv("POWER_CUT_DIR");
    trigger = getenv("POWER_CUT_TRIGGER");
    keep = getenv("POWER_CUT_KEEP") ? getenv("POWER_CUT_KEEP") : "none";
    sync_mode = getenv("POWER_CUT_SYNC") ? getenv("POWER_CUT_SYNC") : "true";
    if (!root || !trigger) { root = NULL; return; }
    snprintf(fail_trigger, sizeof fail_trigger, "%s.fail", trigger);
    pthread_t thread;
    pthread_create(&thread, NULL, watch, NULL);
}

/* The entry of a regular file below the root; NULL for anything else. Call with the lock held. */
static struct file *find(int fd, int make) {
    struct stat now;
    if (!root || fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) return NULL;
    for (size_t i = 0; i < file_count; i++)
        if (files[i].ino == now.st_ino && files[i].dev == now.st_dev) return &files[i];
    if (!make || file_count == MAX_FILES) return NULL;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    if (strncmp(path, root, strlen(root)) != 0) return NULL;
    struct file *file = &files[file_count++];
    *file = (struct file){ now.st_dev, now.st_ino, dup(fd), now.st_size, malloc(MAX_SPANS * sizeof(struct span)), 0 };
    return file;
}

/* Notes that `count` bytes are about to be written at `at` (or, if negative, where the descriptor stands). */
static void note(int fd, off_t at, size_t count) {
    struct file *file = find(fd, 1);
    if (!file) return;
    struct stat now;
    if (at < 0) {
        at = lseek(fd, 0, SEEK_CUR);
        int append = 0;
        char info[64], line[128];
        snprintf(info, sizeof info, "/proc/self/fdinfo/%d", fd);
        FILE *text = fopen(info, "re");
        unsigned flags;
        while (text && fgets(line, sizeof line, text))
            if (sscanf(line, "flags: %o", &flags) == 1) append = (flags & 02000) != 0;
        if (text) fclose(text);
        if (append && fstat(fd, &now) == 0) at = now.st_size;
    }
    if (file->count == MAX_SPANS) { fputs("power cut: too many spans\n", stderr); abort(); }
    file->spans[file->count++] = (struct span){ at, at + (off_t)count, ++turn };
}

#define WRITING(fd, at, size, call)          \
    pthread_mutex_lock(&lock);               \
    note(fd, at, size);                      \
    ssize_t written = call;                  \
    int saved = errno;                       \
    pthread_mutex_unlock(&lock);             \
    errno = saved;                           \
    return written

ssize_t write(int fd, const void *bytes, size_t size) {
    if (!root) return real_write(fd, bytes, size);
    WRITING(fd, -1, size, real_write(fd, bytes, size));
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t at) {
    if (!root) return real_pwrite(fd, bytes, size, at);
    WRITING(fd, at, size, real_pwrite(fd, bytes, size, at));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!root) return real_writev(fd, parts, count);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    WRITING(fd, -1, size, real_writev(fd, parts, count));
}

static int sync_file(int fd, int (*real)(int)) {
    if (!root) return real(fd);
    pthread_mutex_lock(&lock);
    struct file *file = find(fd, 0);
    unsigned long until = turn;
    pthread_mutex_unlock(&lock);
    if (strcmp(sync_mode, "fail") == 0 && access(fail_trigger, F_OK) == 0) { errno = EIO; return -1; }
    if (strcmp(sync_mode, "lie") == 0) return 0;
    int result = real(fd);
    if (!file || result != 0) return result;
    pthread_mutex_lock(&lock);
    size_t left = 0;
    off_t size = file->synced_size;
    for (size_t s = 0; s < file->count; s++) {
        if (file->spans[s].turn > until) file->spans[left++] = file->spans[s];
        else if (file->spans[s].to > size) size = file->spans[s].to;
    }
    file->count = left;
    file->synced_size = size;
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return sync_file(fd, real_fsync); }
int fdatasync(int fd) { return sync_file(fd, real_fdatasync); }
