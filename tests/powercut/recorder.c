/*
 * The power cut's witness: an LD_PRELOAD library that writes down, in the order of their effects, every call
 * by which a process changes the files below one directory, and every sync that makes changes durable.
 *
 *   RECORDER_ROOT    the directory, an absolute path without symbolic links
 *   RECORDER_LOG     the log, appended to, so that several runs make one recording
 *   RECORDER_DIE_AT  optional: kill this process right after so many records
 *
 * Promises: one lock is held across a call and its record, so the order in the log is the order on the disk;
 * the record is in the log before the call returns, so whoever has an answer finds its reason below the log's
 * length at that moment; a process that dies at a record dies with its log and its files in step, which a
 * kill from outside would not give. What it cannot replay (links, holes, exchanges) it writes down as
 * unsupported, and the reader refuses the recording. Calls that bypass libc are not seen: the reader holds
 * a full replay against the real directory.
 *
 * A record: u32 length of all | u32 kind | u64 inode | u64 a | payload, in the machine's byte order.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    OPEN = 1,     /* inode, a: CREATED | TRUNCATED, path; only if something changed */
    WRITE,        /* inode, a: offset, data */
    RESIZE,       /* inode, a: size */
    EXTEND,       /* inode, a: size that it has at least */
    SYNC,         /* inode, a: its size; fsync or fdatasync of a file, fsync of a directory */
    RENAME,       /* a: length of the old path, both paths */
    UNLINK,       /* path */
    MKDIR,        /* inode, path */
    RMDIR,        /* path */
    SYNC_RANGE,   /* inode: makes nothing durable */
    START,        /* a process began */
    UNSUPPORTED,  /* the call's name */
};
enum { CREATED = 1, TRUNCATED = 2 };

struct header {
    uint32_t length, kind;
    uint64_t inode, a;
};

enum { DESCRIPTORS = 1 << 16 };
/* Which descriptors are open on something below the root. */
static atomic_char tracked[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_length;
static int log_fd = -1;
static uint64_t records, die_at;

static void give_up(const char *what) {
    fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
    abort();
}

/* The lock is held. */
static void record(enum kind kind, uint64_t inode, uint64_t a, const struct iovec *payload, int pieces) {
    struct iovec all[IOV_MAX];
    struct header header = {.length = sizeof header, .kind = kind, .inode = inode, .a = a};
    if (pieces >= IOV_MAX) give_up("too many pieces");
    for (int i = 0; i < pieces; i++) {
        header.length += payload[i].iov_len;
        all[i + 1] = payload[i];
    }
    all[0] = (struct iovec){&header, sizeof header};
    /* One call: the log never has half a record in it, but for a full disk. */
    if (syscall(SYS_writev, log_fd, all, pieces + 1) != (long)header.length) give_up("writing the log");
    if (++records == die_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

static void record_text(enum kind kind, uint64_t inode, uint64_t a, const char *text) {
    struct iovec payload = {(void *)text, strlen(text)};
    record(kind, inode, a, &payload, 1);
}

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("RECORDER_LOG"), *at = getenv("RECORDER_DIE_AT");
    const char *directory = getenv("RECORDER_ROOT");
    if (!log || !directory) return;
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) give_up(log);
    /* Out of the way of programs that expect small numbers. */
    log_fd = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 1000);
    if (log_fd < 0) log_fd = fd;
    else syscall(SYS_close, fd);
    root = strdup(directory);
    root_length = strlen(root);
    die_at = at ? strtoull(at, NULL, 10) : 0;
    pthread_mutex_lock(&lock);
    record(START, 0, getpid(), NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int is_tracked(int fd) {
    return root && fd >= 0 && fd < DESCRIPTORS && atomic_load(&tracked[fd]);
}

static void track(int fd, int yes) {
    if (!root || fd < 0) return;
    if (fd < DESCRIPTORS) atomic_store(&tracked[fd], yes);
    else if (yes) give_up("a descriptor too high");
}

/*
 * The path below the root, "" for the root itself; NULL if it is elsewhere. `out` has PATH_MAX bytes.
 */
static const char *below(int dir, const char *path, char *out) {
    if (!root || !path) return NULL;
    size_t length = 0;
    if (path[0] != '/') {
        if (dir == AT_FDCWD) {
            if (!getcwd(out, PATH_MAX)) return NULL;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
            ssize_t got = readlink(link, out, PATH_MAX - 1);
            if (got < 0) return NULL;
            out[got] = 0;
        }
        length = strlen(out);
        out[length++] = '/';
    }
    if (length + strlen(path) >= PATH_MAX) return NULL;
    strcpy(out + length, path);
    if (strncmp(out, root, root_length)) return NULL;
    const char *rest = out + root_length;
    if (*rest && *rest != '/') return NULL;
    while (*rest == '/') rest++;
    size_t end = strlen(rest);
    while (end && rest[end - 1] == '/') ((char *)rest)[--end] = 0;
    return rest;
}

static struct stat stat_of(int fd) {
    struct stat found;
    if (fstat(fd, &found)) give_up("fstat");
    return found;
}

static uint64_t inode_of(int fd) { return stat_of(fd).st_ino; }

static int do_open(int dir, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *inside = below(dir, path, buffer);
    if (!inside) return syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before;
    int was_there = !fstatat(dir, path, &before, 0);
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    int error = errno;
    if (fd >= 0) {
        uint64_t what = 0;
        if ((flags & O_TMPFILE) == O_TMPFILE) record_text(UNSUPPORTED, 0, 0, "O_TMPFILE");
        if (!was_there) what |= CREATED;
        else if ((flags & O_TRUNC) && before.st_size) what |= TRUNCATED;
        track(fd, 1);
        if (what) record_text(OPEN, inode_of(fd), what, inside);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define OPEN_MODE(flags, mode)                              \
    mode_t mode = 0;                                        \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                \
        va_list arguments;                                  \
        va_start(arguments, flags);                         \
        mode = va_arg(arguments, mode_t);                   \
        va_end(arguments);                                  \
    }

int open(const char *path, int flags, ...) { OPEN_MODE(flags, mode) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPEN_MODE(flags, mode) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int dir, const char *path, int flags, ...) { OPEN_MODE(flags, mode) return do_open(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { OPEN_MODE(flags, mode) return do_open(dir, path, flags, mode); }
int creat(const char *path, mode_t mode) { return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    /* First forgotten, then closed: another thread may be given the number at once. */
    track(fd, 0);
    return syscall(SYS_close, fd);
}

/* libc closes the descriptor below a directory stream without calling `close`. */
int closedir(DIR *stream) {
    int (*real)(DIR *) = (int (*)(DIR *))dlsym(RTLD_NEXT, "closedir");
    track(dirfd(stream), 0);
    return real(stream);
}

static int copied(int from, int to) {
    if (to >= 0) track(to, is_tracked(from));
    return to;
}
int dup(int fd) { return copied(fd, syscall(SYS_dup, fd)); }
int dup3(int from, int to, int flags) { return copied(from, syscall(SYS_dup3, from, to, flags)); }
int dup2(int from, int to) { return from == to ? to : dup3(from, to, 0); }

static int do_fcntl(int fd, int command, long argument) {
    int result = syscall(SYS_fcntl, fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) return copied(fd, result);
    return result;
}
#define FCNTL(name)                               \
    int name(int fd, int command, ...) {          \
        va_list arguments;                        \
        va_start(arguments, command);             \
        long argument = va_arg(arguments, long);  \
        va_end(arguments);                        \
        return do_fcntl(fd, command, argument);   \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* The lock is held, and `written` bytes of the pieces arrived at `offset`. */
static void record_write(int fd, uint64_t offset, const struct iovec *pieces, int count, ssize_t written) {
    struct iovec kept[IOV_MAX];
    int used = 0;
    size_t left = written;
    for (int i = 0; i < count && left; i++) {
        kept[used] = pieces[i];
        if (kept[used].iov_len > left) kept[used].iov_len = left;
        left -= kept[used++].iov_len;
    }
    record(WRITE, inode_of(fd), offset, kept, used);
}

/* `offset` is -1 where the descriptor's own place counts. */
static ssize_t do_write(int fd, const struct iovec *pieces, int count, off_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t written = offset < 0 ? syscall(SYS_writev, fd, pieces, count)
                                 : syscall(SYS_pwritev, fd, pieces, count, offset, 0);
    int error = errno;
    if (written > 0) {
        /* Asked afterwards: a descriptor that appends has moved to the end first. */
        off_t at = offset < 0 ? lseek(fd, 0, SEEK_CUR) - written : offset;
        record_write(fd, at, pieces, count, written);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    if (!is_tracked(fd)) return syscall(SYS_write, fd, data, bytes);
    struct iovec piece = {(void *)data, bytes};
    return do_write(fd, &piece, 1, -1);
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (!is_tracked(fd)) return syscall(SYS_writev, fd, pieces, count);
    return do_write(fd, pieces, count, -1);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset) {
    if (!is_tracked(fd)) return syscall(SYS_pwrite64, fd, data, bytes, offset);
    struct iovec piece = {(void *)data, bytes};
    return do_write(fd, &piece, 1, offset);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) { return pwrite64(fd, data, bytes, offset); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) {
    if (!is_tracked(fd)) return syscall(SYS_pwritev, fd, pieces, count, offset, 0);
    return do_write(fd, pieces, count, offset);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
    return pwritev64(fd, pieces, count, offset);
}

int ftruncate64(int fd, off_t size) {
    if (!is_tracked(fd)) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_ftruncate, fd, size);
    int error = errno;
    if (!result) record(RESIZE, inode_of(fd), size, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fallocate64(int fd, int mode, off_t offset, off_t length) {
    if (!is_tracked(fd)) return syscall(SYS_fallocate, fd, mode, offset, length);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_fallocate, fd, mode, offset, length);
    int error = errno;
    if (!result && mode) record_text(UNSUPPORTED, 0, 0, "fallocate with a mode");
    else if (!result) record(EXTEND, inode_of(fd), offset + length, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
int posix_fallocate64(int fd, off_t offset, off_t length) { return fallocate64(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static int do_sync(int fd, long call) {
    if (!is_tracked(fd)) return syscall(call, fd);
    pthread_mutex_lock(&lock);
    int result = syscall(call, fd);
    int error = errno;
    /* With the size: room that was reserved by a bare system call is seen here. */
    if (!result) record(SYNC, inode_of(fd), stat_of(fd).st_size, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int fsync(int fd) { return do_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return do_sync(fd, SYS_fdatasync); }

int sync_file_range(int fd, off_t offset, off_t length, unsigned flags) {
    int result = syscall(SYS_sync_file_range, fd, offset, length, flags);
    if (is_tracked(fd)) {
        int error = errno;
        pthread_mutex_lock(&lock);
        record(SYNC_RANGE, inode_of(fd), 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = error;
    }
    return result;
}

static int do_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char from_buffer[PATH_MAX], to_buffer[PATH_MAX];
    const char *old = below(from_dir, from, from_buffer), *new = below(to_dir, to, to_buffer);
    if (!old && !new) return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    int error = errno;
    if (!result && (!old || !new || flags)) {
        record_text(UNSUPPORTED, 0, 0, "rename with flags or across the root");
    } else if (!result) {
        struct iovec both[2] = {{(void *)old, strlen(old)}, {(void *)new, strlen(new)}};
        record(RENAME, 0, strlen(old), both, 2);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    return do_rename(from_dir, from, to_dir, to, 0);
}
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return do_rename(from_dir, from, to_dir, to, flags);
}

static int do_unlink(int dir, const char *path, int flags) {
    char buffer[PATH_MAX];
    const char *inside = below(dir, path, buffer);
    if (!inside) return syscall(SYS_unlinkat, dir, path, flags);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_unlinkat, dir, path, flags);
    int error = errno;
    if (!result) record_text(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, inside);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int unlink(const char *path) { return do_unlink(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return do_unlink(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags) { return do_unlink(dir, path, flags); }

int mkdirat(int dir, const char *path, mode_t mode) {
    char buffer[PATH_MAX];
    const char *inside = below(dir, path, buffer);
    if (!inside) return syscall(SYS_mkdirat, dir, path, mode);
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_mkdirat, dir, path, mode);
    int error = errno;
    struct stat made;
    if (!result) {
        if (fstatat(dir, path, &made, 0)) give_up("a directory just made");
        record_text(MKDIR, made.st_ino, 0, inside);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* Copies inside the kernel are refused below the root: std falls back to read and write. */
static int refuse_copy(int to) {
    if (!is_tracked(to)) return 0;
    errno = ENOSYS;
    return 1;
}
ssize_t copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t bytes, unsigned flags) {
    return refuse_copy(to) ? -1 : syscall(SYS_copy_file_range, from, from_at, to, to_at, bytes, flags);
}
ssize_t sendfile64(int to, int from, off_t *at, size_t bytes) {
    return refuse_copy(to) ? -1 : syscall(SYS_sendfile, to, from, at, bytes);
}
ssize_t sendfile(int to, int from, off_t *at, size_t bytes) { return sendfile64(to, from, at, bytes); }

static int unsupported(const char *name, int dir, const char *path) {
    char buffer[PATH_MAX];
    if (!below(dir, path, buffer)) return 0;
    pthread_mutex_lock(&lock);
    record_text(UNSUPPORTED, 0, 0, name);
    pthread_mutex_unlock(&lock);
    return 1;
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    unsupported("link", to_dir, to);
    return syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *target, int dir, const char *path) {
    unsupported("symlink", dir, path);
    return syscall(SYS_symlinkat, target, dir, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }
int truncate64(const char *path, off_t size) {
    unsupported("truncate", AT_FDCWD, path);
    return syscall(SYS_truncate, path, size);
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }
