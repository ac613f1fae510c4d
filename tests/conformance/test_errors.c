/*
 * Conformance: the list of statuses, and what the last error says.
 */
#include "conformance/conformance.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const tarn_status statuses[] = {
#define STATUS(name, number, message) name,
    TARN_STATUS_LIST(STATUS)
#undef STATUS
};
enum { STATUSES = sizeof statuses / sizeof statuses[0] };

static void test_names_and_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STATUSES; i++) {
        const char *name = tarn_status_name(statuses[i]);
        const char *message = tarn_status_message(statuses[i]);

        expect_that(name && strncmp(name, "TARN_", 5) == 0 && strlen(name) > 5);
        expect_that(message && strlen(message) > 3);
        expect_that(message[strlen(message) - 1] != '.');
        expect_that(statuses[i] == TARN_OK || statuses[i] < 0);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, tarn_status_name(statuses[j]));
            assert_string_not_equal(message, tarn_status_message(statuses[j]));
            assert_int_not_equal(statuses[i], statuses[j]);
        }
    }
    assert_string_equal("TARN_OK", tarn_status_name(TARN_OK));
    assert_string_equal("TARN_KEY_NOT_FOUND", tarn_status_name(TARN_KEY_NOT_FOUND));
    /* A number that is no status. */
    expect_that(tarn_status_name((tarn_status)12345) && *tarn_status_name((tarn_status)12345));
    expect_that(tarn_status_message((tarn_status)-9999) != NULL);
}

static void test_version(void **state)
{
    const char *version = tarn_version();
    unsigned dots = 0;

    (void)state;
    assert_non_null(version);
    expect_that(isdigit((unsigned char)version[0]));
    for (const char *c = version; *c; c++)
        dots += *c == '.';
    expect_number(2, dots);
}

/* Expects that the last error has this status and that its message has these words in it. */
static void expect_last_error(tarn_status status, const char *words)
{
    const struct tarn_error *error = tarn_last_error();

    assert_non_null(error);
    expect_status(status, error->status);
    expect_that(memchr(error->message, '\0', sizeof error->message) != NULL);
    expect_that(error->message[0] != '\0');
    if (!strstr(error->message, words))
        fail_msg("expected the last error to say \"%s\", got \"%s\"", words, error->message);
}

static void test_last_error_of_each_call(void **state)
{
    struct fixture *f = *state;

    expect_status(TARN_KEY_NOT_FOUND, tarn_get(f->ns, text("a"), NULL, NULL));
    expect_last_error(TARN_KEY_NOT_FOUND, "");
    expect_number(0, tarn_last_error()->system_error);
    expect_status(TARN_KEY_INVALID, tarn_exists(f->ns, text("")));
    expect_last_error(TARN_KEY_INVALID, "");
    /* A call that succeeds leaves it alone. */
    expect_ok(tarn_set(f->ns, text("a"), text("b"), NULL, NULL));
    expect_ok(tarn_get(f->ns, text("a"), NULL, NULL));
    expect_last_error(TARN_KEY_INVALID, "");
    expect_status(TARN_KEY_EXISTS, tarn_insert(f->ns, text("a"), text("b")));
    expect_last_error(TARN_KEY_EXISTS, "");
    expect_status(TARN_NAME_INVALID,
                  tarn_namespace_create(f->store, text(""), NULL, &(tarn_namespace *){NULL}));
    expect_last_error(TARN_NAME_INVALID, "");
    expect_status(TARN_INVALID_ARGUMENT, tarn_exists(NULL, text("a")));
    expect_last_error(TARN_INVALID_ARGUMENT, "");
}

/* The detail names the limit, or the length of what is too large. */
static void test_detail_of_limits(void **state)
{
    struct fixture *f = *state;
    struct tarn_namespace_options options = {
        .size = sizeof options, .max_keys = 37, .max_value_size = 41, .max_bytes = 498};
    char *bytes = patterned_bytes(TARN_KEY_BYTES_MAX + 1, 1);
    char room[NUMBERED_KEY_ROOM];

    fixture_renew_namespace(f, &options);
    expect_status(TARN_KEY_TOO_LARGE,
                  tarn_exists(f->ns, tarn_slice_of(bytes, TARN_KEY_BYTES_MAX + 1)));
    expect_last_error(TARN_KEY_TOO_LARGE, "65537");
    expect_status(TARN_VALUE_TOO_LARGE,
                  tarn_set(f->ns, text("a"), tarn_slice_of(bytes, 42), NULL, NULL));
    expect_last_error(TARN_VALUE_TOO_LARGE, "41");
    for (unsigned i = 0; i < 37; i++)
        expect_ok(tarn_insert(f->ns, numbered_key(room, i), text("")));
    expect_status(TARN_TOO_MANY_KEYS, tarn_insert(f->ns, text("a"), text("")));
    expect_last_error(TARN_TOO_MANY_KEYS, "37");
    for (unsigned i = 0; i < 6; i++)
        expect_ok(tarn_set(f->ns, numbered_key(room, i), tarn_slice_of(bytes, 41), NULL, NULL));
    expect_status(TARN_FULL,
                  tarn_set(f->ns, numbered_key(room, 7), tarn_slice_of(bytes, 41), NULL, NULL));
    expect_last_error(TARN_FULL, "498");
    free(bytes);
}

static void test_detail_of_too_many_namespaces(void **state)
{
    struct fixture *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_namespaces = 1};
    tarn_namespace *ns = NULL;

    fixture_renew_store(f, &options);
    expect_status(TARN_TOO_MANY_NAMESPACES, tarn_namespace_create(f->store, text("a"), NULL, &ns));
    expect_last_error(TARN_TOO_MANY_NAMESPACES, "1");
}

static void *fail_elsewhere(void *context)
{
    struct fixture *f = context;

    if (tarn_last_error() == NULL || tarn_exists(f->ns, text("none")) != TARN_KEY_NOT_FOUND)
        return context;
    return tarn_last_error()->status == TARN_KEY_NOT_FOUND ? NULL : context;
}

/* The last error belongs to the thread. */
static void test_last_error_of_another_thread(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    void *failed = f;

    expect_status(TARN_KEY_INVALID, tarn_exists(f->ns, text("")));
    expect_number(0, pthread_create(&thread, NULL, fail_elsewhere, f));
    expect_number(0, pthread_join(thread, &failed));
    expect_that(failed == NULL);
    expect_last_error(TARN_KEY_INVALID, "");
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_names_and_messages),
    CONFORMANCE_TEST(test_version),
    CONFORMANCE_TEST(test_last_error_of_each_call),
    CONFORMANCE_TEST(test_detail_of_limits),
    CONFORMANCE_TEST(test_detail_of_too_many_namespaces),
    CONFORMANCE_TEST(test_last_error_of_another_thread),
};

CONFORMANCE_TOPIC(errors, tests);
