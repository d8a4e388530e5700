/* A disk that fails when it is told to. Loaded before libc (LD_PRELOAD) into a gateway under test, it stands before every
 * call that touches a file below FAULTY_DISK_FOLDER, counts those that a test asks about, and at the one that is meant fails,
 * does half of it, or ends the process. What happens is written down in order, what is said to SMTP clients too.
 *
 * The test and this share the page FAULTY_DISK_PLAN (see mod.rs, which has the same layout). Nothing of it is in zegel. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum call { OPEN, READ, WRITE, TRUNCATE, SYNC, RENAME, REMOVE, CALLS };
static const char *const names[CALLS] = {"open", "read", "write", "truncate", "sync", "rename", "remove"};

enum act { FAIL, HALF, HALF_THEN_FAIL, DIE_BEFORE, DIE_AFTER, DIE_HALFWAY };

struct plan {
  _Atomic uint32_t armed;     /* the test sets it last; cleared when the fault has struck */
  _Atomic uint32_t calls;     /* bit mask of enum call */
  _Atomic uint32_t countdown; /* strikes when it gets to 0 */
  _Atomic uint32_t act;
  _Atomic uint32_t error;     /* errno of FAIL */
  _Atomic uint32_t lasting;   /* goes on failing until disarmed */
  _Atomic uint32_t struck;    /* how often it has */
  char part[64];              /* only paths that hold this */
};

static struct plan *plan;
static char folder[PATH_MAX];
static int trace = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *where = getenv("FAULTY_DISK_FOLDER"), *page = getenv("FAULTY_DISK_PLAN"), *log = getenv("FAULTY_DISK_TRACE");
  if (!where || !page || !log) return;
  snprintf(folder, sizeof folder, "%s/", where);
  int fd = REAL(open)(page, O_RDWR | O_CLOEXEC);
  void *at = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  trace = REAL(open)(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || at == MAP_FAILED || trace < 0) _exit(97);
  REAL(close)(fd);
  plan = at;
}

static void note(const char *what, const char *path) {
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%s %s\n", what, path);
  if (trace >= 0) (void)!REAL(write)(trace, line, length);
}

/* The path of an open file, if it is one of ours. */
static const char *path_of(int fd, char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = plan ? readlink(link, path, PATH_MAX - 1) : -1;
  if (length < 0) return NULL;
  path[length] = 0;
  size_t prefix = strlen(folder);
  int is_ours = strncmp(path, folder, prefix) == 0 || (strncmp(path, folder, prefix - 1) == 0 && !path[prefix - 1]);
  return is_ours ? path : NULL;
}

static const char *ours(const char *path) {
  return plan && path && strncmp(path, folder, strlen(folder)) == 0 ? path : NULL;
}

/* What is to be done at this call, or -1. */
static int strike(enum call call, const char *path) {
  if (!path) return -1;
  note(names[call], path);
  if (!atomic_load(&plan->armed) || !(atomic_load(&plan->calls) & 1u << call)) return -1;
  if (plan->part[0] && !strstr(path, plan->part)) return -1;
  uint32_t left = atomic_load(&plan->countdown);
  while (left > 0 && !atomic_compare_exchange_weak(&plan->countdown, &left, left - 1)) {}
  if (left > 1 || (left == 0 && !atomic_load(&plan->lasting))) return -1;
  atomic_fetch_add(&plan->struck, 1);
  note("STRUCK", path);
  return (int)atomic_load(&plan->act);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int fail(void) {
  errno = (int)atomic_load(&plan->error);
  return -1;
}

/* Calls that are done or not done. */
#define WHOLE(call, path, real)                                                  \
  do {                                                                           \
    int act = strike(call, path);                                                \
    if (act == FAIL || act == HALF_THEN_FAIL) return fail();                     \
    if (act == DIE_BEFORE || act == DIE_HALFWAY) die();                          \
    __typeof__(real) result = real;                                              \
    if (act == DIE_AFTER) die();                                                 \
    return result;                                                               \
  } while (0)

/* Calls that may be done in part. */
#define PARTLY(call, path, real, size)                                           \
  do {                                                                           \
    int act = strike(call, path);                                                \
    if (act == FAIL) return fail();                                              \
    if (act == DIE_BEFORE) die();                                                \
    if (act == HALF || act == HALF_THEN_FAIL || act == DIE_HALFWAY) size = (size + 1) / 2; \
    ssize_t result = real;                                                       \
    if (act == DIE_AFTER || act == DIE_HALFWAY) die();                           \
    if (act == HALF_THEN_FAIL) return fail();                                    \
    return result;                                                               \
  } while (0)

static int open_at(int dir, const char *path, int flags, mode_t mode) {
  if (flags & O_CREAT && ours(path) && access(path, F_OK) != 0) note("create", path);
  WHOLE(OPEN, flags & O_PATH ? NULL : ours(path), REAL(openat)(dir, path, flags, mode));
}

#define MODE(flags)                                                              \
  mode_t mode = 0;                                                               \
  if (flags & (O_CREAT | O_TMPFILE)) {                                           \
    va_list more;                                                                \
    va_start(more, flags);                                                       \
    mode = va_arg(more, mode_t);                                                 \
    va_end(more);                                                                \
  }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags) return open_at(dir, path, flags | O_LARGEFILE, mode); }

ssize_t read(int fd, void *to, size_t size) {
  char path[PATH_MAX];
  PARTLY(READ, path_of(fd, path), REAL(read)(fd, to, size), size);
}
ssize_t pread64(int fd, void *to, size_t size, off64_t at) {
  char path[PATH_MAX];
  PARTLY(READ, path_of(fd, path), REAL(pread64)(fd, to, size, at), size);
}
ssize_t pread(int fd, void *to, size_t size, off_t at) { return pread64(fd, to, size, at); }

ssize_t write(int fd, const void *from, size_t size) {
  char path[PATH_MAX];
  PARTLY(WRITE, path_of(fd, path), REAL(write)(fd, from, size), size);
}
ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
  char path[PATH_MAX];
  PARTLY(WRITE, path_of(fd, path), REAL(pwrite64)(fd, from, size, at), size);
}
ssize_t pwrite(int fd, const void *from, size_t size, off_t at) { return pwrite64(fd, from, size, at); }

int ftruncate64(int fd, off64_t size) {
  char path[PATH_MAX];
  WHOLE(TRUNCATE, path_of(fd, path), REAL(ftruncate64)(fd, size));
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
  char path[PATH_MAX];
  WHOLE(SYNC, path_of(fd, path), REAL(fsync)(fd));
}
int fdatasync(int fd) {
  char path[PATH_MAX];
  WHOLE(SYNC, path_of(fd, path), REAL(fdatasync)(fd));
}

int rename(const char *from, const char *to) { WHOLE(RENAME, ours(to), REAL(rename)(from, to)); }
int unlink(const char *path) { WHOLE(REMOVE, ours(path), REAL(unlink)(path)); }

/* Only noted: what must be flushed, and which promise was given when. */
int mkdir(const char *path, mode_t mode) {
  if (ours(path)) note("create", path);
  return REAL(mkdir)(path, mode);
}
ssize_t send(int fd, const void *from, size_t size, int flags) {
  const char promise[] = "250 2.0.0 Ok: queued";
  if (plan && memmem(from, size, promise, sizeof promise - 1)) note("PROMISED", "");
  return REAL(send)(fd, from, size, flags);
}
