/*
 * The operating system, continued: memory, clock and randomness; and every fault that can be put
 * between the library and the system, at every call, with what becomes of it.
 *
 * `fault` wraps the Linux table, and has no plan at the beginning of a test. The scenario calls
 * each member of the table that can fail at least once.
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
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define assert_ok(call) assert_int_equal((call), TARN_OK)
#define KIB             ((uint64_t)1024)
#define MIB             ((uint64_t)1024 * 1024)

static char folder[256];
static struct os_fault fault;

static int set_up(void **state)
{
    (void)state;
    os_fault_init(&fault, tarn__os_posix());
    return test_folder_make(folder, sizeof folder);
}

static int tear_down(void **state)
{
    (void)state;
    return test_folder_remove(folder);
}

static void memory_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[] = {1, 4096, 4097, 65536, 2 * MIB, 5 * MIB + 1};
    static const size_t alignments[] = {4096, 8192, 65536, 2 * MIB, 64 * MIB};
    const struct tarn__os *os = &fault.os;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof alignments / sizeof alignments[0]; j++) {
            unsigned char *memory = os->memory_map(os, sizes[i], alignments[j], j & 1);

            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % alignments[j], 0);
            for (size_t k = 0; k < sizes[i]; k += 512)
                assert_int_equal(memory[k], 0);
            memory[0] = 1;
            memory[sizes[i] - 1] = 1;
            os->memory_populate(os, memory, sizes[i]);
            os->memory_populate(os, memory + sizes[i] / 2, sizes[i] - sizes[i] / 2);
            os->memory_populate(os, memory, 0);
            assert_int_equal(memory[0], 1);
            assert_int_equal(memory[sizes[i] - 1], 1);
            os->memory_unmap(os, memory, sizes[i]);
        }
    }
    os->memory_unmap(os, NULL, 1);
}

/* How many pages the process has mapped, from the kernel's own count. */
static unsigned long mapped_pages(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    return pages;
}

static void memory_comes_back_whole(void **state)
{
    enum { REGIONS = 100 };
    const struct tarn__os *os = &fault.os;
    const size_t bytes = 3 * MIB + 5;
    void *regions[REGIONS];
    unsigned long before = mapped_pages();

    (void)state;
    for (int i = 0; i < REGIONS; i++) {
        regions[i] = os->memory_map(os, bytes, 2 * MIB, true);
        assert_non_null(regions[i]);
    }
    /* What the alignment took is back already. */
    assert_true(mapped_pages() < before + REGIONS * (bytes / 4096 + 1) + 3 * MIB / 4096);
    for (int i = 0; i < REGIONS; i++)
        os->memory_unmap(os, regions[i], bytes);
    assert_true(mapped_pages() < before + 3 * MIB / 4096);
}

static void populated_memory_is_there(void **state)
{
    const struct tarn__os *os = &fault.os;
    unsigned char *memory = os->memory_map(os, 4 * MIB, 4096, false);
    unsigned char present = 0;

    (void)state;
    assert_non_null(memory);
    assert_int_equal(mincore(memory + 2 * MIB, 4096, &present), 0);
    assert_int_equal(present & 1, 0);
    os->memory_populate(os, memory + 2 * MIB + 1, 10);
    assert_int_equal(mincore(memory + 2 * MIB, 4096, &present), 0);
    /* A kernel without the call (before Linux 5.14) refuses it here as well. */
    if (madvise(memory, 4096, MADV_POPULATE_WRITE) == 0)
        assert_int_equal(present & 1, 1);
    else
        print_message("not shown: this kernel cannot populate memory\n");
    os->memory_unmap(os, memory, 4 * MIB);
}

/* Whether the kernel notes the flag (two letters, such as "hg") for the region at address. */
static bool region_has_flag(const void *address, const char *flag)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    unsigned long begin, end;
    bool inside = false, has = false;
    char line[512];

    assert_non_null(smaps);
    while (fgets(line, sizeof line, smaps)) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            inside = begin <= (uintptr_t)address && (uintptr_t)address < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            has = strstr(line, flag);
    }
    fclose(smaps);
    return has;
}

static void huge_memory_is_advised(void **state)
{
    const struct tarn__os *os = &fault.os;
    void *huge, *plain;

    (void)state;
    if (access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0)
        skip();
    huge = os->memory_map(os, 4 * MIB, 2 * MIB, true);
    plain = os->memory_map(os, 4 * MIB, 2 * MIB, false);
    assert_non_null(huge);
    assert_non_null(plain);
    assert_true(region_has_flag(huge, " hg"));
    assert_false(region_has_flag(plain, " hg"));
    os->memory_unmap(os, huge, 4 * MIB);
    os->memory_unmap(os, plain, 4 * MIB);
}

static void absurd_memory_is_refused(void **state)
{
    const struct tarn__os *os = &fault.os;

    (void)state;
    tarn__outcome(TARN_OK);
    assert_null(os->memory_map(os, SIZE_MAX, 4096, false));
    assert_true(tarn__failed_with(TARN_NO_MEMORY, ENOMEM));
    tarn__outcome(TARN_OK);
    assert_null(os->memory_map(os, SIZE_MAX / 4, 2 * MIB, true));
    assert_true(tarn__failed_with(TARN_NO_MEMORY, ENOMEM));
}

static uint64_t number_of_parent;

static int child_has_another_number(void)
{
    return fault.os.process_id(&fault.os) != number_of_parent ? 0 : 1;
}

static void clock_randomness_and_process(void **state)
{
    const struct tarn__os *os = &fault.os;
    unsigned char one[300] = {0}, other[300] = {0};
    uint64_t before = os->monotonic_ns(os);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = os->monotonic_ns(os);

        assert_true(now >= before);
        before = now;
        os->yield(os);
    }
    assert_true(os->wall_ns(os) > UINT64_C(1600000000) * 1000000000); /* 2020 */
    assert_ok(os->random_bytes(os, one, sizeof one));
    assert_ok(os->random_bytes(os, other, sizeof other));
    assert_memory_not_equal(one, other, 16);
    assert_memory_not_equal(one + sizeof one - 16, other + sizeof other - 16, 16);
    assert_memory_not_equal(one, one + 16, 16);
    assert_ok(os->random_bytes(os, one, 0));
    number_of_parent = os->process_id(os);
    assert_int_equal(os->process_id(os), number_of_parent);
    assert_int_equal(test_run_in_child(child_has_another_number), 0);
}

/* --- Faults ------------------------------------------------------------------------------- */

struct opened {
    struct tarn__directory *root, *inside;
    struct tarn__file *file;
    void *address, *memory;
};

static bool see(void *context, const char *name)
{
    (void)name;
    ++*(int *)context;
    return true;
}

static tarn_status use_names(struct opened *o)
{
    tarn_status status;
    int seen = 0;

    if ((status = tarn__file_rename(o->root, "file", o->inside, "renamed")) != TARN_OK ||
        (status = tarn__file_link(o->inside, "renamed", o->root, "linked")) != TARN_OK ||
        (status = tarn__directory_sync(o->inside)) != TARN_OK ||
        (status = tarn__directory_list(o->root, see, &seen)) != TARN_OK ||
        (status = tarn__file_unlink(o->root, "linked")) != TARN_OK ||
        (status = tarn__file_unlink(o->inside, "renamed")) != TARN_OK ||
        (status = tarn__directory_remove_in(o->root, "inside")) != TARN_OK)
        return status;
    return seen == 2 ? TARN_OK : TARN_CORRUPT;
}

static tarn_status use_file(struct opened *o)
{
    const struct tarn__os *os = &fault.os;
    char bytes[8] = "written";
    tarn_status status;
    uint64_t size = 0;

    if ((status = tarn__file_lock(o->file, true)) != TARN_OK ||
        (status = tarn__file_preallocate(o->file, 0, 64 * KIB)) != TARN_OK ||
        (status = tarn__file_write(o->file, bytes, 8, 10)) != TARN_OK ||
        (status = tarn__file_map(o->file, 0, 64 * KIB, true, &o->address)) != TARN_OK)
        return status;
    os->map_write(os, (char *)o->address + 10, "WR", 2);
    if ((status = tarn__file_read(o->file, bytes, 8, 10)) != TARN_OK ||
        (status = tarn__file_sync(o->file)) != TARN_OK ||
        (status = tarn__file_unmap(os, o->address, 64 * KIB)) != TARN_OK)
        return status;
    o->address = NULL;
    if ((status = tarn__file_truncate(o->file, 100)) != TARN_OK ||
        (status = tarn__file_size(o->file, &size)) != TARN_OK)
        return status;
    return size == 100 && memcmp(bytes, "WRitten", 8) == 0 ? TARN_OK : TARN_CORRUPT;
}

static tarn_status use_event(void)
{
    const struct tarn__os *os = &fault.os;
    struct pollfd poll_of = {.events = POLLIN};
    tarn_status status = tarn__event_make(os, &poll_of.fd);
    bool right;

    if (status != TARN_OK)
        return status;
    right = poll(&poll_of, 1, 0) == 0;
    os->event_set(os, poll_of.fd);
    os->event_set(os, poll_of.fd);
    right = right && poll(&poll_of, 1, 0) == 1;
    os->event_clear(os, poll_of.fd);
    right = right && poll(&poll_of, 1, 0) == 0;
    os->event_clear(os, poll_of.fd);
    os->event_set(os, poll_of.fd);
    right = right && poll(&poll_of, 1, 0) == 1;
    os->event_close(os, poll_of.fd);
    return right ? TARN_OK : TARN_CORRUPT;
}

/* Calls each member of the table that can fail. What is open is in o, also after a failure. */
static tarn_status use_everything(struct opened *o)
{
    const struct tarn__os *os = &fault.os;
    unsigned char bytes[16];
    char store[300];
    tarn_status status;

    snprintf(store, sizeof store, "%s/store", folder);
    if ((status = os->random_bytes(os, bytes, sizeof bytes)) != TARN_OK)
        return status;
    o->memory = os->memory_map(os, 4096, 4096, false);
    if (!o->memory)
        return TARN_NO_MEMORY;
    if ((status = tarn__directory_make(os, store)) != TARN_OK ||
        (status = tarn__directory_open(os, store, &o->root)) != TARN_OK ||
        (status = tarn__directory_make_in(o->root, "inside")) != TARN_OK ||
        (status = tarn__directory_open_in(o->root, "inside", &o->inside)) != TARN_OK ||
        (status = tarn__file_open(o->root, "file", TARN__OPEN_CREATE, &o->file)) != TARN_OK ||
        (status = use_file(o)) != TARN_OK || (status = use_event()) != TARN_OK)
        return status;
    return use_names(o);
}

/* Closes what is open, hands out the first error, and makes the folder empty for the next time. */
static tarn_status give_all_back(struct opened *o, tarn_status status)
{
    tarn_status closed[3];

    closed[0] = tarn__file_close(o->file);
    closed[1] = tarn__directory_close(o->inside);
    closed[2] = tarn__directory_close(o->root);
    for (int i = 0; i < 3; i++)
        status = status == TARN_OK ? closed[i] : status;
    fault.os.memory_unmap(&fault.os, o->memory, 4096);
    assert_ok(tarn__file_unmap(tarn__os_posix(), o->address, 64 * KIB));
    assert_int_equal(test_folder_remove(folder), 0);
    assert_int_equal(test_folder_make(folder, sizeof folder), 0);
    return status;
}

static tarn_status run(struct os_fault_plan *plan)
{
    struct opened opened = {0};
    tarn_status status;

    os_fault_arm(&fault, plan);
    status = use_everything(&opened);
    return give_all_back(&opened, status);
}

static tarn_status status_of(int error, tarn_status otherwise)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? TARN_FULL
           : error == ENOMEM                                    ? TARN_NO_MEMORY
                                                                : otherwise;
}

/* faults.md 13 to 19: every kind of call, every error, every place, once and from then on. */
static void every_fault_is_told(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, ENOMEM, EMFILE, EROFS, EACCES, EINTR};
    static const unsigned repeated = OS_CALL_DIRECTORY_MAKE | OS_CALL_DIRECTORY_OPEN |
                                     OS_CALL_FILE_OPEN | OS_CALL_READ | OS_CALL_WRITE |
                                     OS_CALL_TRUNCATE | OS_CALL_PREALLOCATE | OS_CALL_LOCK;
    int before = test_open_descriptors();

    (void)state;
    for (unsigned call = 1; call < OS_CALL_ANY; call <<= 1) {
        for (size_t i = 0; i < 2 * sizeof errors / sizeof errors[0]; i++) {
            struct os_fault_plan plan = {
                .calls = call, .effect = OS_FAULT_FAIL, .error = errors[i / 2], .lasting = i & 1};
            bool goes_on = plan.error == EINTR && !plan.lasting && (call & repeated);
            uint64_t strikes = 0;

            for (plan.nth = 1;; plan.nth++) {
                tarn_status status = run(&plan);

                if (os_fault_fired(&fault) == 0) {
                    assert_ok(status);
                    break;
                }
                strikes++;
                if (goes_on)
                    assert_ok(status);
                else if (call == OS_CALL_RANDOM_BYTES)
                    assert_int_equal(status, TARN_IO);
                else if (call == OS_CALL_MEMORY_MAP)
                    assert_int_equal(status, TARN_NO_MEMORY);
                else
                    assert_int_equal(status, status_of(plan.error, TARN_IO));
                assert_int_equal(test_open_descriptors(), before);
            }
            assert_true(strikes >= 1);
        }
    }
}

/* The same at every call of any kind, failing before and after the call had its effect. */
static void faults_strike_at_every_call(void **state)
{
    int before = test_open_descriptors();

    (void)state;
    for (int effect = OS_FAULT_FAIL; effect <= OS_FAULT_FAIL_AFTER; effect++) {
        struct os_fault_plan plan = {.calls = OS_CALL_ANY, .effect = effect, .error = EIO};
        uint64_t calls;

        do {
            tarn_status status;

            plan.nth++;
            calls = os_fault_calls(&fault, OS_CALL_ANY);
            status = run(&plan);
            calls = os_fault_calls(&fault, OS_CALL_ANY) - calls;
            assert_int_equal(status == TARN_OK, os_fault_fired(&fault) == 0);
            assert_int_equal(test_open_descriptors(), before);
        } while (os_fault_fired(&fault) > 0);
        assert_int_equal(plan.nth, calls + 1);
    }
}

/* house-style.md: the error names path, errno and offset. */
static void errors_have_their_detail(void **state)
{
    struct os_fault_plan plan = {
        .calls = OS_CALL_WRITE, .effect = OS_FAULT_SHORTEN, .nth = 1, .length = 3};
    const struct tarn_error *error = tarn_last_error();
    struct tarn__directory *root = NULL;
    struct tarn__file *file = NULL;

    (void)state;
    assert_ok(tarn__directory_open(&fault.os, folder, &root));
    assert_ok(tarn__file_open(root, "detail", TARN__OPEN_CREATE, &file));
    os_fault_arm(&fault, &plan);
    assert_ok(tarn__file_write(file, "12345", 5, 1000));
    plan = (struct os_fault_plan){.calls = OS_CALL_READ, .nth = 1, .error = EIO};
    os_fault_arm(&fault, &plan);
    assert_int_equal(tarn__file_read(file, &plan.length, 5, 1000), TARN_IO);
    assert_int_equal(error->status, TARN_IO);
    assert_int_equal(error->system_error, EIO);
    assert_int_equal(error->offset, 1000);
    assert_non_null(strstr(error->message, tarn__file_path(file)));
    assert_non_null(strstr(error->message, "offset 1000"));
    assert_non_null(strstr(error->message, strerrordesc_np(EIO)));
    assert_int_equal(tarn__file_unlink(root, "absent"), TARN_IO);
    assert_true(tarn__failed_with(TARN_IO, ENOENT));
    assert_false(tarn__failed_with(TARN_OK, ENOENT));
    assert_false(tarn__failed_with(TARN_FULL, ENOENT));
    assert_int_equal(error->offset, 0);
    assert_non_null(strstr(error->message, "/absent'"));
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(root));
}

/* Rule 9 of the architecture: a failed sync is never retried, not even an interrupted one. */
static void a_sync_is_called_once(void **state)
{
    static const int errors[] = {EIO, EINTR, ENOSPC};
    struct tarn__directory *root = NULL;
    struct tarn__file *file = NULL;

    (void)state;
    assert_ok(tarn__directory_open(&fault.os, folder, &root));
    assert_ok(tarn__file_open(root, "synced", TARN__OPEN_CREATE, &file));
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct os_fault_plan plan = {.calls = OS_CALL_ANY, .nth = 1, .error = errors[i]};
        uint64_t calls = os_fault_calls(&fault, OS_CALL_ANY);

        os_fault_arm(&fault, &plan);
        assert_true(tarn__failed_with(tarn__file_sync(file), errors[i]));
        os_fault_arm(&fault, &plan);
        assert_true(tarn__failed_with(tarn__directory_sync(root), errors[i]));
        assert_int_equal(os_fault_calls(&fault, OS_CALL_ANY), calls + 2);
        os_fault_arm(&fault, NULL);
    }
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(root));
}

static void exec_closes_everything(void **state)
{
    struct tarn__directory *root = NULL;
    struct tarn__file *file = NULL;
    int before = test_open_descriptors();
    int found = 0;

    (void)state;
    assert_ok(tarn__directory_open(&fault.os, folder, &root));
    assert_ok(tarn__file_open(root, "file", TARN__OPEN_CREATE, &file));
    assert_int_equal(test_open_descriptors(), before + 2);
    for (int i = 0; i < 1024; i++) {
        char link[64], target[512] = "";

        snprintf(link, sizeof link, "/proc/self/fd/%d", i);
        if (readlink(link, target, sizeof target - 1) > 0 && strstr(target, folder)) {
            found++;
            assert_int_equal(fcntl(i, F_GETFD), FD_CLOEXEC);
        }
    }
    assert_int_equal(found, 2);
    assert_ok(tarn__file_close(file));
    assert_ok(tarn__directory_close(root));
}

static void *call_often(void *failures)
{
    for (int i = 0; i < 1000; i++) {
        char byte;

        *(int *)failures += fault.os.random_bytes(&fault.os, &byte, 1) != TARN_OK;
    }
    return NULL;
}

static void threads_share_one_count(void **state)
{
    struct os_fault_plan plan = {.calls = OS_CALL_RANDOM_BYTES, .nth = 1001, .error = EIO};
    int failures[4] = {0};
    pthread_t threads[4];

    (void)state;
    for (plan.lasting = false;; plan.lasting = true) {
        uint64_t sum = 0;

        os_fault_arm(&fault, &plan);
        memset(failures, 0, sizeof failures);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, call_often, &failures[i]), 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            sum += (uint64_t)failures[i];
        }
        assert_int_equal(sum, plan.lasting ? 3000 : 1);
        assert_int_equal(os_fault_fired(&fault), sum);
        if (plan.lasting)
            break;
    }
    assert_int_equal(os_fault_calls(&fault, OS_CALL_RANDOM_BYTES), 8000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_zeroed_and_aligned), TEST(memory_comes_back_whole),
        TEST(populated_memory_is_there),    TEST(huge_memory_is_advised),
        TEST(absurd_memory_is_refused),     TEST(clock_randomness_and_process),
        TEST(every_fault_is_told),          TEST(faults_strike_at_every_call),
        TEST(errors_have_their_detail),     TEST(a_sync_is_called_once),
        TEST(exec_closes_everything),       TEST(threads_share_one_count),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
