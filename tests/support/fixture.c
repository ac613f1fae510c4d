/*
 * The tests' fixture: see fixture.h.
 *
 * What always holds: a check either returns or leaves the test through cmocka, after it printed
 * what was expected. Nothing here is kept between two tests but the choice of the backend.
 */
#include "support/fixture.h"
#include "support/test_folder.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tarn_status memory_open(const struct tarn_options *options, tarn_store **store)
{
    return tarn_open(NULL, options, store);
}

/* The folder for the stores of the log backend; it goes when the process that made it ends. */
static char log_folder[64];
static pid_t log_folder_owner;

static void remove_log_folder(void)
{
    if (getpid() == log_folder_owner)
        (void)test_folder_remove(log_folder);
}

static void make_log_folder(void)
{
    /* In memory, where it can be: what is tried here is not what survives, and syncs take long. */
    snprintf(log_folder, sizeof log_folder, "%s/tarn-stores-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(log_folder) || atexit(remove_log_folder) != 0)
        abort();
    log_folder_owner = getpid();
}

/* A store in a folder of its own. */
static tarn_status log_open(const struct tarn_options *options, tarn_store **store)
{
    static unsigned count;
    char path[128];

    if (!log_folder_owner)
        make_log_folder();
    snprintf(path, sizeof path, "%s/%u", log_folder, count++);
    return tarn_open(path, options, store);
}

static tarn_status log_create(tarn_store *store, struct tarn_slice name,
                              const struct tarn_namespace_options *options, tarn_namespace **ns)
{
    struct tarn_namespace_options on_log = {.size = sizeof on_log};

    if (options)
        on_log = *options;
    on_log.engine = TARN_ENGINE_LOG;
    if (!on_log.sync)
        on_log.sync = TARN_SYNC_NONE;
    return tarn_namespace_create(store, name, &on_log, ns);
}

const struct backend fixture_backends[] = {
    {"memory", memory_open, tarn_namespace_create},
    {"log", log_open, log_create},
};
const size_t fixture_backend_count = sizeof fixture_backends / sizeof fixture_backends[0];
const struct backend *fixture_backend = &fixture_backends[0];

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    if (!fixture)
        return -1;
    expect_ok(fixture_backend->open(NULL, &fixture->store));
    expect_ok(fixture_backend->create(fixture->store, text("test"), NULL, &fixture->ns));
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;

    tarn_buf_release(&fixture->buf);
    tarn_namespace_close(fixture->ns);
    expect_ok(tarn_close(fixture->store));
    free(fixture);
    return 0;
}

void fixture_renew_namespace(struct fixture *fixture, const struct tarn_namespace_options *options)
{
    tarn_namespace_close(fixture->ns);
    fixture->ns = NULL;
    expect_ok(tarn_namespace_drop(fixture->store, text("test")));
    expect_ok(fixture_backend->create(fixture->store, text("test"), options, &fixture->ns));
}

void fixture_renew_store(struct fixture *fixture, const struct tarn_options *options)
{
    tarn_namespace_close(fixture->ns);
    fixture->ns = NULL;
    expect_ok(tarn_close(fixture->store));
    fixture->store = NULL;
    expect_ok(fixture_backend->open(options, &fixture->store));
    expect_ok(fixture_backend->create(fixture->store, text("test"), NULL, &fixture->ns));
}

static uint64_t digest_of(struct tarn_slice bytes, uint64_t digest)
{
    const unsigned char *byte = bytes.data;

    for (size_t i = 0; i < bytes.length; i++)
        digest = (digest ^ byte[i]) * 0x100000001b3;
    return (digest ^ bytes.length) * 0x9e3779b97f4a7c15;
}

struct fixture_state fixture_state_of(tarn_namespace *ns)
{
    struct tarn_stats stats = {.size = sizeof stats};
    struct fixture_state state = {0};
    struct tarn_slice key, value;
    struct tarn_record_info info;
    tarn_cursor *cursor = NULL;
    tarn_status status;

    expect_ok(tarn_cursor_open(ns, NULL, &cursor));
    while ((status = tarn_cursor_next(cursor, &key, &value, &info)) == TARN_OK) {
        uint64_t digest = digest_of(value, digest_of(key, 0xcbf29ce484222325));

        state.keys++;
        state.bytes += key.length + value.length;
        state.digest += digest ^ (info.sequence * 0xd6e8feb86659fd93) ^ (uint64_t)info.content;
    }
    tarn_cursor_close(cursor);
    expect_status(TARN_CURSOR_END, status);
    expect_ok(tarn_namespace_stats(ns, &stats, NULL, 0));
    expect_number(state.keys, stats.keys);
    expect_number(state.bytes, stats.bytes);
    state.writes = stats.writes;
    return state;
}

struct tarn_slice text(const char *string)
{
    return tarn_slice_of(string, strlen(string));
}

struct tarn_slice held(const struct tarn_buf *buf)
{
    return tarn_slice_of(buf->data, buf->length);
}

struct tarn_slice numbered_key(char room[NUMBERED_KEY_ROOM], uint64_t number)
{
    int length = snprintf(room, NUMBERED_KEY_ROOM, "key-%" PRIu64, number);

    return tarn_slice_of(room, (size_t)length);
}

void *patterned_bytes(size_t length, uint64_t seed)
{
    unsigned char *bytes = malloc(length + 1);
    size_t i = 0;

    if (!bytes)
        abort();
    for (; i + 8 <= length; i += 8) {
        uint64_t word = random_next(&seed);

        memcpy(bytes + i, &word, 8);
    }
    for (; i < length; i++)
        bytes[i] = (unsigned char)random_next(&seed);
    return bytes;
}

uint64_t random_next(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
}

uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

uint64_t environment_number(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);

    return value && *value ? strtoull(value, NULL, 0) : fallback;
}

uint64_t repeated(uint64_t number)
{
    uint64_t part = number * environment_number("TARN_REPEAT_PERCENT", 100) / 100;

    return part ? part : 1;
}

void fixture_expect_status(tarn_status wanted, tarn_status got, const char *what, const char *file,
                           int line)
{
    if (wanted == got)
        return;
    print_error("%s:\n    expected %s, got %s", what, tarn_status_name(wanted),
                tarn_status_name(got));
    if (got != TARN_OK)
        print_error(" (last error: %s)", tarn_last_error()->message);
    print_error("\n");
    _fail(file, line);
}

void fixture_expect_number(uint64_t wanted, uint64_t got, const char *what, const char *file,
                           int line)
{
    if (wanted == got)
        return;
    print_error("%s:\n    expected %" PRIu64 ", got %" PRIu64 "\n", what, wanted, got);
    _fail(file, line);
}

void fixture_expect_signed(int64_t wanted, int64_t got, const char *what, const char *file,
                           int line)
{
    if (wanted == got)
        return;
    print_error("%s:\n    expected %" PRId64 ", got %" PRId64 "\n", what, wanted, got);
    _fail(file, line);
}

static void print_bytes(const char *title, struct tarn_slice bytes)
{
    const unsigned char *byte = bytes.data;

    print_error("    %s %zu bytes:", title, bytes.length);
    for (size_t i = 0; i < bytes.length && i < 24; i++)
        print_error(" %02x", byte[i]);
    print_error("%s\n", bytes.length > 24 ? " ..." : "");
}

static bool same_bytes(struct tarn_slice a, struct tarn_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

void fixture_expect_bytes(struct tarn_slice wanted, struct tarn_slice got, const char *what,
                          const char *file, int line)
{
    if (same_bytes(wanted, got))
        return;
    print_error("%s:\n", what);
    print_bytes("expected", wanted);
    print_bytes("got", got);
    _fail(file, line);
}

void fixture_expect_that(bool condition, const char *what, const char *file, int line)
{
    if (condition)
        return;
    print_error("expected: %s\n", what);
    _fail(file, line);
}

void fixture_expect_stored(tarn_namespace *ns, struct tarn_slice key, struct tarn_slice wanted,
                           const char *what, const char *file, int line)
{
    struct tarn_buf copy = {0};
    struct tarn_pin pin = {0};

    fixture_expect_status(TARN_OK, tarn_get(ns, key, &copy, NULL), what, file, line);
    fixture_expect_bytes(wanted, held(&copy), what, file, line);
    tarn_buf_release(&copy);
    fixture_expect_status(TARN_OK, tarn_get_pinned(ns, key, &pin), what, file, line);
    if (!same_bytes(wanted, pin.value))
        print_error("the pinned value differs from the copied one\n");
    fixture_expect_bytes(wanted, pin.value, what, file, line);
    tarn_unpin(&pin);
}

void fixture_expect_same_state(struct fixture_state before, tarn_namespace *ns, const char *what,
                               const char *file, int line)
{
    struct fixture_state now = fixture_state_of(ns);

    fixture_expect_number(before.keys, now.keys, "keys, which should be as before", file, line);
    fixture_expect_number(before.bytes, now.bytes, "bytes, which should be as before", file, line);
    fixture_expect_number(before.writes, now.writes, "writes, which should be as before", file,
                          line);
    if (before.digest != now.digest)
        print_error("%s: the records are not what they were\n", what);
    fixture_expect_number(before.digest, now.digest, "digest of all records", file, line);
}
