/*
 * Pictures of what a power cut leaves: see crash_pictures.h.
 *
 * All state is that of the test that runs.
 */
#include "crash_pictures.h"

#include <stdlib.h>
#include <string.h>

struct sim_disk *disk;
const struct tarn__os *os;
struct tarn__directory *db;
char gathered[PICTURES_MAX][PICTURE_BYTES];
size_t gathered_count;
const struct sim_crash_options crash_plain = {.seed = 1, .random_states = 20};

int crash_set_up(void **state)
{
    (void)state;
    disk = sim_disk_create(7);
    os = &disk->os;
    db = NULL;
    return tarn__directory_make(os, "/db") || tarn__directory_open(os, "/db", &db);
}

int crash_tear_down(void **state)
{
    tarn_status status = tarn__directory_close(db);

    (void)state;
    sim_disk_free(disk);
    return status;
}

/* --- Files of a test ---------------------------------------------------------------------- */

struct tarn__file *create(const char *name)
{
    struct tarn__file *file = NULL;

    assert_ok(tarn__file_open(db, name, TARN__OPEN_CREATE, &file));
    return file;
}

void put(struct tarn__file *file, const char *bytes, uint64_t offset)
{
    assert_ok(tarn__file_write(file, bytes, strlen(bytes), offset));
}

/* A file that is durable with its name. */
struct tarn__file *durable(const char *name, const char *bytes)
{
    struct tarn__file *file = create(name);

    put(file, bytes, 0);
    assert_ok(tarn__file_sync(file));
    assert_ok(tarn__directory_sync(db));
    return file;
}

/* A durable file of so many sectors, each full of the letter a. */
struct tarn__file *durable_sectors(const char *name, size_t sectors)
{
    struct tarn__file *file = durable(name, "");
    char sector[SECTOR];

    memset(sector, 'a', sizeof sector);
    for (size_t i = 0; i < sectors; i++)
        assert_ok(tarn__file_write(file, sector, sizeof sector, i * SECTOR));
    assert_ok(tarn__file_sync(file));
    return file;
}

/* --- Pictures ----------------------------------------------------------------------------- */

bool take_name(void *context, const char *name)
{
    struct names *names = context;

    snprintf(names->names[names->count++], sizeof names->names[0], "%s", name);
    return names->count < NAMES_MAX;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

void add_text(char picture[PICTURE_BYTES], const char *text)
{
    size_t length = strlen(picture);

    snprintf(picture + length, PICTURE_BYTES - length, "%s", text);
}

/* A file larger than a sector is told by the first byte of each sector. */
static void add_bytes(char picture[PICTURE_BYTES], const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i<length; i += length> SECTOR ? SECTOR : 1)
        add_text(picture, (char[]){(char)(bytes[i] ? bytes[i] : '.'), '\0'});
}

static void draw(struct sim_disk *crashed, const char *folder, char picture[PICTURE_BYTES])
{
    struct names names = {.count = 0};

    if (!sim_disk_list(crashed, SIM_KEPT, folder, take_name, &names))
        return;
    qsort(names.names, names.count, sizeof names.names[0], compare_names);
    for (size_t i = 0; i < names.count; i++) {
        size_t length = 0;
        uint8_t *bytes;
        char path[80];

        snprintf(path, sizeof path, "%s/%s", folder, names.names[i]);
        bytes = sim_disk_read(crashed, SIM_KEPT, path, &length);
        add_text(picture, *picture ? " " : "");
        add_text(picture, names.names[i]);
        add_text(picture, bytes ? "=" : "/");
        if (bytes)
            add_bytes(picture, bytes, length);
        else
            draw(crashed, path, picture);
        free(bytes);
    }
}

bool gather(void *context, struct sim_disk *crashed, const char *choice)
{
    char picture[PICTURE_BYTES] = "";

    (void)context;
    assert_non_null(strstr(choice, ": "));
    draw(crashed, "/db", picture);
    for (size_t i = 0; i < gathered_count; i++)
        if (strcmp(gathered[i], picture) == 0)
            return true;
    assert_true(gathered_count < PICTURES_MAX);
    memcpy(gathered[gathered_count++], picture, sizeof picture);
    return true;
}

/* Gathers the pictures of this moment, and tells how many there are. */
size_t pictures(void)
{
    gathered_count = 0;
    assert_true(sim_crash_states(disk, &crash_plain, NULL, gather, NULL) >= 1);
    return gathered_count;
}

bool pictured(const char *picture)
{
    for (size_t i = 0; i < gathered_count; i++)
        if (strcmp(gathered[i], picture) == 0)
            return true;
    return false;
}
