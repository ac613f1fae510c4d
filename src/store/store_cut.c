/* A cut of a store; see the header. */
#include "store/store_cut.h"
#include "base/memory.h"

/* Decides which namespaces it is of. */
static tarn_status choose(struct tarn__store_cut *cut, tarn_store *store, tarn_namespace *only)
{
    if (only && !tarn__namespace_usable(only))
        return tarn__namespace_not_open(only);
    cut->count = only ? 1 : store->count;
    cut->cuts = tarn__allocate_zeroed((cut->count + 1) * sizeof *cut->cuts);
    if (!cut->cuts)
        return TARN_NO_MEMORY;
    for (size_t i = 0; i < cut->count; i++)
        cut->cuts[i].ns = only ? only : store->namespaces[i];
    return TARN_OK;
}

static tarn_status lock_namespaces(struct tarn__store_cut *cut, size_t *locked)
{
    tarn_status status = TARN_OK;

    for (*locked = 0; *locked < cut->count && !status; *locked += status == TARN_OK)
        status = tarn__shards_lock_all(cut->cuts[*locked].ns, true);
    return status;
}

/* Begins the cuts of all namespaces at one moment. */
static tarn_status begin_all(struct tarn__store_cut *cut, tarn_store *store)
{
    const struct tarn__os *os = store->environment.os;
    uint64_t start = os->monotonic_ns(os);
    size_t locked;
    tarn_status status = lock_namespaces(cut, &locked);

    for (; cut->begun < cut->count && !status; cut->begun += status == TARN_OK)
        status = tarn__cut_begin(&cut->cuts[cut->begun], cut->cuts[cut->begun].ns);
    /* one of its own, so that no two snapshots of a store share one, and the newest is the newest
     */
    cut->sequence = atomic_fetch_add(&store->environment.sequence, 1) + 1;
    cut->clock_ns = os->wall_ns(os);
    while (locked)
        tarn__shards_unlock_all(cut->cuts[--locked].ns);
    cut->pause_ns = os->monotonic_ns(os) - start;
    return status;
}

tarn_status tarn__store_cut_begin(struct tarn__store_cut *cut, tarn_store *store,
                                  tarn_namespace *only)
{
    tarn_status status;

    *cut = (struct tarn__store_cut){0};
    status = choose(cut, store, only);
    if (!status)
        status = begin_all(cut, store);
    if (status)
        tarn__store_cut_end(cut);
    return status;
}

static void end_one(struct tarn__store_cut *cut)
{
    tarn__cut_end(&cut->cuts[cut->ended++]);
    cut->handed_out = false;
}

struct tarn__cut *tarn__store_cut_next(struct tarn__store_cut *cut)
{
    if (cut->handed_out)
        end_one(cut);
    cut->handed_out = cut->ended < cut->begun;
    return cut->handed_out ? &cut->cuts[cut->ended] : NULL;
}

void tarn__store_cut_end(struct tarn__store_cut *cut)
{
    struct tarn_error error = *tarn_last_error();

    while (cut->ended < cut->begun)
        end_one(cut);
    tarn__free(cut->cuts);
    cut->cuts = NULL;
    tarn__restore_error(&error);
}
