/*
 * Stores on disk side by side: see disk_field.h.
 */
#include "disk_field.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "console.h"
#include "disk_child.h"
#include "folder.h"
#include "plan.h"

void disk_field_init(struct disk_field *field, const char *parent, const char *name, bool durable,
                     uint32_t keys, size_t threads, size_t order_count)
{
    *field = (struct disk_field){.setup = {.keys_expected = keys, .durable = durable},
                                 .keys = keys,
                                 .threads = threads,
                                 .order_count = order_count};
    const int length = snprintf(field->folder, sizeof field->folder, "%s/%s", parent, name);
    if (length < 0 || (size_t)length >= sizeof field->folder) {
        console_fail("the path of the temporary folder is too long");
    }
    folder_empty(field->folder);
    for (size_t i = 0; i < threads; i++) {
        field->orders[i] = console_allocate(order_count * sizeof field->orders[i][0]);
    }
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        field->subjects[i].peer = disk_peer(i);
    }
}

void disk_field_release(struct disk_field *field)
{
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        subject_close(&field->subjects[i]);
    }
    for (size_t i = 0; i < field->threads; i++) {
        free(field->orders[i]);
    }
    folder_empty(field->folder);
}

void disk_field_shuffle(struct disk_field *field)
{
    field->version++;
    for (size_t i = 0; i < field->threads; i++) {
        workload_order_permuted(field->orders[i], field->order_count, field->keys,
                                field->version * field->threads + i);
    }
}

/* path: of PATH_MAX + 64 bytes. */
static void store_path(const struct disk_field *field, enum subject_id subject, char *path)
{
    (void)snprintf(path, PATH_MAX + 64, "%s/%.60s", field->folder,
                   field->subjects[subject].peer->name);
}

void disk_field_reopen(struct disk_field *field, enum subject_id subject)
{
    char path[PATH_MAX + 64];
    struct peer_setup setup = field->setup;
    store_path(field, subject, path);
    setup.folder = path;
    subject_open_as(&field->subjects[subject], field->subjects[subject].peer, &setup,
                    field->threads);
}

void disk_field_make(struct disk_field *field, enum subject_id subject)
{
    char path[PATH_MAX + 64];
    store_path(field, subject, path);
    subject_close(&field->subjects[subject]);
    folder_empty(path);
    disk_field_reopen(field, subject);
}

void disk_field_abandon(struct disk_field *field, enum subject_id subject)
{
    char path[PATH_MAX + 64];
    store_path(field, subject, path);
    folder_empty(path);
    disk_child_run(field->subjects[subject].peer->name, path, field->keys);
}

void disk_field_load(struct disk_field *field)
{
    disk_field_shuffle(field);
    for (enum subject_id i = 0; i < SUBJECT_COUNT; i++) {
        if (field->subjects[i].peer != NULL) {
            console_progress("%u keys on disk: loading %s", field->keys,
                             field->subjects[i].peer->name);
            disk_field_make(field, i);
            const struct loop loop = disk_field_loop(field, i, 0, field->keys);
            if (field->setup.durable) {
                loop_set_many(&loop);
            } else {
                loop_set(&loop);
            }
        }
    }
}

struct loop disk_field_loop(const struct disk_field *field, enum subject_id subject, size_t thread,
                            size_t count)
{
    return (struct loop){.peer = field->subjects[subject].peer,
                         .session = field->subjects[subject].sessions[thread],
                         .order = field->orders[thread],
                         .count = count,
                         .value_bytes = PLAN_VALUE_BYTES,
                         .version = field->version};
}

void disk_field_settle(const struct disk_field *field)
{
    /* A thread that waits for the disk uses no time, but goes on soon after the disk is done. */
    enum { LOOK_NS = 20000000, BUSY_NS = 2000000, IDLE_LOOKS = 3, LOOKS_MAX = 3000 };
    const struct timespec moment = {.tv_nsec = LOOK_NS};
    const int folder = open(field->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        console_fail("cannot open %s", field->folder);
    }
    for (size_t looks = 0, idle = 0; looks < LOOKS_MAX && idle < IDLE_LOOKS; looks++) {
        const uint64_t before_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        if (syncfs(folder) != 0) {
            console_fail("cannot sync the disk of %s", field->folder);
        }
        (void)nanosleep(&moment, NULL); /* a shorter look does no harm */
        idle = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before_ns < BUSY_NS ? idle + 1 : 0;
    }
    (void)close(folder); /* it was only read */
}

uint64_t disk_field_bytes(const struct disk_field *field, enum subject_id subject)
{
    char path[PATH_MAX + 64];
    store_path(field, subject, path);
    return folder_bytes(path);
}
