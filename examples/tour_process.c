/* Other processes of the same program: see tour_process.h. */
#include "tour_process.h"
#include "tour_report.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- the input ----
 *
 * How many groups, how many records; for each group the length of its name and the name; for each
 * record its group, the lengths of key and value, and both. Numbers have 64 bits.
 */

static void put(FILE *file, const void *bytes, size_t length)
{
    if (length > 0 && fwrite(bytes, length, 1, file) != 1)
        tour_fail("cannot hand the input over: %s", strerror(errno));
}

static void put_number(FILE *file, uint64_t number)
{
    put(file, &number, sizeof number);
}

int tour_process_hand_over(const struct tour_input *input)
{
    int descriptor = memfd_create("tour input", 0);
    FILE *file = descriptor < 0 ? NULL : fdopen(dup(descriptor), "wb");

    if (!file)
        tour_fail("cannot hand the input over: %s", strerror(errno));
    put_number(file, input->group_count);
    put_number(file, input->count);
    for (size_t i = 0; i < input->group_count; i++) {
        put_number(file, input->groups[i].name.length);
        put(file, input->groups[i].name.data, input->groups[i].name.length);
    }
    for (size_t i = 0; i < input->count; i++) {
        const struct tour_record *record = &input->records[i];

        put_number(file, record->group);
        put_number(file, record->key.length);
        put_number(file, record->value.length);
        put(file, record->key.data, record->key.length);
        put(file, record->value.data, record->value.length);
    }
    if (fclose(file) != 0)
        tour_fail("cannot hand the input over: %s", strerror(errno));
    return descriptor;
}

/* What is left to be read of the text. */
struct rest {
    const char *at;
    size_t length;
};

static struct tarn_slice take(struct rest *rest, size_t length)
{
    struct tarn_slice taken = tarn_slice_of(rest->at, length);

    if (length > rest->length)
        tour_fail("the input that was handed over is too short");
    rest->at += length;
    rest->length -= length;
    return taken;
}

static uint64_t take_number(struct rest *rest)
{
    uint64_t number;

    memcpy(&number, take(rest, sizeof number).data, sizeof number);
    return number;
}

/* Each process reads from the beginning: the file's position is shared by all of them. */
static struct rest read_all(int file)
{
    struct stat stat;
    size_t length;
    char *text;

    if (fstat(file, &stat) != 0)
        tour_fail("cannot read the input that was handed over: %s", strerror(errno));
    length = (size_t)stat.st_size;
    text = tour_allocate(length, 1);
    for (size_t at = 0; at < length;) {
        ssize_t got = pread(file, text + at, length - at, (off_t)at);

        if (got <= 0)
            tour_fail("cannot read the input that was handed over: %s", strerror(errno));
        at += (size_t)got;
    }
    return (struct rest){.at = text, .length = length};
}

void tour_process_take_over(struct tour_input *input, int file)
{
    struct rest rest = read_all(file);

    *input = (struct tour_input){.text = (char *)rest.at};
    input->group_count = take_number(&rest);
    input->count = take_number(&rest);
    input->groups = tour_allocate(input->group_count, sizeof input->groups[0]);
    input->records = tour_allocate(input->count, sizeof input->records[0]);
    for (size_t i = 0; i < input->group_count; i++)
        input->groups[i].name = take(&rest, take_number(&rest));
    for (size_t i = 0; i < input->count; i++) {
        struct tour_record *record = &input->records[i];
        uint64_t group = take_number(&rest);
        uint64_t key_length = take_number(&rest);
        uint64_t value_length = take_number(&rest);

        if (group >= input->group_count)
            tour_fail("the input that was handed over has a record of no group");
        record->group = (uint32_t)group;
        record->key = take(&rest, key_length);
        record->value = take(&rest, value_length);
        input->groups[group].records++;
        input->bytes += key_length + value_length;
    }
}

/* ---- processes ---- */

struct tour_process tour_process_start(const char *role, const char *dir, int input)
{
    struct tour_process process;
    char input_text[16], reports_text[16];
    int ends[2];
    char *arguments[TOUR_PROCESS_ARGUMENTS + 1] = {"tour",      TOUR_PROCESS_OPTION, (char *)role,
                                                   (char *)dir, input_text,          reports_text};
    int error;

    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETFD, 0) != 0)
        tour_fail("cannot make a pipe: %s", strerror(errno));
    snprintf(input_text, sizeof input_text, "%d", input);
    snprintf(reports_text, sizeof reports_text, "%d", ends[1]);
    error = posix_spawn(&process.id, "/proc/self/exe", NULL, NULL, arguments, environ);
    if (error != 0)
        tour_fail("cannot start a process of /proc/self/exe: %s", strerror(error));
    close(ends[1]);
    process.reports = ends[0];
    return process;
}

bool tour_process_read(const struct tour_process *process, void *report, size_t bytes)
{
    ssize_t got;

    do
        got = read(process->reports, report, bytes); /* whole: a pipe keeps small writes together */
    while (got < 0 && errno == EINTR);
    if (got < 0)
        tour_fail("cannot read a report: %s", strerror(errno));
    if (got > 0 && (size_t)got != bytes)
        tour_fail("a report has %zd bytes where it must have %zu", got, bytes);
    return got > 0;
}

void tour_process_report(int reports, const void *report, size_t bytes)
{
    if (write(reports, report, bytes) != (ssize_t)bytes)
        tour_fail("cannot send a report: %s", strerror(errno));
}

int tour_process_wait(struct tour_process *process)
{
    int status;

    if (waitpid(process->id, &status, 0) != process->id)
        tour_fail("cannot wait for a process: %s", strerror(errno));
    close(process->reports);
    *process = (struct tour_process){0};
    return status;
}
