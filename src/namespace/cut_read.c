/*
 * Reading a cut to its end. Records are copied inside sections of the epoch, a few at a time, so
 * that no writer waits for long; whatever takes longer is done outside.
 */
#include "base/status.h"
#include "namespace/cut.h"
#include "namespace/operation.h"

#include <assert.h>

#define RECORDS_IN_SECTION 64
#define AHEAD              8 /* records between announcing one to the cache and reading it */
#define BYTES_BETWEEN      ((uint64_t)256 * 1024) /* two calls of progress */

struct reading {
    struct tarn__cut *cut;
    const struct tarn__cut_sink *sink;
    uint64_t keys, bytes; /* so far */
};

static tarn_status is_lost(const tarn_namespace *ns)
{
    return tarn__fail(TARN_NO_MEMORY,
                      "no memory to keep what is overwritten in namespace \"%.*s\" meanwhile",
                      (int)ns->name_length, ns->name);
}

static void count(struct reading *reading, const struct tarn__record *record)
{
    reading->keys++;
    reading->bytes += record->key.length + record->value.length;
}

/* Has some records copied, and says how many; stops where there is no room, or a record is large,
 * which is then pinned and handed out. */
static tarn_status copy_some(struct reading *reading, const uint64_t *locations, size_t count_left,
                             size_t *done, struct tarn__record *large)
{
    tarn_namespace *ns = reading->cut->ns;
    struct tarn__section *section = tarn__epoch_enter(&ns->environment->epoch);
    bool holds = tarn__cut_holds(reading->cut);
    size_t some = count_left < RECORDS_IN_SECTION ? count_left : RECORDS_IN_SECTION;
    struct tarn__record record;
    tarn_status status = TARN_OK;

    large->key.length = 0;
    for (size_t i = 0; i < AHEAD && i < some && holds; i++)
        ns->engine->prefetch(ns->engine_state, locations[i]);
    for (*done = 0; *done < some && holds; ++*done) {
        if (*done + AHEAD < some)
            ns->engine->prefetch(ns->engine_state, locations[*done + AHEAD]);
        status = tarn__verify(ns, locations[*done]);
        if (status)
            break;
        ns->engine->read(ns->engine_state, locations[*done], &record);
        if (record.value.length > TARN__CUT_LARGE_BYTES) {
            ns->engine->pin(ns->engine_state, locations[*done]);
            *large = record;
            break;
        }
        if (!reading->sink->add(reading->sink->context, &record))
            break;
        count(reading, &record);
    }
    tarn__epoch_leave(section);
    return holds ? status : is_lost(ns);
}

/* Deals with a record that is pinned, outside of a section, and lets it go. */
static tarn_status copy_large(struct reading *reading, uint64_t location,
                              const struct tarn__record *record)
{
    tarn_namespace *ns = reading->cut->ns;
    tarn_status status = reading->sink->add_large(reading->sink->context, record);

    count(reading, record);
    ns->engine->unpin(ns->engine_state, location);
    return status;
}

static tarn_status read_records(struct reading *reading, const uint64_t *locations, size_t left)
{
    tarn_status status = TARN_OK;

    while (left && !status) {
        struct tarn__record large;
        size_t done;

        status = copy_some(reading, locations, left, &done, &large);
        if (status)
            break;
        if (large.key.length)
            status = copy_large(reading, locations[done++], &large);
        else if (done < left && done < RECORDS_IN_SECTION) /* there is no room */
            status = reading->sink->flush(reading->sink->context);
        locations += done;
        left -= done;
    }
    return status;
}

tarn_status tarn__cut_tell(struct tarn__cut_progress *progress)
{
    progress->told = progress->done;
    if (!progress->tell || progress->tell(progress->context, progress->done, progress->total))
        return TARN_OK;
    return tarn__outcome(TARN_CANCELLED);
}

/* Tells how far it is where enough was done since the last time. */
static tarn_status go_on(struct reading *reading, struct tarn__cut_progress *progress)
{
    if (!progress)
        return TARN_OK;
    progress->done += reading->bytes;
    reading->bytes = 0;
    return progress->done - progress->told < BYTES_BETWEEN ? TARN_OK : tarn__cut_tell(progress);
}

tarn_status tarn__cut_read(struct tarn__cut *cut, const struct tarn__cut_sink *sink,
                           struct tarn__cut_progress *progress)
{
    struct reading reading = {.cut = cut, .sink = sink};
    const uint64_t *locations;
    size_t left;
    tarn_status status;

    do {
        status = tarn__cut_next(cut, &locations, &left);
        if (!status)
            status = read_records(&reading, locations, left);
        if (!status)
            status = go_on(&reading, progress);
    } while (!status && left);
    if (!status && !tarn__cut_holds(cut)) /* after the last look at what writers have saved */
        status = is_lost(cut->ns);
    if (status)
        return status;
    assert(reading.keys == cut->keys);
    return sink->flush(sink->context);
}
