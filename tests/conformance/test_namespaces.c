/*
 * Conformance: creating, opening, dropping, listing and counting namespaces, and their names.
 */
#include "conformance/conformance.h"

#include <stdio.h>
#include <string.h>

static tarn_status create(struct fixture *f, struct tarn_slice name)
{
    tarn_namespace *ns = NULL;
    tarn_status status = fixture_backend->create(f->store, name, NULL, &ns);

    expect_that((status == TARN_OK) == (ns != NULL));
    tarn_namespace_close(ns);
    return status;
}

static size_t count_of(struct fixture *f)
{
    size_t count = 12345;

    expect_ok(tarn_namespace_count(f->store, &count));
    return count;
}

static void test_create_and_open(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *first = NULL, *second = NULL, *none = NULL;

    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_open(f->store, text("a"), &none));
    expect_that(none == NULL);
    expect_ok(fixture_backend->create(f->store, text("a"), NULL, &first));
    expect_status(TARN_NAMESPACE_EXISTS, create(f, text("a")));
    expect_ok(tarn_namespace_open(f->store, text("a"), &second));
    expect_ok(tarn_set(first, text("k"), text("v"), NULL, NULL));
    expect_stored(second, text("k"), text("v"));
    tarn_namespace_close(first);
    expect_stored(second, text("k"), text("v"));
    tarn_namespace_close(second);
    tarn_namespace_close(NULL);
    /* Without any handle the namespace and its keys stay. */
    expect_status(TARN_NAMESPACE_EXISTS, create(f, text("a")));
    expect_ok(tarn_namespace_open(f->store, text("a"), &second));
    expect_stored(second, text("k"), text("v"));
    tarn_namespace_close(second);
}

static void test_drop_and_create_again(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *old = NULL, *fresh = NULL;

    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_drop(f->store, text("a")));
    expect_ok(fixture_backend->create(f->store, text("a"), NULL, &old));
    expect_ok(tarn_set(old, text("k"), text("old"), NULL, NULL));
    expect_ok(tarn_namespace_drop(f->store, text("a")));
    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_drop(f->store, text("a")));
    expect_status(TARN_NAMESPACE_NOT_FOUND, tarn_namespace_open(f->store, text("a"), &fresh));
    expect_ok(fixture_backend->create(f->store, text("a"), NULL, &fresh));
    expect_absent(fresh, text("k"));
    expect_ok(tarn_set(fresh, text("k"), text("new"), NULL, NULL));
    expect_status(TARN_NAMESPACE_DROPPED, tarn_get(old, text("k"), NULL, NULL));
    expect_status(TARN_NAMESPACE_DROPPED, tarn_set(old, text("k"), text("x"), NULL, NULL));
    expect_stored(fresh, text("k"), text("new"));
    tarn_namespace_close(old);
    expect_stored(fresh, text("k"), text("new"));
    tarn_namespace_close(fresh);
}

static void test_isolation(void **state)
{
    struct fixture *f = *state;
    tarn_namespace *ns[8];
    char room[NUMBERED_KEY_ROOM];

    for (unsigned i = 0; i < 8; i++)
        expect_ok(fixture_backend->create(f->store, numbered_key(room, i), NULL, &ns[i]));
    for (unsigned i = 0; i < 8; i++)
        expect_ok(tarn_insert(ns[i], text("k"), numbered_key(room, i)));
    for (unsigned i = 0; i < 8; i++)
        expect_stored(ns[i], text("k"), numbered_key(room, i));
    expect_ok(tarn_delete(ns[1], text("k")));
    expect_ok(tarn_namespace_clear(ns[2]));
    expect_ok(tarn_namespace_drop(f->store, numbered_key(room, 3)));
    expect_absent(ns[1], text("k"));
    expect_absent(ns[2], text("k"));
    for (unsigned i = 0; i < 8; i++) {
        if (i == 0 || i > 3)
            expect_stored(ns[i], text("k"), numbered_key(room, i));
        tarn_namespace_close(ns[i]);
    }
    expect_absent(f->ns, text("k"));
}

static void test_count_and_maximum(void **state)
{
    struct fixture *f = *state;
    struct tarn_options options = {.size = sizeof options, .max_namespaces = 4};

    expect_number(1, count_of(f));
    fixture_renew_store(f, &options);
    expect_ok(create(f, text("b")));
    expect_ok(create(f, text("c")));
    expect_number(3, count_of(f));
    expect_ok(create(f, text("d")));
    expect_number(4, count_of(f));
    expect_status(TARN_TOO_MANY_NAMESPACES, create(f, text("e")));
    expect_number(4, count_of(f));
    expect_ok(tarn_namespace_drop(f->store, text("b")));
    expect_number(3, count_of(f));
    expect_ok(create(f, text("e")));
    expect_status(TARN_TOO_MANY_NAMESPACES, create(f, text("b")));
    expect_ok(tarn_namespace_count(f->store, NULL));
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    char room[NUMBERED_KEY_ROOM];
    tarn_namespace *ns = NULL;

    for (unsigned i = 0; i < 2000; i++)
        expect_ok(create(f, numbered_key(room, i)));
    expect_number(2001, count_of(f));
    for (unsigned i = 0; i < 2000; i += 2)
        expect_ok(tarn_namespace_drop(f->store, numbered_key(room, i)));
    expect_number(1001, count_of(f));
    for (unsigned i = 0; i < 2000; i++) {
        expect_status(i % 2 ? TARN_OK : TARN_NAMESPACE_NOT_FOUND,
                      tarn_namespace_open(f->store, numbered_key(room, i), &ns));
        if (i % 2)
            tarn_namespace_close(ns);
    }
}

static void test_names_that_are_fine(void **state)
{
    struct fixture *f = *state;
    char longest[TARN_NAME_BYTES_MAX];
    static const char *const names[] = {
        "a",
        " ",
        ".",
        "..",
        "/",
        "/x",
        "a/b",
        "../../etc/passwd",
        "~",
        "*",
        "\"",
        "\\",
        "a b",
        "CON",
        "gr\xc3\xbc\xc3\x9f",
        "\xe2\x82\xac",
        "\xf0\x9f\x90\x9f",
        "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xc2\xa0",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xf0\x90\x80\x80",
    };
    size_t count = sizeof names / sizeof names[0];

    for (size_t i = 0; i < count; i++)
        expect_ok(create(f, text(names[i])));
    for (size_t i = 0; i < count; i++)
        expect_status(TARN_NAMESPACE_EXISTS, create(f, text(names[i])));
    memset(longest, 'n', sizeof longest);
    expect_ok(create(f, tarn_slice_of(longest, 254)));
    expect_ok(create(f, tarn_slice_of(longest, 255)));
    expect_number(count + 3, count_of(f));
    for (size_t i = 0; i < count; i++)
        expect_ok(tarn_namespace_drop(f->store, text(names[i])));
    expect_number(3, count_of(f));
}

static void expect_name_refused(struct fixture *f, struct tarn_slice name)
{
    tarn_namespace *ns = NULL;
    tarn_status status;

    expect_status(TARN_NAME_INVALID, create(f, name));
    expect_status(TARN_NAME_INVALID, tarn_namespace_open(f->store, name, &ns));
    status = tarn_namespace_drop(f->store, name);
    expect_that(status == TARN_NAME_INVALID || status == TARN_NAMESPACE_NOT_FOUND);
    expect_number(1, count_of(f));
}

static void test_names_of_a_wrong_length(void **state)
{
    struct fixture *f = *state;
    char bytes[70000];

    memset(bytes, 'n', sizeof bytes);
    expect_name_refused(f, text(""));
    expect_name_refused(f, tarn_slice_of(NULL, 0));
    expect_name_refused(f, tarn_slice_of(bytes, 256));
    expect_name_refused(f, tarn_slice_of(bytes, 257));
    expect_name_refused(f, tarn_slice_of(bytes, 65536 + 4));
}

static void test_names_with_control_characters(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 32; i++) {
        char name[3] = {'a', (char)i, 'b'};

        expect_name_refused(f, tarn_slice_of(name, 3));
        expect_name_refused(f, tarn_slice_of(name + 1, 1));
    }
    expect_name_refused(f, text("a\x7f"));
    expect_name_refused(f, tarn_slice_of("test\0", 5));
}

static void test_names_that_are_not_utf8(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "\x80",
        "a\xbf",
        "\xc3",
        "\xc3(",
        "\xc3\xa9\xa9",
        "\xe2\x82",
        "\xe2(\xa1",
        "\xe2\x82(",
        "\xf0\x9f\x90",
        "\xf0\x9f(\x9f",
        "\xfe",
        "\xff",
        "\xf8\x88\x80\x80\x80",
        /* overlong */
        "\xc0\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        /* surrogates, and beyond the last code point */
        "\xed\xa0\x80",
        "\xed\xad\xbf",
        "\xed\xae\x80",
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect_name_refused(f, text(names[i]));
        /* The same at the end of the longest name, where a reader may run over. */
        char name[TARN_NAME_BYTES_MAX];
        size_t length = strlen(names[i]);

        memset(name, 'n', sizeof name);
        memcpy(name + sizeof name - length, names[i], length);
        expect_name_refused(f, tarn_slice_of(name, sizeof name));
    }
}

struct listing {
    struct fixture *fixture;
    size_t visits;
    size_t stop_after;
    char names[64][16];
    const char *drop, *create;
};

static bool collect(void *context, struct tarn_slice name)
{
    struct listing *listing = context;
    char *copy = listing->names[listing->visits++];

    if (name.length < sizeof listing->names[0])
        memcpy(copy, name.data, name.length);
    if (listing->drop)
        (void)tarn_namespace_drop(listing->fixture->store, text(listing->drop));
    if (listing->create)
        (void)create(listing->fixture, text(listing->create));
    listing->drop = listing->create = NULL;
    return listing->visits < listing->stop_after;
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    /* As bytes: upper before lower case, a prefix before what it begins, UTF-8 last. */
    static const char *const sorted[] = {"!", "A", "Z", "a", "aa", "ab", "b", "test", "\xc3\xa9"};
    static const char *const made[] = {"b", "\xc3\xa9", "aa", "Z", "a", "!", "ab", "A"};
    struct listing all = {.fixture = f, .stop_after = 64}, some = {.fixture = f, .stop_after = 4};

    for (size_t i = 0; i < 8; i++)
        expect_ok(create(f, text(made[i])));
    expect_ok(tarn_namespace_list(f->store, collect, &all));
    expect_number(9, all.visits);
    for (size_t i = 0; i < 9; i++)
        assert_string_equal(sorted[i], all.names[i]);
    expect_ok(tarn_namespace_list(f->store, collect, &some));
    expect_number(4, some.visits);
    assert_string_equal("a", some.names[3]);
}

/* A visit may drop and create: the list is that of the moment of the call. */
static void test_list_while_it_changes(void **state)
{
    struct fixture *f = *state;
    struct listing listing = {.fixture = f, .stop_after = 64, .drop = "a", .create = "z"};

    expect_ok(create(f, text("a")));
    expect_ok(create(f, text("b")));
    expect_ok(tarn_namespace_list(f->store, collect, &listing));
    expect_number(3, listing.visits);
    assert_string_equal("a", listing.names[0]);
    assert_string_equal("b", listing.names[1]);
    assert_string_equal("test", listing.names[2]);
    expect_number(3, count_of(f));
    expect_status(TARN_NAMESPACE_EXISTS, create(f, text("z")));
    expect_ok(create(f, text("a")));
}

static void test_list_of_none(void **state)
{
    struct fixture *f = *state;
    struct listing listing = {.fixture = f, .stop_after = 64};

    expect_ok(tarn_namespace_drop(f->store, text("test")));
    expect_ok(tarn_namespace_list(f->store, collect, &listing));
    expect_number(0, listing.visits);
    expect_number(0, count_of(f));
}

static const struct CMUnitTest tests[] = {
    CONFORMANCE_TEST(test_create_and_open),
    CONFORMANCE_TEST(test_drop_and_create_again),
    CONFORMANCE_TEST(test_isolation),
    CONFORMANCE_TEST(test_count_and_maximum),
    CONFORMANCE_TEST(test_many),
    CONFORMANCE_TEST(test_names_that_are_fine),
    CONFORMANCE_TEST(test_names_of_a_wrong_length),
    CONFORMANCE_TEST(test_names_with_control_characters),
    CONFORMANCE_TEST(test_names_that_are_not_utf8),
    CONFORMANCE_TEST(test_list),
    CONFORMANCE_TEST(test_list_while_it_changes),
    CONFORMANCE_TEST(test_list_of_none),
};

CONFORMANCE_TOPIC(namespaces, tests);
