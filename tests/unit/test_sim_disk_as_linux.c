/*
 * The simulated disk does what Linux does: random operations are made on it and in a real folder,
 * and have the same results: errors, lengths, bytes and names.
 *
 * The seed is TARN_SEED, or another one each time; a failure prints it.
 */
#include "support/fixture.h"
#include "support/sim_disk.h"
#include "support/test_folder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Two worlds in which the same is done. Both know a handle or mapping by its place. */
#define WORLD_HANDLES  6
#define WORLD_MAPPINGS 2
#define WORLD_FOLDERS  3
#define MAP_BYTES      ((size_t)8192)

struct world {
    const struct tarn__os *os;
    int folders[WORLD_FOLDERS]; /* the first is the one in which all happens */
    int files[WORLD_HANDLES];
    char *mappings[WORLD_MAPPINGS];
    uint8_t bytes[20000]; /* of the last read */
    size_t done;
    char names[400]; /* of the last list */
};

static struct world worlds[2];
static bool folder_open[WORLD_FOLDERS], file_open[WORLD_HANDLES];
static uint64_t random_state;

static const char *random_name(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};

    return names[random_below(&random_state, 5)];
}

static bool add_name(void *context, const char *name)
{
    char *names = context;

    names[strlen(names)] = *name; /* each has one letter; sorted below */
    return true;
}

static int compare_bytes(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

static int list(struct world *w, size_t folder)
{
    int error;

    memset(w->names, 0, sizeof w->names);
    error = w->os->directory_list(w->os, w->folders[folder], add_name, w->names);
    qsort(w->names, strlen(w->names), 1, compare_bytes);
    return error;
}

/* One random operation on folders, the same in each world: its numbers were drawn before. */
struct draw {
    unsigned what;
    size_t folder, other_folder, file, mapping;
    const char *name, *other_name;
    uint64_t offset, length;
    uint8_t fill;
};

static int on_names(struct world *w, const struct draw *d)
{
    const struct tarn__os *of = w->os;

    switch (d->what) {
    case 0:
        return of->directory_make(of, w->folders[d->folder], d->name);
    case 1:
        return of->directory_remove(of, w->folders[d->folder], d->name);
    case 2:
    case 3:
        return of->rename(of, w->folders[d->folder], d->name, w->folders[d->other_folder],
                          d->other_name);
    case 4:
        return of->link(of, w->folders[d->folder], d->name, w->folders[d->other_folder],
                        d->other_name);
    case 5:
        return of->unlink(of, w->folders[d->folder], d->name);
    case 6:
        return of->directory_sync(of, w->folders[d->folder]);
    default:
        return list(w, d->folder);
    }
}

static int on_bytes(struct world *w, const struct draw *d)
{
    const struct tarn__os *of = w->os;
    static uint8_t bytes[20000];
    uint64_t size = 0;
    int error;

    switch (d->what) {
    case 10:
    case 11:
        memset(bytes, d->fill, d->length);
        return of->write(of, w->files[d->file], bytes, d->length, d->offset, &w->done);
    case 12:
        memset(w->bytes, 0, sizeof w->bytes);
        return of->read(of, w->files[d->file], w->bytes, d->length, d->offset, &w->done);
    case 13:
        return of->truncate(of, w->files[d->file], d->offset + MAP_BYTES);
    case 14:
        return of->preallocate(of, w->files[d->file], d->offset, d->length);
    case 15:
        error = of->size(of, w->files[d->file], &size);
        w->done = size;
        return error;
    case 16:
        return of->sync(of, w->files[d->file]);
    default:
        return of->lock(of, w->files[d->file], d->fill & 1);
    }
}

/* Opens or closes what is in a place. Whether it is open is the same in both. */
static int on_handles(struct world *w, const struct draw *d)
{
    const struct tarn__os *of = w->os;

    if (d->what == 20 && file_open[d->file])
        return of->close(of, w->files[d->file]);
    if (d->what == 20)
        return of->file_open(of, w->folders[d->folder], d->name, d->fill % 3, &w->files[d->file]);
    if (d->other_folder == 0)
        return 0; /* the first folder stays open */
    if (folder_open[d->other_folder])
        return of->close(of, w->folders[d->other_folder]);
    return of->directory_open(of, w->folders[0], d->name, &w->folders[d->other_folder]);
}

/* Maps the first bytes of a file, which no truncation takes away, or stores there. */
static int on_mappings(struct world *w, const struct draw *d)
{
    const struct tarn__os *of = w->os;
    char **address = &w->mappings[d->mapping];
    uint64_t size = 0;
    int error;

    if (*address && d->what == 31) {
        error = of->unmap(of, *address, MAP_BYTES);
        *address = NULL;
        return error;
    }
    if (*address) {
        of->map_write(of, *address + d->offset % (MAP_BYTES - 40), "a store through a mapping",
                      1 + d->length % 25);
        memcpy(w->bytes, *address, MAP_BYTES);
        return 0;
    }
    error = of->size(of, w->files[d->file], &size);
    if (error != 0 || size < MAP_BYTES)
        return error;
    return of->map(of, w->files[d->file], 0, MAP_BYTES, true, (void **)address);
}

static struct draw draw(void)
{
    static const unsigned kinds[] = {0,  1,  2,  3,  4,  5,  6,  7,  10, 11, 10, 11, 12, 12,
                                     13, 14, 15, 16, 17, 20, 20, 20, 20, 21, 30, 30, 30, 31};

    struct draw d = {
        .what = kinds[random_below(&random_state, sizeof kinds / sizeof kinds[0])],
        .folder = random_below(&random_state, WORLD_FOLDERS),
        .other_folder = random_below(&random_state, WORLD_FOLDERS),
        .file = random_below(&random_state, WORLD_HANDLES),
        .mapping = random_below(&random_state, WORLD_MAPPINGS),
        .name = random_name(),
        .other_name = random_name(),
        .offset = random_below(&random_state, 16000),
        .length = 1 + random_below(&random_state, random_below(&random_state, 2) ? 3000 : 60),
        .fill = (uint8_t)random_next(&random_state),
    };

    /* Linux keeps a lock for as long as a mapping of the same opening is there, which os.h does not
     * promise: so what is locked is not what is mapped. */
    if (d.what == 17)
        d.file %= WORLD_HANDLES / 2;
    else if (d.what >= 30)
        d.file = WORLD_HANDLES / 2 + d.file % (WORLD_HANDLES / 2);
    return d;
}

static int act(struct world *w, const struct draw *d)
{
    if (d->what < 10)
        return on_names(w, d);
    if (d->what < 20)
        return on_bytes(w, d);
    return d->what < 30 ? on_handles(w, d) : on_mappings(w, d);
}

/* Leaves out what has no handle to be done with. */
static bool can_be_done(const struct draw *d)
{
    if (d->what < 10 || d->what == 20)
        return folder_open[d->folder] && folder_open[d->other_folder];
    return d->what == 21 || file_open[d->file];
}

static void note_handles(const struct draw *d, int error)
{
    if (d->what == 20 && error == 0)
        file_open[d->file] = !file_open[d->file];
    if (d->what == 21 && error == 0 && d->other_folder != 0)
        folder_open[d->other_folder] = !folder_open[d->other_folder];
}

static void worlds_begin(const struct tarn__os *simulated, const char *folder)
{
    memset(worlds, 0, sizeof worlds);
    memset(folder_open, 0, sizeof folder_open);
    memset(file_open, 0, sizeof file_open);
    worlds[0].os = tarn__os_posix();
    worlds[1].os = simulated;
    for (int i = 0; i <= 1; i++)
        assert_int_equal(worlds[i].os->directory_open(worlds[i].os, TARN__OS_NO_DIRECTORY,
                                                      i ? "/" : folder, &worlds[i].folders[0]),
                         0);
    folder_open[0] = true;
}

static void worlds_end(void)
{
    for (int i = 0; i <= 1; i++) {
        struct world *w = &worlds[i];

        for (size_t j = 0; j < WORLD_HANDLES; j++)
            if (file_open[j])
                assert_int_equal(w->os->close(w->os, w->files[j]), 0);
        for (size_t j = 0; j < WORLD_FOLDERS; j++)
            if (folder_open[j])
                assert_int_equal(w->os->close(w->os, w->folders[j]), 0);
        for (size_t j = 0; j < WORLD_MAPPINGS; j++)
            if (w->mappings[j])
                assert_int_equal(w->os->unmap(w->os, w->mappings[j], MAP_BYTES), 0);
    }
}

static void operations_do_what_linux_does(void **state)
{
    uint64_t seed = environment_number("TARN_SEED", (uint64_t)time(NULL));
    uint64_t operations = 20000 * environment_number("TARN_TEST_SCALE", 1);
    struct sim_disk *disk = sim_disk_create(seed);
    char folder[256];

    (void)state;
    random_state = seed;
    assert_int_equal(test_folder_make(folder, sizeof folder), 0);
    worlds_begin(&disk->os, folder);
    for (uint64_t i = 0; i < operations; i++) {
        struct draw d = draw();
        int errors[2];

        if (!can_be_done(&d))
            continue;
        for (int j = 0; j <= 1; j++)
            errors[j] = act(&worlds[j], &d);
        if (errors[0] != errors[1] || worlds[0].done != worlds[1].done ||
            memcmp(worlds[0].bytes, worlds[1].bytes, sizeof worlds[0].bytes) != 0 ||
            strcmp(worlds[0].names, worlds[1].names) != 0)
            fail_msg("TARN_SEED=%llu: operation %llu of kind %u: Linux says %d, the disk %d",
                     (unsigned long long)seed, (unsigned long long)i, d.what, errors[0], errors[1]);
        note_handles(&d, errors[0]);
    }
    worlds_end();
    sim_disk_free(disk);
    assert_int_equal(test_folder_remove(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_do_what_linux_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
