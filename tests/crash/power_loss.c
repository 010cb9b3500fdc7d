/* Stands between a process and the files of one folder, and keeps beside them what is needed to
 * tell what a disk would hold if the power failed now. To be loaded by LD_PRELOAD.
 *
 * Must not: change what the process sees, unless the control page asks for a fault.
 *
 * POWER_LOSS_FOLDER  the folder whose files are watched (no folders below it)
 * POWER_LOSS_SIDE    a folder on the same file system, for
 *   journal          every change, written before it is made: struct record, path, old bytes, new
 *   inode-N          a hard link to each file, so that it can be found whatever its name is by then
 *   control          four bytes that a test sets while the process runs:
 *                    [0] 1: no file can grow or be made; 2: nothing can be written at all (ENOSPC)
 *                    [1] 1: fsync fails (EIO)
 *
 * Files that end in "-shm" are memory that processes share; nobody expects them on a disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE, SYNCED, NOT_SYNCED, CREATED, REMOVED, RENAMED, FOLDER_SYNCED };

/* All of the machine's own byte order. For WRITE, `at` and `length` say where; the file had
 * `old_size` bytes, of which `old_length` were in that place. For TRUNCATE, `at` is the new size.
 * For RENAMED, `at` is the inode that had the new name, or 0; the path is "OLD\nNEW". */
struct record {
  uint32_t kind, path_length;
  uint64_t inode, at, length, old_size, old_length;
};

#define MAX_FD 65536
static uint64_t watched[MAX_FD]; /* the inode behind each descriptor, 0 for none */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX], side[PATH_MAX];
static uint64_t folder_inode;
static int journal = -1;
static volatile unsigned char *control;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

static void fail(const char *what) {
  dprintf(2, "power_loss: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void begin(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
  const char *of = getenv("POWER_LOSS_FOLDER"), *beside = getenv("POWER_LOSS_SIDE");
  struct stat status;
  if (!of || !beside) return;
  if (!realpath(of, folder) || !realpath(beside, side)) fail("folders");
  if (stat(folder, &status)) fail(folder);
  folder_inode = status.st_ino;
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/control", side);
  int page = real_open(path, O_RDWR | O_CREAT, 0600);
  if (page < 0 || real_ftruncate(page, 4096)) fail(path);
  control = mmap(NULL, 4096, PROT_READ, MAP_SHARED, page, 0);
  if (control == MAP_FAILED) fail(path);
  real_close(page);
  snprintf(path, sizeof path, "%s/journal", side);
  journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (journal < 0) fail(path);
}

static void note(struct record head, const char *path, const void *old, const void *new) {
  head.path_length = path ? strlen(path) : 0;
  struct iovec parts[] = {
      {&head, sizeof head},
      {(void *)path, head.path_length},
      {(void *)old, head.old_length},
      {(void *)new, head.kind == WRITE ? head.length : 0},
  };
  size_t whole = 0;
  for (int i = 0; i < 4; i++) whole += parts[i].iov_len;
  if (writev(journal, parts, 4) != (ssize_t)whole) fail("journal");
}

/* The name in the watched folder that a path means, or NULL. */
static const char *name_of(const char *path, char *buffer) {
  if (journal < 0) return NULL;
  char whole[PATH_MAX];
  const char *slash = strrchr(path, '/');
  if (slash) {
    size_t length = slash - path;
    if (length >= sizeof whole) return NULL;
    memcpy(whole, path, length);
    whole[length] = 0;
    if (!realpath(length ? whole : "/", buffer)) return NULL;
  } else if (!realpath(".", buffer)) {
    return NULL;
  }
  const char *name = slash ? slash + 1 : path;
  size_t length = strlen(name);
  if (strcmp(buffer, folder) || !length) return NULL;
  if (length > 4 && !strcmp(name + length - 4, "-shm")) return NULL;
  return name;
}

static void keep(const char *path, uint64_t inode) {
  char other[PATH_MAX + 32];
  snprintf(other, sizeof other, "%s/inode-%llu", side, (unsigned long long)inode);
  if (link(path, other) && errno != EEXIST) fail(other);
}

static int watch(const char *path, int flags, mode_t mode) {
  char buffer[PATH_MAX];
  const char *name = name_of(path, buffer);
  if (!name || (flags & O_DIRECTORY)) return real_open(path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat status;
  int is_new = stat(path, &status) != 0;
  if (is_new && (flags & O_CREAT) && control[0]) {
    pthread_mutex_unlock(&lock);
    errno = ENOSPC;
    return -1;
  }
  /* What O_TRUNC takes is noted as a change of its own. */
  int fd = real_open(path, flags & ~O_TRUNC, mode);
  int error = errno;
  if (fd >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode) && fd < MAX_FD) {
    keep(path, status.st_ino);
    if (is_new) note((struct record){.kind = CREATED, .inode = status.st_ino}, name, NULL, NULL);
    watched[fd] = status.st_ino;
  }
  pthread_mutex_unlock(&lock);
  if (fd >= 0 && (flags & O_TRUNC) && ftruncate(fd, 0)) fail("O_TRUNC");
  errno = error;
  return fd;
}

#define OPEN(function)                                        \
  int function(const char *path, int flags, ...) {            \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                             \
    return watch(path, flags, mode);                          \
  }
OPEN(open)
OPEN(open64)

int openat(int at, const char *path, int flags, ...) {
  static int (*real)(int, const char *, int, ...);
  if (!real) real = dlsym(RTLD_NEXT, "openat64");
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (at == AT_FDCWD || path[0] == '/') return watch(path, flags, mode);
  return real(at, path, flags, mode);
}

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (fd >= 0 && fd < MAX_FD) watched[fd] = 0;
  int result = real_close(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

static int is_watched(int fd) {
  return journal >= 0 && fd >= 0 && fd < MAX_FD && watched[fd];
}

/* Reads what a change is about to take away, whatever the descriptor may do. */
static char *old_bytes(int fd, uint64_t at, uint64_t length) {
  char path[64], *bytes = malloc(length ? length : 1);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int reader = real_open(path, O_RDONLY | O_CLOEXEC);
  if (reader < 0 || !bytes) fail(path);
  for (uint64_t done = 0; done < length;) {
    ssize_t got = pread(reader, bytes + done, length - done, at + done);
    if (got <= 0) fail("old bytes");
    done += got;
  }
  real_close(reader);
  return bytes;
}

static ssize_t change(int fd, const void *bytes, size_t length, off_t at) {
  struct stat status;
  if (fstat(fd, &status)) return -1;
  uint64_t size = status.st_size, start = at;
  if (control[0] == 2 || (control[0] == 1 && start + length > size)) {
    /* A disk may have room for a part. */
    if (control[0] == 2 || start >= size) {
      errno = ENOSPC;
      return -1;
    }
    length = size - start;
  }
  struct record head = {.kind = WRITE, .inode = watched[fd], .at = start, .length = length};
  head.old_size = size;
  head.old_length = start >= size ? 0 : start + length > size ? size - start : length;
  char *old = old_bytes(fd, start, head.old_length);
  note(head, NULL, old, bytes);
  free(old);
  return real_pwrite(fd, bytes, length, at);
}

#define PWRITE(function)                                                         \
  ssize_t function(int fd, const void *bytes, size_t length, off_t at) {         \
    if (!is_watched(fd)) return real_pwrite(fd, bytes, length, at);              \
    pthread_mutex_lock(&lock);                                                   \
    ssize_t result = change(fd, bytes, length, at);                              \
    pthread_mutex_unlock(&lock);                                                 \
    return result;                                                               \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *bytes, size_t length) {
  if (!is_watched(fd)) return real_write(fd, bytes, length);
  pthread_mutex_lock(&lock);
  struct stat status;
  int flags = fcntl(fd, F_GETFL);
  off_t at = flags & O_APPEND ? (fstat(fd, &status), status.st_size) : lseek(fd, 0, SEEK_CUR);
  ssize_t result = change(fd, bytes, length, at);
  if (result > 0) lseek(fd, at + result, SEEK_SET);
  pthread_mutex_unlock(&lock);
  return result;
}

#define TRUNCATE_BY(function)                                                    \
  int function(int fd, off_t size) {                                             \
    if (!is_watched(fd)) return real_ftruncate(fd, size);                        \
    pthread_mutex_lock(&lock);                                                   \
    struct stat status;                                                          \
    fstat(fd, &status);                                                          \
    struct record head = {.kind = TRUNCATE, .inode = watched[fd], .at = size};   \
    head.old_size = status.st_size;                                              \
    head.old_length = status.st_size > size ? status.st_size - size : 0;         \
    int result = -1;                                                             \
    if (control[0] && size > status.st_size) {                                   \
      errno = ENOSPC;                                                            \
    } else {                                                                     \
      char *old = old_bytes(fd, size, head.old_length);                          \
      note(head, NULL, old, NULL);                                               \
      free(old);                                                                 \
      result = real_ftruncate(fd, size);                                         \
    }                                                                            \
    pthread_mutex_unlock(&lock);                                                 \
    return result;                                                               \
  }
TRUNCATE_BY(ftruncate)
TRUNCATE_BY(ftruncate64)

static int sync_by(int (*real)(int), int fd) {
  struct stat status;
  if (journal < 0) return real(fd);
  if (!is_watched(fd)) {
    int is_folder = !fstat(fd, &status) && S_ISDIR(status.st_mode) && status.st_ino == folder_inode;
    if (is_folder && control[1]) {
      errno = EIO;
      return -1;
    }
    if (real(fd)) return -1;
    if (is_folder) {
      pthread_mutex_lock(&lock);
      note((struct record){.kind = FOLDER_SYNCED}, NULL, NULL, NULL);
      pthread_mutex_unlock(&lock);
    }
    return 0;
  }
  /* What is written from here on is not part of it. */
  pthread_mutex_lock(&lock);
  int is_failing = control[1];
  int result = is_failing ? -1 : real(fd);
  uint32_t kind = result ? NOT_SYNCED : SYNCED;
  note((struct record){.kind = kind, .inode = watched[fd]}, NULL, NULL, NULL);
  pthread_mutex_unlock(&lock);
  if (is_failing) errno = EIO;
  return result;
}

int fsync(int fd) { return sync_by(real_fsync, fd); }
int fdatasync(int fd) { return sync_by(real_fdatasync, fd); }

int unlink(const char *path) {
  char buffer[PATH_MAX];
  const char *name = name_of(path, buffer);
  struct stat status;
  if (!name || lstat(path, &status)) return real_unlink(path);
  pthread_mutex_lock(&lock);
  keep(path, status.st_ino);
  note((struct record){.kind = REMOVED, .inode = status.st_ino}, name, NULL, NULL);
  int result = real_unlink(path);
  pthread_mutex_unlock(&lock);
  return result;
}

int rename(const char *from, const char *to) {
  char buffer[PATH_MAX], other[PATH_MAX], both[2 * PATH_MAX];
  const char *old = name_of(from, buffer), *new = name_of(to, other);
  struct stat status, replaced;
  if (!old || !new || lstat(from, &status)) return real_rename(from, to);
  pthread_mutex_lock(&lock);
  struct record head = {.kind = RENAMED, .inode = status.st_ino};
  keep(from, status.st_ino);
  if (!lstat(to, &replaced)) {
    keep(to, replaced.st_ino);
    head.at = replaced.st_ino;
  }
  snprintf(both, sizeof both, "%s\n%s", old, new);
  note(head, both, NULL, NULL);
  int result = real_rename(from, to);
  pthread_mutex_unlock(&lock);
  return result;
}
