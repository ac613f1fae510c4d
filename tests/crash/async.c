/* Asynchronous writes of a run of steps; see the header. */
#include "crash/async.h"
#include "crash/steps.h"

#include <stdlib.h>

/* One that is outstanding. */
struct async_write {
    struct crash_store *store;
    unsigned ns;
    uint32_t home; /* 0: in memory */
    uint64_t number;
};

bool async_is_wanted(const struct crash_store *s, const struct step *step)
{
    return (step->kind == STEP_SET || step->kind == STEP_BATCH) && step->value % 3 == 0 &&
           !s->tolerant;
}

static void on_durable(void *context, tarn_status status)
{
    struct async_write *write = context;
    struct crash_store *s = write->store;

    s->outstanding--;
    if (status)
        (void)crash_failed(s, "an asynchronous write: %s", tarn_status_name(status));
    else if (write->home && write->home == s->world.logs[write->ns].home)
        world_log_is_durable_to(&s->world, write->ns, write->number);
    free(write);
}

static struct async_write *begin(struct crash_store *s, const struct step *step)
{
    struct async_write *write = malloc(sizeof *write);

    if (!write)
        abort();
    *write =
        (struct async_write){.store = s, .ns = step->ns, .home = s->world.now.ns[step->ns].home};
    if (write->home)
        write->number = world_log_number(&s->world, step->ns);
    return write;
}

static tarn_status end(struct crash_store *s, struct async_write *write, tarn_status status)
{
    if (status)
        free(write); /* no callback will come */
    else
        s->outstanding++;
    return status;
}

tarn_status async_set(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                      struct tarn_slice key, struct tarn_slice value)
{
    struct async_write *write = begin(s, step);

    return end(s, write, tarn_set_async(ns, key, value, on_durable, write, NULL, NULL));
}

tarn_status async_commit(struct crash_store *s, const struct step *step, tarn_namespace *ns,
                         const tarn_batch *batch)
{
    struct async_write *write = begin(s, step);

    return end(s, write,
               tarn_batch_commit_async(ns, batch, TARN_ALL_OR_NOTHING, on_durable, write, NULL,
                                       NULL, NULL));
}

bool async_all_come(struct crash_store *s)
{
    tarn_status status = tarn_events_dispatch(s->store, 0, NULL);

    if (status)
        return crash_failed(s, "dispatching: %s", tarn_status_name(status));
    return !s->outstanding ||
           crash_failed(s, "%u asynchronous writes were not called back", s->outstanding);
}
