/* A disk of its own for a test; see the header. */
#include "support/loop_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test_folder.h"

/* Of the kernel's interface to XFS, which ext4 has taken over; in no header of user space. */
#define SHUTDOWN              _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_LOG_FLUSH 2

#define FILLER        "filler"
#define FILLER_ROUNDS 50
#define DEVICE_TRIES  20

static bool failed(struct loop_disk *disk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool failed(struct loop_disk *disk, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(disk->problem, sizeof disk->problem, format, arguments);
    va_end(arguments);
    return false;
}

int loop_disk_skip(const struct loop_disk *disk)
{
    fprintf(stderr, "no disk for this test: %s\n", disk->problem);
    return LOOP_DISK_SKIPPED;
}

/* ------------------------------------------------------------------------------------------
 * Making
 */

/* What is mounted from now on is this process's alone, and its children's. */
static bool leave_mounts(struct loop_disk *disk)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return failed(disk, "no mount namespace of its own: %s", strerror(errno));
    return true;
}

/* Small blocks, and none kept back for root, so that it can be made full to the last byte; and a
 * journal, without which there would be nothing to replay. */
static bool make_file_system(struct loop_disk *disk, const char *image)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR);

        (void)dup2(nowhere, STDOUT_FILENO); /* or it would print: no harm */
        (void)dup2(nowhere, STDERR_FILENO);
        (void)setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1); /* it may not be in there */
        execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-b", "1024", "-m", "0", "-J", "size=1", "-E",
               "lazy_itable_init=0,lazy_journal_init=0", image, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return failed(disk, "mkfs.ext4 could not be run");
    if (WEXITSTATUS(status) == 127)
        return failed(disk, "there is no mkfs.ext4 (Debian's package e2fsprogs)");
    if (WEXITSTATUS(status) != 0)
        return failed(disk, "mkfs.ext4 ended with %d", WEXITSTATUS(status));
    return true;
}

/* The device is freed with its last user: the mount, once this is closed. */
static int configure(const char *device, int image)
{
    struct loop_config config = {.fd = (uint32_t)image, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    int file = open(device, O_RDWR | O_CLOEXEC);

    if (file >= 0 && ioctl(file, LOOP_CONFIGURE, &config) != 0) {
        int error = errno;

        close(file);
        errno = error;
        return -1;
    }
    return file;
}

static bool mount_device(struct loop_disk *disk, int device)
{
    if (device < 0)
        return failed(disk, "no loop device: %s", strerror(errno));
    disk->mounted = mount(disk->device, disk->path, "ext4", 0, NULL) == 0;
    if (!disk->mounted)
        (void)failed(disk, "%s cannot be mounted: %s", disk->device, strerror(errno));
    close(device);
    return disk->mounted;
}

/* Each time with a device of its own, in whose cache there is nothing of the time before. */
static bool mount_disk(struct loop_disk *disk)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int device = -1;

    if (control < 0)
        return failed(disk, "no loop devices: %s", strerror(errno));
    for (int i = 0; device < 0 && i < DEVICE_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);

        if (number < 0)
            break;
        snprintf(disk->device, sizeof disk->device, "/dev/loop%d", number);
        device = configure(disk->device, disk->image);
        if (device < 0 && errno != EBUSY) /* or another process has been quicker */
            break;
    }
    close(control);
    return mount_device(disk, device);
}

static bool make_image(struct loop_disk *disk, uint64_t bytes)
{
    char image[220];
    bool right;

    snprintf(image, sizeof image, "%s/image", disk->folder);
    disk->image = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (disk->image < 0)
        return failed(disk, "%s cannot be made: %s", image, strerror(errno));
    right = ftruncate(disk->image, (off_t)bytes) == 0 ||
            failed(disk, "%s cannot be made larger: %s", image, strerror(errno));
    right = right && make_file_system(disk, image);
    (void)unlink(
        image); /* it lives on without its name, and the folder goes with all that is there */
    return right;
}

bool loop_disk_make(struct loop_disk *disk, uint64_t bytes)
{
    bool right;

    memset(disk, 0, sizeof *disk);
    disk->image = -1;
    if (geteuid() != 0)
        return failed(disk, "it takes root");
    if (test_folder_make(disk->folder, sizeof disk->folder) != 0)
        return failed(disk, "no folder can be made");
    snprintf(disk->path, sizeof disk->path, "%s/disk", disk->folder);
    right = mkdir(disk->path, 0700) == 0 || failed(disk, "no folder can be made");
    right = right && make_image(disk, bytes) && leave_mounts(disk) && mount_disk(disk);
    if (!right)
        loop_disk_remove(disk);
    return right;
}

void loop_disk_remove(struct loop_disk *disk)
{
    if (disk->mounted)
        (void)umount2(disk->path, MNT_DETACH); /* with the process it goes in any case */
    disk->mounted = false;
    if (disk->image >= 0)
        close(disk->image);
    disk->image = -1;
    if (disk->folder[0])
        (void)test_folder_remove(disk->folder); /* empty folders */
    disk->folder[0] = '\0';
}

/* ------------------------------------------------------------------------------------------
 * Power
 */

bool loop_disk_cut_power(struct loop_disk *disk)
{
    uint32_t how = SHUTDOWN_NO_LOG_FLUSH;
    int top = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = top < 0 ? -1 : ioctl(top, SHUTDOWN, &how);
    int error = errno;

    if (top >= 0)
        close(top);
    return result == 0 || failed(disk, "the power could not be cut: %s", strerror(error));
}

bool loop_disk_restart(struct loop_disk *disk)
{
    if (disk->mounted && umount2(disk->path, 0) != 0)
        return failed(disk, "%s cannot be unmounted: %s", disk->path, strerror(errno));
    disk->mounted = false;
    return mount_disk(disk);
}

bool loop_disk_sync(struct loop_disk *disk)
{
    int top = open(disk->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool right = top >= 0 && syncfs(top) == 0;
    int error = errno;

    if (top >= 0)
        close(top);
    return right || failed(disk, "%s cannot be synced: %s", disk->path, strerror(error));
}

/* ------------------------------------------------------------------------------------------
 * Room
 */

static int open_filler(struct loop_disk *disk)
{
    char path[240];
    int file;

    snprintf(path, sizeof path, "%s/" FILLER, disk->path);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        (void)failed(disk, "%s: %s", path, strerror(errno));
    return file;
}

/* Writes until nothing more fits; how many bytes that were, or -1. */
static int64_t write_until_full(int file)
{
    static const char zeros[64 * 1024];
    size_t length = sizeof zeros;
    int64_t written = 0;

    while (length >= 1024) {
        ssize_t result = write(file, zeros, length);

        if (result > 0)
            written += result;
        else if (result < 0 && errno != ENOSPC)
            return -1;
        else
            length /= 2;
    }
    return written;
}

/* What was written is given its blocks by a sync, and that shows how much is left. */
bool loop_disk_fill(struct loop_disk *disk)
{
    int file = open_filler(disk);
    int64_t written = 1;
    int full = 0;

    if (file < 0)
        return false;
    (void)lseek(file, 0, SEEK_END);
    for (int i = 0; i < FILLER_ROUNDS && full < 2 && written >= 0; i++) {
        written = write_until_full(file);
        if (syncfs(file) != 0 && errno != ENOSPC)
            written = -1;
        full = written == 0 ? full + 1 : 0;
    }
    close(file);
    return full == 2 || failed(disk, "the disk could not be filled: %s", strerror(errno));
}

bool loop_disk_leave_free(struct loop_disk *disk, uint64_t bytes)
{
    int file = open_filler(disk);
    struct stat status;
    bool right;

    if (file < 0)
        return false;
    right = fstat(file, &status) == 0 && (uint64_t)status.st_size > bytes &&
            ftruncate(file, status.st_size - (off_t)bytes) == 0 && syncfs(file) == 0;
    close(file);
    return right || failed(disk, "the disk has not so much to give back: %s", strerror(errno));
}

bool loop_disk_unfill(struct loop_disk *disk)
{
    char path[240];

    snprintf(path, sizeof path, "%s/" FILLER, disk->path);
    if (unlink(path) != 0)
        return failed(disk, "%s cannot be removed: %s", path, strerror(errno));
    return loop_disk_sync(disk);
}
