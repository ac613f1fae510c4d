/*
 * A namespace in a log that is several times larger than the memory there is: it is written, read
 * at random, overwritten, compacted, left by a process that dies without closing it, opened by a
 * replay of all that is there, and by its checkpoint. Every value is compared.
 *
 *     test_larger_than_memory LIMIT DATA READS       (MiB, MiB, times)
 *
 * The processes that use the store are limited in two ways: their own memory (RLIMIT_DATA: heap and
 * all other that is private and writable; neither files that are mapped nor their cache), and all
 * together, the cache of the store's files included, by a group of processes
 * (support/memory_limit.h). Where no group can be made, the first limit is tried alone, and the
 * test is skipped, as far as Meson is concerned.
 */
#include "support/memory_limit.h"
#include "support/store_folder.h"
#include "support/test_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB             ((uint64_t)1024 * 1024)
#define VALUE_BYTES_MIN 200
#define VALUE_BYTES_MAX 1800
#define READ_BYTES_MAX  ((uint64_t)64 * 1024) /* from the disk; a record is in 1 or 2 pages */
#define STACK_BYTES     ((size_t)256 * 1024)  /* a thread's; the usual 8 MiB would count as used */
#define SKIPPED         77

static struct {
    uint64_t limit, data; /* bytes */
    uint64_t reads;       /* of each round */
    uint64_t keys;
    uint8_t *versions;     /* of each key, shared by all processes; 0: deleted */
    uint64_t seed, random; /* of the values; what is chosen next */
    struct store_folder folder;
    struct memory_limit group; /* its path is empty where there is none */
    volatile pid_t child;
} run;

/* ------------------------------------------------------------------------------------------
 * What is stored
 */

static struct tarn_slice value_of(uint64_t number, void **bytes)
{
    uint64_t seed = run.seed ^ (number << 8 | run.versions[number]);
    size_t length = VALUE_BYTES_MIN + random_below(&seed, VALUE_BYTES_MAX - VALUE_BYTES_MIN);

    *bytes = patterned_bytes(length, seed);
    return tarn_slice_of(*bytes, length);
}

static void put(uint64_t number)
{
    char room[NUMBERED_KEY_ROOM];
    void *bytes;
    struct tarn_slice value = value_of(number, &bytes);

    expect_ok(tarn_set(run.folder.ns, numbered_key(room, number), value, NULL, NULL));
    free(bytes);
}

static void check(uint64_t number)
{
    char room[NUMBERED_KEY_ROOM];
    struct tarn_slice key = numbered_key(room, number);
    struct tarn_slice value;
    void *bytes;

    if (!run.versions[number]) {
        expect_absent(run.folder.ns, key);
        return;
    }
    value = value_of(number, &bytes);
    expect_ok(tarn_get(run.folder.ns, key, &run.folder.buf, NULL));
    expect_bytes(value, held(&run.folder.buf));
    free(bytes);
}

static uint64_t keys_there(void)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < run.keys; i++)
        count += run.versions[i] != 0;
    return count;
}

/* ------------------------------------------------------------------------------------------
 * What is told
 */

static uint64_t status_kib(const char *field)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;

    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0 &&
            sscanf(line + strlen(field), ": %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What the process has had to wait for: pages that were read from the disk, and bytes in all. */
static void disk_reads(uint64_t *waits, uint64_t *bytes)
{
    struct rusage usage;

    expect_that(getrusage(RUSAGE_SELF, &usage) == 0);
    *waits = (uint64_t)usage.ru_majflt;
    *bytes = (uint64_t)usage.ru_inblock * 512;
}

/* Tells of a step that began then. */
static void report(const char *step, double begin)
{
    struct tarn_stats stats = store_folder_stats(run.folder.ns);

    printf("%-22s %6.2f s; own memory %6.1f MiB (index %.1f), files %7.1f MiB\n", step,
           seconds() - begin, (double)status_kib("RssAnon") / 1024,
           (double)stats.index_bytes / (double)MIB, (double)stats.disk_bytes / (double)MIB);
}

/* ------------------------------------------------------------------------------------------
 * Steps
 */

static void note_event(void *context, const struct tarn_event *event)
{
    (void)context;
    if (event->kind != TARN_EVENT_SYNC_FAILED && event->kind != TARN_EVENT_COMPACTION_FAILED)
        return;
    fprintf(stderr, "in the background: %s\n", event->error->message);
    fflush(NULL);
    _exit(1); /* a thread of the store cannot leave the test */
}

static void open_store(const char *step)
{
    double begin = seconds();

    store_folder_open(&run.folder, STORE_OPTIONS(.on_event = note_event));
    run.folder.ns = store_folder_namespace(&run.folder, "large");
    expect_number(keys_there(), store_folder_stats(run.folder.ns).keys);
    report(step, begin);
}

/* Where memory is limited as a whole, most of what is read comes from the disk: the pages of the
 * record, and not what is around them. */
static void read_at_random(void)
{
    double begin = seconds();
    uint64_t waits, bytes, waits_before, bytes_before;

    disk_reads(&waits_before, &bytes_before);
    for (uint64_t i = 0; i < run.reads; i++)
        check(random_below(&run.random, run.keys));
    disk_reads(&waits, &bytes);
    report("read at random", begin);
    printf("%-22s %.2f waits and %.1f KiB from the disk a read\n", "",
           (double)(waits - waits_before) / (double)run.reads,
           (double)(bytes - bytes_before) / 1024 / (double)run.reads);
    if (run.group.path[0])
        expect_that(waits - waits_before > run.reads / 4);
    expect_that(bytes - bytes_before < run.reads * READ_BYTES_MAX);
}

static void load(void)
{
    double begin = seconds();

    for (uint64_t i = 0; i < run.keys; i++) {
        run.versions[i] = 1;
        put(i);
    }
    report("load", begin);
    expect_that(store_folder_stats(run.folder.ns).bytes > 4 * run.limit);
}

static void overwrite_one(uint64_t number, bool removes)
{
    char room[NUMBERED_KEY_ROOM];

    if (removes && run.versions[number]) {
        expect_ok(tarn_delete(run.folder.ns, numbered_key(room, number)));
        run.versions[number] = 0;
    } else {
        run.versions[number] = (uint8_t)(run.versions[number] + 1);
        put(number);
    }
}

/* Half of the keys in the order in which they were written, and some at random. Each tenth write is
 * a delete. */
static void overwrite(void)
{
    double begin = seconds();
    uint64_t first = random_below(&run.random, run.keys / 2);

    for (uint64_t i = 0; i < run.keys / 2; i++)
        overwrite_one(first + i, i % 10 == 0);
    for (uint64_t i = 0; i < run.reads; i++)
        overwrite_one(random_below(&run.random, run.keys), i % 10 == 0);
    report("overwrite", begin);
}

static void compact(void)
{
    double begin = seconds();

    expect_ok(tarn_compact(run.folder.ns, NULL));
    report("compact", begin);
    expect_number(0, store_folder_stats(run.folder.ns).stale_bytes);
}

/* ------------------------------------------------------------------------------------------
 * Processes
 */

static void write_and_die(void **state)
{
    (void)state;
    store_folder_open(&run.folder, STORE_OPTIONS(.on_event = note_event));
    run.folder.ns =
        store_folder_create(&run.folder, "large",
                            NAMESPACE_OPTIONS(.engine = TARN_ENGINE_LOG, .sync = TARN_SYNC_NONE,
                                              .segment_bytes = run.limit / 32));
    load();
    read_at_random();
    overwrite();
    read_at_random();
    compact();
    read_at_random();
}

static void open_and_read(void **state)
{
    (void)state;
    run.random = ~run.seed; /* not the keys that were overwritten at random, side by side */
    open_store("open, by a replay");
    read_at_random();
    store_folder_close(&run.folder);
    open_store("open, after a close");
    read_at_random();
    store_folder_close(&run.folder);
}

static bool limit_memory(void)
{
    struct rlimit own = {.rlim_cur = run.limit, .rlim_max = run.limit};
    pthread_attr_t attributes;

    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && pthread_attr_init(&attributes) == 0 &&
           pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
           pthread_setattr_default_np(&attributes) == 0 && setrlimit(RLIMIT_DATA, &own) == 0 &&
           (!run.group.path[0] || memory_limit_enter(&run.group));
}

/* Runs the test in a process of its own with little memory. Returns whether it passed. */
static bool run_limited(const char *name, CMUnitTestFunction function)
{
    const struct CMUnitTest tests[] = {{.name = name, .test_func = function}};
    int status = 0;

    fflush(NULL);
    run.child = fork();
    if (run.child == 0) {
        int failed = 1;

        if (limit_memory())
            failed = cmocka_run_group_tests(tests, NULL, NULL);
        else
            fprintf(stderr, "memory cannot be limited: %s %s\n", strerror(errno),
                    run.group.problem);
        fflush(NULL);
        _exit(failed); /* the store may be open */
    }
    if (run.child < 0 || waitpid(run.child, &status, 0) != run.child)
        return false;
    run.child = 0;
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: killed by signal %d%s\n", name, WTERMSIG(status),
                WTERMSIG(status) == SIGKILL ? ", as for want of memory" : "");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A group would outlive the test. */
static void end_early(int number)
{
    if (run.child > 0) {
        (void)kill(run.child, SIGKILL);
        (void)waitpid(run.child, NULL, 0);
    }
    memory_limit_remove(&run.group);
    _exit(128 + number);
}

/* A folder that is on a disk: files that are in memory would count, and could not leave it. */
static bool make_folder(void)
{
    const char *const places[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "."};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct statfs system;

        if (!places[i] || statfs(places[i], &system) != 0 || system.f_type == TMPFS_MAGIC ||
            system.f_type == RAMFS_MAGIC)
            continue;
        if (setenv("TMPDIR", places[i], 1) != 0 ||
            test_folder_make(run.folder.around, sizeof run.folder.around) != 0)
            continue;
        snprintf(run.folder.path, sizeof run.folder.path, "%.200s/store", run.folder.around);
        return true;
    }
    return false;
}

static bool prepare(char **arguments)
{
    run.limit = strtoull(arguments[1], NULL, 10) * MIB;
    run.data = strtoull(arguments[2], NULL, 10) * MIB;
    run.reads = strtoull(arguments[3], NULL, 10);
    run.keys = run.data / ((VALUE_BYTES_MIN + VALUE_BYTES_MAX) / 2);
    run.seed = environment_number("TARN_SEED", (uint64_t)time(NULL));
    run.random = run.seed;
    run.versions = mmap(NULL, run.keys, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return run.versions != MAP_FAILED;
}

int main(int count, char **arguments)
{
    bool passed, limited;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 4 || !prepare(arguments)) {
        fprintf(stderr, "usage: test_larger_than_memory LIMIT DATA READS\n");
        return 2;
    }
    if (!make_folder()) {
        fprintf(stderr, "no folder on a disk: all are in memory\n");
        return SKIPPED;
    }
    (void)signal(SIGTERM, end_early);
    (void)signal(SIGINT, end_early);
    limited = memory_limit_make(&run.group, run.limit);
    printf("seed %" PRIu64 "\n", run.seed);
    passed =
        run_limited("write_and_die", write_and_die) && run_limited("open_and_read", open_and_read);
    if (limited)
        printf("limit %" PRIu64 " MiB, peak with the cache of files %.1f MiB\n", run.limit / MIB,
               (double)memory_limit_peak(&run.group) / (double)MIB);
    memory_limit_remove(&run.group);
    (void)test_folder_remove(run.folder.around);
    if (passed && !limited) {
        fprintf(stderr, "only the process's own memory was limited, not the cache of files: %s\n",
                run.group.problem);
        return SKIPPED;
    }
    return passed ? 0 : 1;
}
