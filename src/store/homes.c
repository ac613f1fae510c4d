/*
 * Homes: the folders in which engines keep the files of namespaces, DIR/namespaces/NUMBER.
 *
 * A home is made, filled and durable before the catalog tells of it, and removed after the catalog
 * does not any more. Its number is one that an earlier catalog had reserved: so a home that the
 * catalog does not tell of is what a crash has left, and one with a higher number shows that the
 * catalog is older than the files, which is corruption.
 */
#include "base/plant.h"
#include "base/status.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_RESERVED 16
#define NAME_ROOM        32

static void name_of(uint64_t number, char name[NAME_ROOM])
{
    snprintf(name, NAME_ROOM, "%" PRIu64, number);
}

/* ------------------------------------------------------------------------------------------
 * One home
 */

/* Sees to it that the catalog reserves the next number. */
static tarn_status reserve_number(tarn_store *store)
{
    uint64_t before = store->reserved_number;
    tarn_status status;

    if (store->next_number < before || TARN__PLANTED(TARN__PLANT_HOME_NOT_RESERVED))
        return TARN_OK;
    store->reserved_number = store->next_number + NUMBERS_RESERVED;
    status = tarn__store_write_catalog(store);
    if (status)
        store->reserved_number = before;
    return status;
}

tarn_status tarn__home_open(tarn_store *store, uint64_t number, struct tarn__home *home)
{
    char name[NAME_ROOM];
    tarn_status status = TARN_OK;

    name_of(number, name);
    if (!store->folder.namespaces)
        return tarn__fail(TARN_CORRUPT, "'%s/namespaces' is missing",
                          tarn__directory_path(store->folder.top));
    status = tarn__directory_open_in(store->folder.namespaces, name, &home->directory);
    if (tarn__failed_with(status, ENOENT))
        return tarn__fail(TARN_CORRUPT, "'%s/%s' is missing, in which a namespace is",
                          tarn__directory_path(store->folder.namespaces), name);
    if (!status)
        home->number = number;
    return status;
}

tarn_status tarn__home_make(tarn_store *store, struct tarn__home *home)
{
    struct tarn__home made = {0};
    char name[NAME_ROOM];
    uint64_t number;
    tarn_status status = reserve_number(store);

    if (!status)
        status = tarn__folder_need_namespaces(&store->folder);
    if (status)
        return status;
    number = store->next_number++;
    name_of(number, name);
    status = tarn__directory_make_in(store->folder.namespaces, name);
    if (!status && !TARN__PLANTED(TARN__PLANT_HOME_NOT_SYNCED))
        status = tarn__directory_sync(store->folder.namespaces);
    if (!status)
        status = tarn__home_open(store, number, &made);
    if (!status)
        *home = made;
    return status; /* a folder that is left behind goes with the next opening */
}

void tarn__home_close(struct tarn__home *home)
{
    struct tarn_error error = *tarn_last_error();

    (void)tarn__directory_close(home->directory); /* nothing was written through it */
    *home = (struct tarn__home){0};
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Removing
 */

void tarn__home_remove(tarn_store *store, struct tarn__home *home)
{
    struct tarn_error error = *tarn_last_error();
    char name[NAME_ROOM];

    if (!home->directory)
        return;
    name_of(home->number, name);
    tarn__home_close(home);
    (void)tarn__folder_remove(store->folder.namespaces, name);
    tarn__restore_error(&error);
}

/* ------------------------------------------------------------------------------------------
 * Opening
 */

struct leftover {
    const struct tarn__catalog *catalog;
    char name[NAME_ROOM];
    bool found, too_new;
};

static bool is_home_of(const struct tarn__catalog *catalog, uint64_t number)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (catalog->namespaces[i].home == number)
            return true;
    return false;
}

/* Names that are no numbers are nobody's: left. */
static bool note_home(void *context, const char *name)
{
    struct leftover *leftover = context;
    uint64_t number = strtoull(name, NULL, 10);
    char again[NAME_ROOM];

    name_of(number, again);
    if (strcmp(name, again) != 0 || is_home_of(leftover->catalog, number))
        return true;
    memcpy(leftover->name, again, sizeof again);
    leftover->found = true;
    leftover->too_new = number >= leftover->catalog->next_number;
    return !leftover->too_new;
}

tarn_status tarn__homes_open(tarn_store *store, const struct tarn__catalog *catalog)
{
    const struct tarn__directory *homes = store->folder.namespaces;
    struct leftover leftover;
    tarn_status status = TARN_OK;

    if (!homes)
        return TARN_OK;
    do {
        leftover = (struct leftover){.catalog = catalog};
        status = tarn__directory_list(homes, note_home, &leftover);
        if (!status && leftover.too_new)
            status = tarn__fail(TARN_CORRUPT,
                                "the catalog does not know of '%s/%s', which is newer: put the "
                                "newest catalog back",
                                tarn__directory_path(homes), leftover.name);
        if (!status && leftover.found && !store->folder.read_only)
            status = tarn__folder_remove(homes, leftover.name);
    } while (!status && leftover.found && !store->folder.read_only);
    return status;
}
