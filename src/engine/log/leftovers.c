/* What a crash has left beside a log's segments; see the header. */
#include "engine/log/leftovers.h"
#include "base/status.h"
#include "engine/log/segments.h"

#include <errno.h>
#include <inttypes.h>

/* What is in the folder besides the list and its segments. */
struct leftover {
    const struct tarn__segment_list *list;
    uint64_t number;
    bool found, too_new;
};

static bool note_name(void *context, const char *name)
{
    struct leftover *leftover = context;
    const struct tarn__segment_list *list = leftover->list;
    uint64_t number;

    if (!tarn__segment_number_of(name, &number))
        return true;
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].number == number)
            return true;
    leftover->number = number;
    leftover->found = true;
    leftover->too_new = number >= list->next_number;
    return !leftover->too_new;
}

static tarn_status look(const struct tarn__directory *directory, struct leftover *leftover)
{
    tarn_status status = tarn__directory_list(directory, note_name, leftover);

    if (!status && leftover->too_new)
        status = tarn__fail(TARN_CORRUPT,
                            "'%s/" TARN__SEGMENT_LIST
                            "' does not know of %" PRIu64 TARN__SEGMENT_SUFFIX ", which is newer",
                            tarn__directory_path(directory), leftover->number);
    return status;
}

tarn_status tarn__leftovers_check(const struct tarn__directory *directory,
                                  const struct tarn__segment_list *list)
{
    struct leftover leftover = {.list = list};

    return look(directory, &leftover);
}

tarn_status tarn__leftovers_remove(const struct tarn__directory *directory,
                                   const struct tarn__segment_list *list)
{
    struct leftover leftover;
    char name[TARN__SEGMENT_NAME_ROOM];
    tarn_status status = tarn__file_unlink(directory, TARN__SEGMENT_LIST_NEW);

    if (tarn__failed_with(status, ENOENT))
        status = TARN_OK;
    do {
        leftover = (struct leftover){.list = list};
        if (!status)
            status = look(directory, &leftover);
        if (!status && leftover.found) {
            tarn__segment_name(leftover.number, name);
            status = tarn__file_unlink(directory, name);
        }
    } while (!status && leftover.found);
    return status;
}
