/* A library that is loaded before all others (LD_PRELOAD) and stands between a process and the system.
 *
 * Once armed it counts the points at which the process changes something that outlives it: what it opens to write,
 * writes, syncs, renames, removes and makes in the folders of a given one, what it connects to, starts and ends. At the
 * point of a given number it kills the process, or has that call and all that follow fail. It can also set the
 * clock of the day to and fro, a year each time it is asked, or so many seconds ahead. Built by the tests: cc -shared -fPIC -o faults.so faults.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { OFF, COUNT, KILL, FAIL };
static int mode, error, record = -1, swinging;
static time_t ahead; /* seconds that the clock of the day is ahead */
static long at;
static atomic_long seen, asked;
static pid_t armed;
static char below[4096]; /* the folder, with a slash at its end */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) { unsetenv("LD_PRELOAD"); /* what it starts is left alone */
    const char *clock = getenv("FAULTS_CLOCK");
    if (clock) { swinging = !strcmp(clock, "swings"); ahead = atol(clock); unsetenv("FAULTS_CLOCK"); } }

void faults_arm(int new_mode, long new_at, int new_error, int new_record, const char *folder) {
    snprintf(below, sizeof below, "%s/", folder);
    mode = new_mode, at = new_at, error = new_error, record = new_record, armed = getpid(), seen = 0;
}

/* Whether the call that is about to be made must fail; `path` may be empty for one that has none. */
static int point(const char *name, const char *path) {
    size_t length_below = strlen(below);
    if (mode == OFF || getpid() != armed) return 0;
    if (*path && (strncmp(path, below, length_below) || !strchr(path + length_below, '/'))) return 0;
    long now = ++seen;
    char line[300];
    int length = snprintf(line, sizeof line, "%s %.250s\n", name, path);
    if (record >= 0 && mode == COUNT) REAL(write)(record, line, length);
    if (mode == KILL && now == at) { if (record >= 0) REAL(write)(record, line, length); REAL(kill)(getpid(), SIGKILL); }
    if (mode == FAIL && now >= at && *path) { errno = error; return 1; }
    return 0;
}

static int fd_point(const char *name, int fd) {
    char link[64], path[4096];
    struct stat about;
    if (mode == OFF || fstat(fd, &about) || !S_ISREG(about.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return point(name, path);
}

#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR))
#define OPENER(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); int rights = va_arg(more, int); va_end(more); \
    return CHANGES(flags) && point("open", path) ? -1 : REAL(name)(path, flags, rights); }
#define OPENER_AT(name) int name(int dir, const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); int rights = va_arg(more, int); va_end(more); \
    return CHANGES(flags) && point("open", path) ? -1 : REAL(name)(dir, path, flags, rights); }
OPENER(open) OPENER(open64) OPENER_AT(openat) OPENER_AT(openat64)

ssize_t write(int fd, const void *data, size_t size) { return fd_point("write", fd) ? -1 : REAL(write)(fd, data, size); }
#define PWRITER(name, offset_t) ssize_t name(int fd, const void *data, size_t size, offset_t where) { \
    return fd_point("write", fd) ? -1 : REAL(name)(fd, data, size, where); }
PWRITER(pwrite, off_t) PWRITER(pwrite64, off64_t)
int ftruncate(int fd, off_t size) { return fd_point("truncate", fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fd_point("truncate", fd) ? -1 : REAL(ftruncate64)(fd, size); }
int fsync(int fd) { return fd_point("sync", fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fd_point("sync", fd) ? -1 : REAL(fdatasync)(fd); }
int rename(const char *from, const char *to) { return point("rename", to) ? -1 : REAL(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    return point("rename", to) ? -1 : REAL(renameat)(a, from, b, to); }
int link(const char *from, const char *to) { return point("link", to) ? -1 : REAL(link)(from, to); }
int unlink(const char *path) { return point("remove", path) ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t rights) { return point("make folder", path) ? -1 : REAL(mkdir)(path, rights); }
int connect(int fd, const struct sockaddr *to, socklen_t size) { point("connect", ""); return REAL(connect)(fd, to, size); }
int pipe2(int fds[2], int flags) { point("start", ""); return REAL(pipe2)(fds, flags); }
int kill(pid_t pid, int number) { point("end", ""); return REAL(kill)(pid, number); }
int killpg(pid_t pid, int number) { point("end", ""); return REAL(killpg)(pid, number); }

/* -- the clock: of the day alone, for that is what can be set */

static time_t off(void) { return swinging ? (++asked % 2 ? 1 : -1) * 365L * 86400 : ahead; }
int clock_gettime(clockid_t which, struct timespec *now) {
    int end = REAL(clock_gettime)(which, now);
    if (which == CLOCK_REALTIME) now->tv_sec += off();
    return end;
}
int gettimeofday(struct timeval *now, void *zone) {
    int end = REAL(gettimeofday)(now, zone);
    now->tv_sec += off();
    return end;
}
time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where) *where = now.tv_sec;
    return now.tv_sec;
}
