/*
 * The table of the operating system, for Linux: clock, process, directories and files. Memory and
 * mappings are in os_posix_memory.c.
 *
 * Each function is one system call where that can be: loops, checks of names, statuses and messages
 * are in os.c. There is no state; every function may be called by any thread.
 *
 * The modes. open() and mkdir() take the umask's bits away from the mode that they are given: never
 * too much is allowed, but perhaps too little, and that is put right afterwards. A crash in between
 * leaves what nobody may open, not what everybody may.
 */
#include "os/os_posix.h"
#include "base/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MODE       0600
#define DIRECTORY_MODE  0700
#define PERMISSION_BITS 0777

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    /* Fails only for a clock that does not exist. */
    if (clock_gettime(clock, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t monotonic_ns(const struct tarn__os *os)
{
    (void)os;
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t wall_ns(const struct tarn__os *os)
{
    (void)os;
    return clock_ns(CLOCK_REALTIME);
}

static uint64_t process_id(const struct tarn__os *os)
{
    (void)os;
    return (uint64_t)getpid();
}

static void yield(const struct tarn__os *os)
{
    (void)os;
    (void)sched_yield(); /* cannot fail on Linux */
}

static void sleep_ns(const struct tarn__os *os, uint64_t duration)
{
    struct timespec time = {.tv_sec = (time_t)(duration / 1000000000),
                            .tv_nsec = (long)(duration % 1000000000)};

    (void)os;
    (void)nanosleep(&time, NULL); /* it may end earlier */
}

static tarn_status random_bytes(const struct tarn__os *os, void *bytes, size_t length)
{
    char *next = bytes;

    (void)os;
    while (length) {
        ssize_t got = getrandom(next, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tarn__fail_system(TARN_IO, errno, "the system gave no random bytes");
        next += got;
        length -= (size_t)got;
    }
    return TARN_OK;
}

static int at(int directory)
{
    return directory == TARN__OS_NO_DIRECTORY ? AT_FDCWD : directory;
}

static int directory_make(const struct tarn__os *os, int directory, const char *name)
{
    struct stat status;
    int error;

    (void)os;
    if (mkdirat(at(directory), name, DIRECTORY_MODE) != 0)
        return errno;
    if (fstatat(at(directory), name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        ((status.st_mode & PERMISSION_BITS) == DIRECTORY_MODE ||
         fchmodat(at(directory), name, DIRECTORY_MODE, AT_SYMLINK_NOFOLLOW) == 0))
        return 0;
    error = errno;
    (void)unlinkat(at(directory), name, AT_REMOVEDIR); /* the error to tell is the first one */
    return error;
}

static int directory_open(const struct tarn__os *os, int directory, const char *name, int *opened)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int descriptor;

    (void)os;
    if (directory != TARN__OS_NO_DIRECTORY)
        flags |= O_NOFOLLOW;
    descriptor = openat(at(directory), name, flags);
    if (descriptor < 0)
        return errno;
    *opened = descriptor;
    return 0;
}

static int directory_sync(const struct tarn__os *os, int directory)
{
    (void)os;
    return fsync(directory) == 0 ? 0 : errno;
}

/* The directory is opened anew, because a position in it is shared by all who have the handle. */
static int directory_list(const struct tarn__os *os, int directory, tarn__directory_visit visit,
                          void *context)
{
    const struct dirent *entry;
    int error = 0;
    DIR *stream;
    int own;

    (void)os;
    own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return errno;
    stream = fdopendir(own);
    if (!stream) {
        error = errno;
        (void)close(own); /* nothing was written, and there is an error to tell already */
        return error;
    }
    for (;;) {
        errno = 0;
        entry = readdir(stream);
        if (!entry) {
            error = errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (!visit(context, entry->d_name))
            break;
    }
    (void)closedir(stream); /* was only read */
    return error;
}

static int directory_remove(const struct tarn__os *os, int directory, const char *name)
{
    (void)os;
    return unlinkat(directory, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

static int rename_name(const struct tarn__os *os, int from_directory, const char *from,
                       int to_directory, const char *to)
{
    (void)os;
    return renameat(from_directory, from, to_directory, to) == 0 ? 0 : errno;
}

static int link_name(const struct tarn__os *os, int from_directory, const char *from,
                     int to_directory, const char *to)
{
    (void)os;
    return linkat(from_directory, from, to_directory, to, 0) == 0 ? 0 : errno;
}

static int unlink_name(const struct tarn__os *os, int directory, const char *name)
{
    (void)os;
    return unlinkat(directory, name, 0) == 0 ? 0 : errno;
}

/* What is not a regular file must not be opened; what was just created gets its mode. */
static int check_opened(int descriptor, enum tarn__open_mode mode)
{
    struct stat status;

    if (fstat(descriptor, &status) != 0)
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    if (!S_ISREG(status.st_mode))
        return EINVAL;
    if (mode != TARN__OPEN_CREATE || (status.st_mode & PERMISSION_BITS) == FILE_MODE)
        return 0;
    return fchmod(descriptor, FILE_MODE) == 0 ? 0 : errno;
}

static int file_open(const struct tarn__os *os, int directory, const char *name,
                     enum tarn__open_mode mode, int *opened)
{
    /* O_NONBLOCK: a FIFO in the file's place would let open() wait for ever. It means nothing to a
     * regular file. */
    int flags = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    int descriptor;
    int error;

    (void)os;
    flags |= mode == TARN__OPEN_READ ? O_RDONLY : O_RDWR;
    if (mode == TARN__OPEN_CREATE)
        flags |= O_CREAT | O_EXCL;
    descriptor = openat(directory, name, flags, FILE_MODE);
    if (descriptor < 0)
        return errno == ENXIO ? EINVAL : errno; /* ENXIO: a socket */
    error = check_opened(descriptor, mode);
    if (error != 0) {
        /* Nothing was written, and there is an error to tell already. */
        (void)close(descriptor);
        if (mode == TARN__OPEN_CREATE)
            (void)unlinkat(directory, name, 0);
        return error;
    }
    *opened = descriptor;
    return 0;
}

static int close_handle(const struct tarn__os *os, int handle)
{
    (void)os;
    return close(handle) == 0 ? 0 : errno; /* the descriptor is gone in both cases */
}

static int read_at(const struct tarn__os *os, int file, void *bytes, size_t length, uint64_t offset,
                   size_t *done)
{
    ssize_t got;

    (void)os;
    if (offset > INT64_MAX)
        return EINVAL;
    got = pread(file, bytes, length, (off_t)offset);
    if (got < 0)
        return errno;
    *done = (size_t)got;
    return 0;
}

static int write_at(const struct tarn__os *os, int file, const void *bytes, size_t length,
                    uint64_t offset, size_t *done)
{
    ssize_t put;

    (void)os;
    if (offset > INT64_MAX)
        return EFBIG;
    put = pwrite(file, bytes, length, (off_t)offset);
    if (put < 0)
        return errno;
    *done = (size_t)put;
    return 0;
}

static int size_of(const struct tarn__os *os, int file, uint64_t *bytes)
{
    struct stat status;

    (void)os;
    if (fstat(file, &status) != 0)
        return errno;
    *bytes = (uint64_t)status.st_size;
    return 0;
}

static int truncate_to(const struct tarn__os *os, int file, uint64_t bytes)
{
    (void)os;
    if (bytes > INT64_MAX)
        return EFBIG;
    return ftruncate(file, (off_t)bytes) == 0 ? 0 : errno;
}

/* Not posix_fallocate(), which writes into each block where the file system cannot take room, and
 * so would destroy what another thread stores meanwhile. */
static int preallocate(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    (void)os;
    if (offset > INT64_MAX || bytes > INT64_MAX - offset)
        return EFBIG;
    return fallocate(file, 0, (off_t)offset, (off_t)bytes) == 0 ? 0 : errno;
}

static int sync_data(const struct tarn__os *os, int file)
{
    (void)os;
    return fdatasync(file) == 0 ? 0 : errno;
}

static void write_back(const struct tarn__os *os, int file, uint64_t offset, uint64_t bytes)
{
    (void)os;
    (void)sync_file_range(file, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

/* flock() and not fcntl(F_SETLK): the lock belongs to the opening and not to the process, so that a
 * second opening in the same process is refused and its closing does not take the lock away. And
 * not F_OFD_SETLK, whose exclusive lock takes a file that is open for writing. */
static int lock_file(const struct tarn__os *os, int file, bool exclusive)
{
    (void)os;
    return flock(file, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 ? 0 : errno;
}

static void unlock_file(const struct tarn__os *os, int file)
{
    (void)os;
    (void)flock(file, LOCK_UN); /* by contract */
}

static int event_make(const struct tarn__os *os, int *event)
{
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    (void)os;
    if (descriptor < 0)
        return errno;
    *event = descriptor;
    return 0;
}

static void event_set(const struct tarn__os *os, int event)
{
    (void)os;
    (void)eventfd_write(event, 1); /* fails only where it is set 2^64 - 1 times over */
}

static void event_clear(const struct tarn__os *os, int event)
{
    eventfd_t count;

    (void)os;
    (void)eventfd_read(event, &count); /* fails only where it is not set */
}

static void event_close(const struct tarn__os *os, int event)
{
    (void)os;
    (void)close(event); /* nothing was written */
}

static const struct tarn__os posix = {
    .monotonic_ns = monotonic_ns,
    .wall_ns = wall_ns,
    .process_id = process_id,
    .yield = yield,
    .sleep_ns = sleep_ns,
    .random_bytes = random_bytes,
    .memory_map = tarn__posix_memory_map,
    .memory_forget_in_child = tarn__posix_memory_forget_in_child,
    .memory_unmap = tarn__posix_memory_unmap,
    .memory_populate = tarn__posix_memory_populate,
    .directory_make = directory_make,
    .directory_open = directory_open,
    .directory_sync = directory_sync,
    .directory_list = directory_list,
    .directory_remove = directory_remove,
    .rename = rename_name,
    .link = link_name,
    .unlink = unlink_name,
    .file_open = file_open,
    .close = close_handle,
    .read = read_at,
    .write = write_at,
    .size = size_of,
    .truncate = truncate_to,
    .preallocate = preallocate,
    .sync = sync_data,
    .write_back = write_back,
    .lock = lock_file,
    .unlock = unlock_file,
    .map = tarn__posix_map,
    .unmap = tarn__posix_unmap,
    .map_write = tarn__posix_map_write,
    .map_populate = tarn__posix_map_populate,
    .map_at_random = tarn__posix_map_at_random,
    .event_make = event_make,
    .event_set = event_set,
    .event_clear = event_clear,
    .event_close = event_close,
};

const struct tarn__os *tarn__os_posix(void)
{
    return &posix;
}
