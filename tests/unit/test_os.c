/*
 * The operating system: what os.h promises of directories, files and mappings, on the real one. The
 * rest, and what becomes of each fault, is in test_os_fault.c.
 *
 * Each test has a fresh folder, removed at its end, and `fault`, a wrapper around the Linux table
 * without a plan. What changes the process (limits, mounts, user) happens in a forked child, which
 * tells by its exit code whether all went well; SKIPPED means that the machine does not allow it.
 */
#include "base/status.h"
#include "os/os.h"
#include "support/os_fault.h"
#include "support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define assert_ok(call)       assert_int_equal((call), TARN_OK)
#define assert_errno(call, e) assert_true(tarn__failed_with((call), (e)))
#define KIB                   ((uint64_t)1024)
#define MIB                   ((uint64_t)1024 * 1024)
#define SKIPPED               77
#define NAMES_BYTES           64

static char folder[256];
static struct os_fault fault;
static struct tarn__directory *root;

static int set_up(void **state)
{
    (void)state;
    if (test_folder_make(folder, sizeof folder) != 0)
        return -1;
    os_fault_init(&fault, tarn__os_posix());
    return tarn__directory_open(&fault.os, folder, &root);
}

static int tear_down(void **state)
{
    (void)state;
    os_fault_arm(&fault, NULL);
    if (tarn__directory_close(root) != TARN_OK)
        return -1;
    return test_folder_remove(folder);
}

/* A path in the folder, in a static buffer. */
static const char *path_of(const char *name)
{
    static char path[600];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static unsigned mode_of(const char *name)
{
    struct stat status;

    assert_int_equal(lstat(path_of(name), &status), 0);
    return status.st_mode & 07777;
}

static struct tarn__file *create(const char *name)
{
    struct tarn__file *file = NULL;

    assert_ok(tarn__file_open(root, name, TARN__OPEN_CREATE, &file));
    return file;
}

static struct tarn__file *reopen(const char *name, enum tarn__open_mode mode)
{
    struct tarn__file *file = NULL;

    assert_ok(tarn__file_open(root, name, mode, &file));
    return file;
}

/* faults.md 41 */
static void modes_hold_under_any_umask(void **state)
{
    static const mode_t masks[] = {0, 022, 077, 0277, 0777};

    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        char file_name[32], directory_name[32], deep_name[64];
        struct tarn__file *file = NULL;
        tarn_status made, opened;
        mode_t before;

        snprintf(file_name, sizeof file_name, "file-%zu", i);
        snprintf(directory_name, sizeof directory_name, "directory-%zu", i);
        snprintf(deep_name, sizeof deep_name, "%s/store", directory_name);
        before = umask(masks[i]);
        opened = tarn__file_open(root, file_name, TARN__OPEN_CREATE, &file);
        made = tarn__directory_make_in(root, directory_name);
        if (made == TARN_OK)
            made = tarn__directory_make(&fault.os, path_of(deep_name));
        umask(before);
        assert_ok(opened);
        assert_ok(made);
        assert_int_equal(mode_of(file_name), 0600);
        assert_int_equal(mode_of(directory_name), 0700);
        assert_int_equal(mode_of(deep_name), 0700);
        assert_ok(tarn__file_close(file));
    }
}

/* faults.md 40 */
static void links_are_not_followed(void **state)
{
    struct tarn__directory *directory = NULL;
    struct tarn__file *file = create("target");

    (void)state;
    assert_ok(tarn__file_close(file));
    file = NULL;
    assert_ok(tarn__directory_make_in(root, "inside"));
    assert_int_equal(symlink("target", path_of("link")), 0);
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    assert_int_equal(symlink("inside", path_of("folder-link")), 0);
    assert_errno(tarn__file_open(root, "link", TARN__OPEN_READ, &file), ELOOP);
    assert_errno(tarn__file_open(root, "link", TARN__OPEN_READ_WRITE, &file), ELOOP);
    assert_errno(tarn__file_open(root, "link", TARN__OPEN_CREATE, &file), EEXIST);
    assert_errno(tarn__file_open(root, "dangling", TARN__OPEN_CREATE, &file), EEXIST);
    assert_int_equal(tarn__directory_open_in(root, "folder-link", &directory), TARN_IO);
    assert_errno(tarn__directory_make_in(root, "dangling"), EEXIST);
    assert_null(file);
    assert_null(directory);
    assert_int_equal(access(path_of("nowhere"), F_OK), -1);

    /* The path of the store itself is the caller's, links and all. */
    assert_ok(tarn__directory_open(&fault.os, path_of("folder-link"), &directory));
    assert_ok(tarn__directory_close(directory));
}

/* faults.md 7: none of these may hang, or be taken for a file. */
static void only_regular_files_open(void **state)
{
    struct tarn__directory *directory = NULL;
    struct tarn__file *file = NULL;
    int before = test_open_descriptors();

    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(mknod(path_of("socket"), S_IFSOCK | 0600, 0), 0);
    assert_ok(tarn__directory_make_in(root, "directory"));
    for (int mode = TARN__OPEN_READ; mode <= TARN__OPEN_READ_WRITE; mode++) {
        assert_errno(tarn__file_open(root, "fifo", mode, &file), EINVAL);
        assert_errno(tarn__file_open(root, "socket", mode, &file), EINVAL);
        assert_errno(tarn__file_open(root, "directory", mode, &file), EISDIR);
        assert_errno(tarn__file_open(root, "absent", mode, &file), ENOENT);
    }
    assert_errno(tarn__directory_open_in(root, "fifo", &directory), ENOTDIR);
    assert_errno(tarn__file_open(root, "fifo", TARN__OPEN_CREATE, &file), EEXIST);
    assert_null(file);
    assert_int_equal(test_open_descriptors(), before);
}

/* faults.md 38 */
static void names_stay_in_the_folder(void **state)
{
    char too_long[257], longest[256];
    const char *bad[] = {"", ".", "..", "/", "/x", "a/b", "../x", "x/", "..//", too_long};
    struct tarn__directory *directory = NULL;
    struct tarn__file *file = create("good");
    uint64_t calls = os_fault_calls(&fault, OS_CALL_ANY);

    (void)state;
    memset(too_long, 'n', 256);
    too_long[256] = '\0';
    memset(longest, 'n', 255);
    longest[255] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *name = bad[i];

        for (int mode = TARN__OPEN_READ; mode <= TARN__OPEN_CREATE; mode++)
            assert_int_equal(tarn__file_open(root, name, mode, &file), TARN_NAME_INVALID);
        assert_int_equal(tarn__directory_open_in(root, name, &directory), TARN_NAME_INVALID);
        assert_int_equal(tarn__directory_make_in(root, name), TARN_NAME_INVALID);
        assert_int_equal(tarn__directory_remove_in(root, name), TARN_NAME_INVALID);
        assert_int_equal(tarn__file_unlink(root, name), TARN_NAME_INVALID);
        assert_int_equal(tarn__file_rename(root, name, root, "x"), TARN_NAME_INVALID);
        assert_int_equal(tarn__file_rename(root, "good", root, name), TARN_NAME_INVALID);
        assert_int_equal(tarn__file_link(root, name, root, "x"), TARN_NAME_INVALID);
        assert_int_equal(tarn__file_link(root, "good", root, name), TARN_NAME_INVALID);
    }
    assert_int_equal(os_fault_calls(&fault, OS_CALL_ANY), calls);
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__file_close(create(longest)));
    assert_ok(tarn__file_close(create("...")));
}

static int lock_in_child(void)
{
    struct tarn__file *file = NULL;

    if (tarn__file_open(root, "lock", TARN__OPEN_READ_WRITE, &file) != TARN_OK)
        return 1;
    return tarn__file_lock(file, true) == TARN_STORE_LOCKED ? 0 : 2;
}

/* faults.md 33 */
static void locks_exclude_every_other_opening(void **state)
{
    struct tarn__file *first = create("lock");
    struct tarn__file *second = reopen("lock", TARN__OPEN_READ_WRITE);
    struct tarn__file *reader = reopen("lock", TARN__OPEN_READ);

    (void)state;
    assert_ok(tarn__file_lock(first, true));
    assert_int_equal(tarn__file_lock(second, true), TARN_STORE_LOCKED);
    assert_int_equal(tarn__file_lock(second, false), TARN_STORE_LOCKED);
    assert_non_null(strstr(tarn_last_error()->message, tarn__file_path(second)));
    assert_int_equal(test_run_in_child(lock_in_child), 0);

    /* A second opening that is closed does not take the first one's lock with it. */
    assert_ok(tarn__file_close(second));
    second = reopen("lock", TARN__OPEN_READ_WRITE);
    assert_int_equal(tarn__file_lock(second, true), TARN_STORE_LOCKED);

    assert_ok(tarn__file_close(first));
    assert_ok(tarn__file_lock(second, false));
    assert_ok(tarn__file_lock(reader, false));
    first = reopen("lock", TARN__OPEN_READ_WRITE);
    assert_int_equal(tarn__file_lock(first, true), TARN_STORE_LOCKED);
    assert_ok(tarn__file_close(second));
    assert_ok(tarn__file_close(reader));
    assert_ok(tarn__file_lock(first, true));
    assert_ok(tarn__file_close(first));
}

static void fill(uint8_t *bytes, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 31 + seed);
}

/* faults.md 16: every call is cut to every length, and one call alone is, at each place. */
static void short_calls_are_completed(void **state)
{
    enum { LENGTH = 61 };
    struct os_fault_plan plan = {.calls = OS_CALL_READ | OS_CALL_WRITE, .effect = OS_FAULT_SHORTEN};
    struct tarn__file *file = create("short");
    uint8_t written[LENGTH], read[LENGTH];

    (void)state;
    for (plan.length = 1; plan.length <= LENGTH; plan.length++) {
        for (int lasting = 0; lasting <= 1; lasting++) {
            uint64_t calls = os_fault_calls(&fault, plan.calls);
            size_t pieces =
                lasting ? (LENGTH + plan.length - 1) / plan.length : 1 + (plan.length < LENGTH);

            plan.lasting = lasting;
            plan.nth = 1;
            fill(written, LENGTH, (unsigned)plan.length + 7u * (unsigned)lasting);
            memset(read, 0, LENGTH);
            os_fault_arm(&fault, &plan);
            assert_ok(tarn__file_write(file, written, LENGTH, 13));
            os_fault_arm(&fault, &plan);
            assert_ok(tarn__file_read(file, read, LENGTH, 13));
            assert_memory_equal(read, written, LENGTH);
            assert_int_equal(os_fault_calls(&fault, plan.calls) - calls, 2 * pieces);
        }
    }
    /* A write of nothing is an error, and not an endless loop. */
    plan = (struct os_fault_plan){
        .calls = OS_CALL_WRITE, .effect = OS_FAULT_SHORTEN, .nth = 1, .length = 0};
    os_fault_arm(&fault, &plan);
    assert_errno(tarn__file_write(file, written, LENGTH, 0), EIO);
    assert_ok(tarn__file_close(file));
}

static void the_end_of_a_file_is_told(void **state)
{
    struct tarn__file *file = create("end");
    uint8_t bytes[16] = {1, 2, 3, 4, 5};
    size_t done = 99;

    (void)state;
    assert_ok(tarn__file_read_some(file, bytes, 5, 0, &done));
    assert_int_equal(done, 0);
    assert_ok(tarn__file_write(file, bytes, 5, 0));
    assert_ok(tarn__file_read_some(file, bytes, 16, 2, &done));
    assert_int_equal(done, 3);
    assert_int_equal(tarn__file_read(file, bytes, 16, 2), TARN_CORRUPT);
    assert_int_equal(tarn_last_error()->offset, 5);
    assert_int_equal(tarn__file_read(file, bytes, 1, 100), TARN_CORRUPT);
    assert_ok(tarn__file_read(file, bytes, 0, 100));
    assert_ok(tarn__file_close(file));
}

/* faults.md 35 */
static void offsets_go_beyond_4_gib(void **state)
{
    struct tarn__file *file = create("far");
    uint64_t far = 5 * KIB * MIB, size = 0;
    char byte = 'x';

    (void)state;
    assert_ok(tarn__file_write(file, "far", 3, far));
    assert_ok(tarn__file_read(file, &byte, 1, far + 2));
    assert_int_equal(byte, 'r');
    assert_ok(tarn__file_read(file, &byte, 1, far - 4 * KIB * MIB));
    assert_int_equal(byte, 0);
    assert_ok(tarn__file_size(file, &size));
    assert_int_equal(size, far + 3);
    assert_ok(tarn__file_truncate(file, 7));
    assert_ok(tarn__file_size(file, &size));
    assert_int_equal(size, 7);
    assert_int_equal(tarn__file_write(file, "x", 1, UINT64_MAX - 1), TARN_FULL);
    assert_int_equal(tarn__file_truncate(file, UINT64_MAX), TARN_FULL);
    assert_int_equal(tarn__file_preallocate(file, INT64_MAX, INT64_MAX), TARN_FULL);
    assert_int_equal(tarn__file_read(file, &byte, 1, UINT64_MAX - 1), TARN_IO);
    assert_ok(tarn__file_close(file));
}

static void mappings_and_files_are_one(void **state)
{
    const struct tarn__os *os = &fault.os;
    struct tarn__file *file = create("mapped"), *reader;
    void *address = NULL, *read_only = NULL;
    char bytes[8] = {0};

    (void)state;
    assert_ok(tarn__file_preallocate(file, 0, 192 * KIB));
    assert_ok(tarn__file_map(file, 64 * KIB, 128 * KIB, true, &address));
    reader = reopen("mapped", TARN__OPEN_READ);
    assert_ok(tarn__file_map(reader, 0, 192 * KIB, false, &read_only));
    os->map_populate(os, address, 128 * KIB, true);
    os->map_populate(os, read_only, 192 * KIB, false);
    os->map_at_random(os, read_only, 192 * KIB);
    os->map_write(os, (char *)address + 100, "stored", 6);
    os->map_write(os, address, NULL, 0);
    assert_ok(tarn__file_read(reader, bytes, 6, 64 * KIB + 100));
    assert_memory_equal(bytes, "stored", 6);
    assert_memory_equal((char *)read_only + 64 * KIB + 100, "stored", 6);
    assert_ok(tarn__file_write(file, "written", 7, 128 * KIB));
    assert_memory_equal((char *)address + 64 * KIB, "written", 7);
    assert_ok(tarn__file_sync(file));

    /* The mapping outlives the file's handle. */
    assert_ok(tarn__file_close(file));
    os->map_write(os, (char *)address + 200, "after", 5);
    assert_ok(tarn__file_read(reader, bytes, 5, 64 * KIB + 200));
    assert_memory_equal(bytes, "after", 5);
    assert_ok(tarn__file_unmap(os, address, 128 * KIB));
    assert_ok(tarn__file_unmap(os, read_only, 192 * KIB));
    assert_ok(tarn__file_unmap(os, NULL, 1));

    address = NULL;
    assert_errno(tarn__file_map(reader, 0, 64 * KIB, true, &address), EACCES);
    assert_int_equal(tarn__file_map(reader, 128 * KIB, 65 * KIB, false, &address), TARN_CORRUPT);
    assert_int_equal(tarn__file_map(reader, 256 * KIB, 1, false, &address), TARN_CORRUPT);
    assert_int_equal(tarn__file_map(reader, 4 * KIB, 1, false, &address), TARN_INVALID_ARGUMENT);
    assert_int_equal(tarn__file_map(reader, 0, 0, false, &address), TARN_INVALID_ARGUMENT);
    assert_null(address);
    assert_ok(tarn__file_close(reader));
}

static void preallocation_takes_room(void **state)
{
    struct tarn__file *file = create("room");
    struct stat status;
    char bytes[4];

    (void)state;
    assert_ok(tarn__file_write(file, "kept", 4, 0));
    assert_ok(tarn__file_preallocate(file, 0, MIB));
    assert_int_equal(stat(path_of("room"), &status), 0);
    assert_int_equal(status.st_size, MIB);
    assert_true((uint64_t)status.st_blocks * 512 >= MIB);
    assert_ok(tarn__file_read(file, bytes, 4, 0));
    assert_memory_equal(bytes, "kept", 4);
    assert_ok(tarn__file_close(file));
}

static int full_file_system(void)
{
    struct tarn__directory *small = NULL;
    struct tarn__file *file = NULL;
    static char block[4096];
    uint64_t offset = 0;
    tarn_status status;

    /* A mount namespace of its own: the mount goes with this process. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=256k") != 0)
        return SKIPPED;
    if (tarn__directory_open(&fault.os, folder, &small) != TARN_OK ||
        tarn__file_open(small, "file", TARN__OPEN_CREATE, &file) != TARN_OK)
        return 1;
    if (tarn__file_preallocate(file, 0, MIB) != TARN_FULL ||
        tarn_last_error()->system_error != ENOSPC)
        return 2;
    if (tarn__file_truncate(file, 0) != TARN_OK)
        return 3;
    while ((status = tarn__file_write(file, block, sizeof block, offset)) == TARN_OK)
        offset += sizeof block;
    if (status != TARN_FULL || tarn_last_error()->offset != offset || offset > 256 * KIB)
        return 4;
    return tarn__file_truncate(file, 0) == TARN_OK &&
                   tarn__file_preallocate(file, 0, 64 * KIB) == TARN_OK
               ? 0
               : 5;
}

static int limited_file_size(void)
{
    struct rlimit limit = {.rlim_cur = 100 * KIB, .rlim_max = 100 * KIB};
    struct tarn__file *file = NULL;
    static char block[KIB * 200];

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return SKIPPED;
    if (tarn__file_open(root, "limited", TARN__OPEN_CREATE, &file) != TARN_OK)
        return 1;
    if (tarn__file_preallocate(file, 0, MIB) != TARN_FULL)
        return 2;
    /* The kernel makes a short write of it first; what is left then fails at its own offset. */
    if (tarn__file_write(file, block, sizeof block, 0) != TARN_FULL)
        return 3;
    return tarn_last_error()->offset == 100 * KIB ? 0 : 4;
}

/* faults.md 13 */
static void a_full_disk_is_told(void **state)
{
    int limited = test_run_in_child(limited_file_size);
    int mounted = test_run_in_child(full_file_system);

    (void)state;
    assert_true(limited == 0 || limited == SKIPPED);
    assert_true(mounted == 0 || mounted == SKIPPED);
    if (limited == SKIPPED || mounted == SKIPPED) {
        print_message("skipped: %s\n", mounted == SKIPPED ? "mounting needs root" : "no limits");
        skip();
    }
}

static bool see_one(void *context, const char *name)
{
    (void)name;
    ++*(int *)context;
    return false;
}

static bool gather(void *context, const char *name)
{
    char *names = context;
    size_t length = strlen(names);

    snprintf(names + length, NAMES_BYTES - length, "%s ", name);
    return true;
}

static void directories_do_what_they_say(void **state)
{
    struct tarn__directory *inside = NULL;
    char names[NAMES_BYTES] = "";
    struct tarn__file *file;
    int seen = 0;

    (void)state;
    assert_ok(tarn__directory_make_in(root, "inside"));
    assert_errno(tarn__directory_make_in(root, "inside"), EEXIST);
    assert_ok(tarn__directory_open_in(root, "inside", &inside));
    assert_string_equal(tarn__directory_path(inside), path_of("inside"));
    file = create("one");
    assert_ok(tarn__file_write(file, "1", 1, 0));
    assert_ok(tarn__file_close(file));
    assert_errno(tarn__file_open(root, "one", TARN__OPEN_CREATE, &file), EEXIST);
    assert_ok(tarn__file_rename(root, "one", inside, "two"));
    assert_errno(tarn__file_unlink(root, "one"), ENOENT);
    assert_ok(tarn__file_link(inside, "two", inside, "three"));
    assert_errno(tarn__file_link(inside, "two", inside, "three"), EEXIST);
    assert_ok(tarn__directory_sync(inside));
    assert_ok(tarn__directory_list(inside, gather, names));
    assert_true(strcmp(names, "two three ") == 0 || strcmp(names, "three two ") == 0);
    names[0] = '\0';
    assert_ok(tarn__directory_list(inside, gather, names)); /* again from its beginning */
    assert_int_equal(strlen(names), 10);
    assert_ok(tarn__directory_list(inside, see_one, &seen));
    assert_int_equal(seen, 1);
    assert_errno(tarn__directory_remove_in(root, "inside"), ENOTEMPTY);
    assert_ok(tarn__file_close(create("new")));
    assert_ok(tarn__file_rename(root, "new", inside, "two")); /* replaces */
    assert_int_equal(access(path_of("new"), F_OK), -1);
    assert_ok(tarn__file_unlink(inside, "two"));
    assert_ok(tarn__file_unlink(inside, "three"));
    assert_ok(tarn__directory_close(inside));
    assert_ok(tarn__directory_remove_in(root, "inside"));
    assert_ok(tarn__directory_close(NULL));
    assert_ok(tarn__file_close(NULL));
}

static int make_as_nobody(void)
{
    struct stat status;

    /* The folder may be entered and not read, as a service's user finds /var/lib/private. */
    if (geteuid() != 0)
        return SKIPPED;
    if (mkdir(path_of("private"), 0711) != 0 || mkdir(path_of("private/store"), 0777) != 0 ||
        chmod(folder, 0711) != 0 || seteuid(65534) != 0)
        return 1;
    if (tarn__directory_make(&fault.os, path_of("private/store")) != TARN_OK)
        return 2;
    if (!tarn__failed_with(tarn__directory_make(&fault.os, path_of("private/other")), EACCES))
        return 3;
    return stat(path_of("private/store"), &status) == 0 ? 0 : 4;
}

static int make_here(void)
{
    return chdir(folder) == 0 && tarn__directory_make(&fault.os, "plain") == TARN_OK &&
                   tarn__directory_make(&fault.os, "plain/deep") == TARN_OK
               ? 0
               : 1;
}

static void making_a_directory_syncs_the_one_around_it(void **state)
{
    static const char *const names[] = {"store", "store", "store/", "store//deep", "store/deep///"};
    struct os_fault_plan plan = {
        .calls = OS_CALL_DIRECTORY_SYNC, .effect = OS_FAULT_FAIL, .nth = 1, .error = EIO};
    int nobody;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_ok(tarn__directory_make(&fault.os, path_of(names[i])));
        assert_int_equal(os_fault_calls(&fault, OS_CALL_DIRECTORY_SYNC), i + 1);
    }
    assert_int_equal(mode_of("store/deep"), 0700);
    assert_int_equal(test_run_in_child(make_here), 0);
    assert_int_equal(mode_of("plain/deep"), 0700);
    assert_ok(tarn__directory_make(&fault.os, "/"));
    assert_errno(tarn__directory_make(&fault.os, ""), ENOENT);
    assert_errno(tarn__directory_make(&fault.os, path_of("absent/store")), ENOENT);
    os_fault_arm(&fault, &plan);
    assert_errno(tarn__directory_make(&fault.os, path_of("store")), EIO);
    nobody = test_run_in_child(make_as_nobody);
    assert_true(nobody == 0 || nobody == SKIPPED);
    if (nobody == SKIPPED)
        print_message("not shown: becoming another user needs root\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(modes_hold_under_any_umask),
        TEST(links_are_not_followed),
        TEST(only_regular_files_open),
        TEST(names_stay_in_the_folder),
        TEST(locks_exclude_every_other_opening),
        TEST(short_calls_are_completed),
        TEST(the_end_of_a_file_is_told),
        TEST(offsets_go_beyond_4_gib),
        TEST(mappings_and_files_are_one),
        TEST(preallocation_takes_room),
        TEST(a_full_disk_is_told),
        TEST(directories_do_what_they_say),
        TEST(making_a_directory_syncs_the_one_around_it),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
