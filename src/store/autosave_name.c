/* The names of an autosave's snapshots; see the header. */
#include "store/autosave_name.h"
#include "base/memory.h"
#include "base/status.h"
#include "store/snapshot_file.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TIME_BYTES      18 /* 20261121T091500042 */
#define NAME_BYTES_MOST (TARN__PATTERN_BYTES_MAX * 3 + 3 * TARN_NAME_BYTES_MAX + TIME_BYTES)

static bool begins_with(struct tarn_slice rest, const char *word)
{
    size_t length = strlen(word);

    return rest.length >= length && memcmp(rest.data, word, length) == 0;
}

static void append(struct tarn_buf *name, const void *bytes, size_t length)
{
    memcpy((char *)name->data + name->length, bytes, length);
    name->length += length;
}

static void append_time(struct tarn_buf *name, uint64_t clock_ns)
{
    time_t seconds = (time_t)(clock_ns / 1000000000);
    char text[64];
    struct tm time;

    gmtime_r(&seconds, &time);
    snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02d%03u", (time.tm_year + 1900) % 10000,
             time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec,
             (unsigned)(clock_ns / 1000000 % 1000));
    append(name, text, TIME_BYTES);
}

static bool is_plain(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

static void append_namespace(struct tarn_buf *name, struct tarn_slice namespace_name)
{
    const char *bytes = namespace_name.data;
    char escaped[4];

    for (size_t i = 0; i < namespace_name.length; i++) {
        if (is_plain(bytes[i]) || (bytes[i] == '.' && i > 0)) {
            append(name, bytes + i, 1);
            continue;
        }
        snprintf(escaped, sizeof escaped, "%%%02X", (unsigned)(uint8_t)bytes[i]);
        append(name, escaped, 3);
    }
}

static tarn_status check_use(bool for_namespace, bool has_time, bool has_namespace)
{
    if (!has_time)
        return tarn__fail(TARN_INVALID_ARGUMENT, "an autosave's pattern needs {ts}, the time");
    if (for_namespace && !has_namespace)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "the pattern of a namespace's autosave needs {ns}, its name");
    if (!for_namespace && has_namespace)
        return tarn__fail(TARN_INVALID_ARGUMENT,
                          "the pattern of the store's autosave has no use for {ns}");
    return TARN_OK;
}

tarn_status tarn__autosave_name(struct tarn_slice pattern, bool for_namespace,
                                struct tarn_slice namespace_name, uint64_t clock_ns,
                                struct tarn_buf *name)
{
    char file_name[TARN__SNAPSHOT_FILE_NAME_BYTES];
    bool has_time = false, has_namespace = false;
    struct tarn_slice rest = pattern;
    tarn_status status = tarn__buf_reserve(name, NAME_BYTES_MOST);
    size_t used;

    name->length = 0;
    if (!status && pattern.length > TARN__PATTERN_BYTES_MAX)
        status = tarn__fail(TARN_INVALID_ARGUMENT, "a pattern has at most %d bytes, not %zu",
                            TARN__PATTERN_BYTES_MAX, pattern.length);
    for (; rest.length && !status;
         rest.data = (const char *)rest.data + used, rest.length -= used) {
        used = 4;
        if (begins_with(rest, "{ts}") && !has_time) {
            append_time(name, clock_ns);
            has_time = true;
        } else if (begins_with(rest, "{ns}") && !has_namespace) {
            append_namespace(name, namespace_name);
            has_namespace = true;
        } else if (begins_with(rest, "{") || begins_with(rest, "}")) {
            status = tarn__fail(TARN_INVALID_ARGUMENT,
                                "a pattern has {ts} and {ns}, each once, and no other braces");
        } else {
            append(name, rest.data, 1);
            used = 1;
        }
    }
    if (!status)
        status = check_use(for_namespace, has_time, has_namespace);
    return status ? status
                  : tarn__snapshot_file_name(tarn_slice_of(name->data, name->length), file_name);
}

static bool is_time(const char *bytes)
{
    for (size_t i = 0; i < TIME_BYTES; i++)
        if (i == 8 ? bytes[i] != 'T' : bytes[i] < '0' || bytes[i] > '9')
            return false;
    return true;
}

bool tarn__autosave_name_matches(struct tarn_slice pattern, bool for_namespace,
                                 struct tarn_slice namespace_name, struct tarn_slice name)
{
    struct tarn_buf one = {0}, other = {0};
    bool matches = false;

    /* Two times that begin with another digit tell where the time stands. */
    if (tarn__autosave_name(pattern, for_namespace, namespace_name, 0, &one) == TARN_OK &&
        tarn__autosave_name(pattern, for_namespace, namespace_name, UINT64_C(1) << 62, &other) ==
            TARN_OK &&
        one.length == name.length) {
        const char *a = one.data, *b = other.data, *bytes = name.data;
        size_t at = 0;

        while (at < name.length && a[at] == b[at])
            at++;
        matches =
            at + TIME_BYTES <= name.length && memcmp(a, bytes, at) == 0 && is_time(bytes + at) &&
            memcmp(a + at + TIME_BYTES, bytes + at + TIME_BYTES, name.length - at - TIME_BYTES) ==
                0;
    }
    tarn_buf_release(&one);
    tarn_buf_release(&other);
    return matches;
}
