/* Records what a process does to the files below one directory (LD_PRELOAD); tools/power_replay.py reads it.
 *
 * LGSP_POWER_ROOT is the directory, LGSP_POWER_LOG the file of records, to which every process appends. Each change of a
 * file is made and recorded under one lock, so that the records stand in the order in which the kernel saw the changes.
 * A sync has two records, since what others write meanwhile may or may not be on the disk when it ends. What is stored
 * through a shared mapping passes no function: such files are only named ('m').
 *
 * It hands over to the kernel by syscall(2) and knows 64-bit Linux with glibc only. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct head { uint32_t size; uint8_t what, none; uint16_t path, other; uint64_t file, offset, length; } __attribute__((packed));

static pthread_mutex_t threads = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int records = -1;
static uint64_t syncs;

static void open_records(void) {
    const char *path = getenv("LGSP_POWER_LOG"), *below = getenv("LGSP_POWER_ROOT");
    if (!path || !below || strlen(below) >= sizeof root) return;
    strcpy(root, below);
    root_length = strlen(root);
    int low = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* Far from the numbers that programs count on; and a lock of its own for each process. */
    records = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 700);
    if (records >= 0) syscall(SYS_close, low);
    else if (low >= 0) records = low;
}

static void after_fork(void) {
    pthread_mutex_init(&threads, NULL);
    if (records >= 0) syscall(SYS_close, records);
    records = -1;
    open_records();
}

__attribute__((constructor)) static void begin(void) {
    open_records();
    if (records >= 0) pthread_atfork(NULL, NULL, after_fork);
}

static void lock(void) { pthread_mutex_lock(&threads); while (flock(records, LOCK_EX) && errno == EINTR) {} }
static void unlock(void) { flock(records, LOCK_UN); pthread_mutex_unlock(&threads); }

static int below(const char *path) {
    return records >= 0 && !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

/* The path behind a descriptor; tells whether it lies below the directory. */
static int behind(int fd, char *path) {
    char link[40];
    if (records < 0 || fd == records) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    return length > 0 && below(path);
}

static int absolute(int folder, const char *path, char *whole) {
    char at[PATH_MAX];
    if (records < 0 || !path) return 0;
    if (*path == '/') snprintf(whole, PATH_MAX, "%s", path);
    else if (folder == AT_FDCWD ? !getcwd(at, sizeof at) : (behind(folder, at), !*at)) return 0;
    else snprintf(whole, PATH_MAX, "%.2000s/%.2000s", at, path);
    return below(whole);
}

static uint64_t number(int fd) { struct stat of; return fstat(fd, &of) ? 0 : of.st_ino; }
static uint64_t number_at(const char *path) { struct stat of; return lstat(path, &of) ? 0 : of.st_ino; }

static void record(char what, uint64_t file, uint64_t offset, uint64_t length, const char *path, const char *other,
                   const struct iovec *parts, int count, size_t bytes) {
    struct head head = {0, what, 0, strlen(path), strlen(other), file, offset, length};
    head.size = sizeof head + head.path + head.other + bytes;
    char *whole = malloc(head.size), *at = whole;
    at = mempcpy(at, &head, sizeof head);
    at = mempcpy(at, path, head.path);
    at = mempcpy(at, other, head.other);
    for (int each = 0; each < count && bytes; each++) {
        size_t taken = parts[each].iov_len < bytes ? parts[each].iov_len : bytes;
        at = mempcpy(at, parts[each].iov_base, taken);
        bytes -= taken;
    }
    for (size_t done = 0; done < head.size;) {
        ssize_t wrote = syscall(SYS_write, records, whole + done, head.size - done);
        if (wrote < 0 && errno != EINTR) { static const char lost[] = "power_recorder: a record is lost\n";
            syscall(SYS_write, 2, lost, sizeof lost - 1); abort(); }
        if (wrote > 0) done += wrote;
    }
    free(whole);
}

#define PLAIN(what, file, offset, length) record(what, file, offset, length, "", "", NULL, 0, 0)
#define LOCKED(result, call, then) \
    do { lock(); result = (call); int kept = errno; if (result >= 0) { then; } unlock(); errno = kept; } while (0)

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !absolute(folder, path, whole))
        return syscall(SYS_openat, folder, path, flags, mode);
    int fd;
    lock();
    uint64_t before = number_at(whole);
    fd = syscall(SYS_openat, folder, path, flags, mode);
    int kept = errno;
    if (fd >= 0 && !before) record('c', number(fd), 0, 0, whole, "", NULL, 0, 0);
    else if (fd >= 0 && flags & O_TRUNC) PLAIN('t', before, 0, 0);
    unlock();
    errno = kept;
    return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE(flags) return opened(folder, path, flags | O_LARGEFILE, mode); }

static ssize_t written(int fd, const struct iovec *parts, int count, off_t offset, int placed) {
    char path[PATH_MAX];
    ssize_t result;
#define WRITE (placed ? syscall(SYS_pwritev, fd, parts, count, offset, 0) : syscall(SYS_writev, fd, parts, count))
    if (!behind(fd, path)) return WRITE;
    lock();
    off_t at = offset;
    if (!placed && fcntl(fd, F_GETFL) & O_APPEND) { struct stat of; at = fstat(fd, &of) ? 0 : of.st_size; }
    else if (!placed) at = lseek(fd, 0, SEEK_CUR);
    result = WRITE;
    int kept = errno;
    if (result > 0) record('w', number(fd), at, result, "", "", parts, count, result);
    unlock();
    errno = kept;
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { struct iovec part = {(void *)data, size}; return written(fd, &part, 1, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return pwrite(fd, data, size, offset); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return written(fd, parts, count, offset, 1); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) { return written(fd, parts, count, offset, 1); }
ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    struct iovec part = {(void *)data, size};
    return behind(fd, path) ? written(fd, &part, 1, 0, 0) : syscall(SYS_write, fd, data, size);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, 0, 0); }

int ftruncate(int fd, off_t length) {
    char path[PATH_MAX];
    int result;
    if (!behind(fd, path)) return syscall(SYS_ftruncate, fd, length);
    LOCKED(result, syscall(SYS_ftruncate, fd, length), PLAIN('t', number(fd), 0, length));
    return result;
}
int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }
int truncate(const char *path, off_t length) {
    char whole[PATH_MAX];
    int result;
    if (!absolute(AT_FDCWD, path, whole)) return syscall(SYS_truncate, path, length);
    LOCKED(result, syscall(SYS_truncate, path, length), PLAIN('t', number_at(whole), 0, length));
    return result;
}
int truncate64(const char *path, off_t length) { return truncate(path, length); }
int fallocate(int fd, int mode, off_t offset, off_t length) {
    char path[PATH_MAX];
    int result;
    if (!behind(fd, path)) return syscall(SYS_fallocate, fd, mode, offset, length);
    LOCKED(result, syscall(SYS_fallocate, fd, mode, offset, length), if (!mode) PLAIN('f', number(fd), offset, length));
    return result;
}
int fallocate64(int fd, int mode, off_t offset, off_t length) { return fallocate(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return fallocate(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off_t offset, off_t length) { return posix_fallocate(fd, offset, length); }

static int moved(int from, const char *path, int to, const char *other, unsigned flags, char what) {
    char old[PATH_MAX], new[PATH_MAX];
    int result, mine = absolute(from, path, old) | absolute(to, other, new);
#define MOVE (what == 'r' ? syscall(SYS_renameat2, from, path, to, other, flags) : syscall(SYS_linkat, from, path, to, other, flags))
    if (!mine) return MOVE;
    LOCKED(result, MOVE, record(what, number_at(new), 0, 0, old, new, NULL, 0, 0));
    return result;
}
int rename(const char *path, const char *other) { return moved(AT_FDCWD, path, AT_FDCWD, other, 0, 'r'); }
int renameat(int from, const char *path, int to, const char *other) { return moved(from, path, to, other, 0, 'r'); }
int renameat2(int from, const char *path, int to, const char *other, unsigned flags) { return moved(from, path, to, other, flags, 'r'); }
int link(const char *path, const char *other) { return moved(AT_FDCWD, path, AT_FDCWD, other, 0, 'l'); }
int linkat(int from, const char *path, int to, const char *other, int flags) { return moved(from, path, to, other, flags, 'l'); }

int unlinkat(int folder, const char *path, int flags) {
    char whole[PATH_MAX];
    int result;
    if (!absolute(folder, path, whole)) return syscall(SYS_unlinkat, folder, path, flags);
    LOCKED(result, syscall(SYS_unlinkat, folder, path, flags), record('u', 0, 0, 0, whole, "", NULL, 0, 0));
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int folder, const char *path, mode_t mode) {
    char whole[PATH_MAX];
    int result;
    if (!absolute(folder, path, whole)) return syscall(SYS_mkdirat, folder, path, mode);
    LOCKED(result, syscall(SYS_mkdirat, folder, path, mode), record('d', number_at(whole), 0, 0, whole, "", NULL, 0, 0));
    return result;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static int synced(int fd, long call) {
    char path[PATH_MAX];
    if (!behind(fd, path)) return syscall(call, fd);
    lock();
    uint64_t file = number(fd), mark = (uint64_t)getpid() << 32 | ++syncs;
    PLAIN('s', file, mark, 0);
    unlock();
    int result = syscall(call, fd), kept = errno;
    lock();
    if (!result) PLAIN('S', file, mark, 0);
    unlock();
    errno = kept;
    return result;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    char path[PATH_MAX];
    void *result = (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
    if (result != MAP_FAILED && fd >= 0 && (flags & MAP_TYPE) != MAP_PRIVATE && protection & PROT_WRITE && behind(fd, path)) {
        lock();
        PLAIN('m', number(fd), 0, 0);
        unlock();
    }
    return result;
}
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) { return mmap(at, length, protection, flags, fd, offset); }
